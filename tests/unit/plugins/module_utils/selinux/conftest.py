# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes import proc

Write = Callable[[str, str], None]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file of the host."""

    def write_file(path: str, text: str) -> None:
        proc.write(tmp_path, path, text)

    return write_file


@pytest.fixture
def files(tmp_path: Path, write: Write) -> LocalFileSystem:
    """Return a Debian machine with the policy, under AppArmor."""
    (tmp_path / "proc/self/ns").mkdir(parents=True)
    (tmp_path / "proc/self/ns/pid").symlink_to("pid:[4026531836]")
    write("/proc/cmdline", "root=/dev/vda ro quiet\n")
    write("/proc/stat", "cpu 1 2 3\nbtime 1000\n")
    write("/proc/sys/kernel/osrelease", "6.12.48+deb13-amd64\n")
    write("/boot/config-6.12.48+deb13-amd64", "CONFIG_SECURITY_SELINUX=y\n")
    write("/sys/kernel/security/lsm", "lockdown,capability,landlock,yama,apparmor")
    write("/etc/default/grub", "")
    write("/usr/sbin/update-grub", "")
    write("/etc/selinux/config", "# comment\nSELINUX=permissive\nSELINUXTYPE=default\n")
    return LocalFileSystem(str(tmp_path))


@pytest.fixture
def permissive(files: LocalFileSystem, write: Write) -> LocalFileSystem:
    """Return the same machine booted by SELinux, permissive."""
    write("/sys/fs/selinux/enforce", "0")
    write("/proc/1/attr/current", "system_u:system_r:init_t:s0\0")
    return files
