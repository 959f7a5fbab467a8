# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path

from ansible_collections.breakwater.docker.plugins.module_utils.evidence.mounts import mount_of, read_mounts
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import write


def test_name_of_a_mounted_directory_forges_no_other_mount(tmp_path: Path) -> None:
    forged = "/home/u/a\x0b30\u00a022\u00a00:99\u00a0/\u00a0/var/lib/docker\u00a0rw"
    write(
        tmp_path,
        "/proc/self/mountinfo",
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"29 22 0:98 / {forged} rw - fuse x rw\n"
        "31 22 0:97 / /home/u/b\u00a0c rw - fuse x rw\n",
    )
    mounts = read_mounts(LocalFileSystem(str(tmp_path)))
    assert mount_of(mounts, "/var/lib/docker").device == "8:1"
    assert mount_of(mounts, "/home/u/b\u00a0c/d").device == "0:97"
