# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How the tests are spread over processes.

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests, which share hosts, in one process; each Molecule scenario has hosts of its own."""
    for item in items:
        if item.path.name != "test_molecule.py":
            item.add_marker(pytest.mark.xdist_group(item.path.name))
