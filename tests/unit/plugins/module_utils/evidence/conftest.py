# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A host made of a directory and of commands with recorded answers.

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands


@pytest.fixture
def commands() -> RecordedCommands:
    return RecordedCommands()


@pytest.fixture
def files(tmp_path: Path) -> LocalFileSystem:
    return LocalFileSystem(str(tmp_path))


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of the host, with its directories."""

    def write(path: str, text: str = "", mode: int = 0o644) -> Path:
        target = tmp_path / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
        return target

    return write
