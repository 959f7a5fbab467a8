# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How the tests are spread over processes.

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling


class FilesAndScenarios(LoadScopeScheduling):
    """Keeps a file's tests, which share hosts, in one process; each Molecule scenario has hosts of its own."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return nodeid if path.endswith("test_molecule.py") else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesAndScenarios:
    """Give pytest-xdist this scheduler."""
    return FilesAndScenarios(config, log)
