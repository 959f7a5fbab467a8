# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes import proc

MACHINE = "pid:[4026531836]"
CONTAINER = "pid:[4026539837]"
Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the host; a path without a slash at its beginning is a kernel setting."""

    def write_file(path: str, text: str) -> None:
        proc.write(tmp_path, path if path.startswith("/") else "proc/sys/" + path.replace(".", "/"), text)

    return write_file


@pytest.fixture
def files(tmp_path: Path, write: Write) -> LocalFileSystem:
    """Return a machine that boots by GRUB, with a plain kernel command line."""
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").symlink_to(MACHINE)
    write("/proc/cmdline", "root=/dev/vda quiet\n")
    write("/proc/stat", f"btime {proc.BOOT_TIME}\n")
    write("/etc/default/grub", "")
    write("/usr/sbin/update-grub", "")
    write("kernel.osrelease", "6.12.48+deb13-amd64\n")
    return LocalFileSystem(str(tmp_path))


@pytest.fixture
def contained(tmp_path: Path, files: LocalFileSystem) -> LocalFileSystem:
    """Return the same host as a container."""
    (tmp_path / "proc/self/ns/pid").unlink()
    (tmp_path / "proc/self/ns/pid").symlink_to(CONTAINER)
    return files
