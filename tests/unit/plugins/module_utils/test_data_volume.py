# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import data_volume
from ansible_collections.breakwater.docker.plugins.module_utils.data_volume import Volume, check, create, examine
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

MOUNTS = """22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 254:16 / /var/lib/docker rw,nosuid,nodev - ext4 /dev/vdb rw
31 22 254:32 / /srv/my\\040data rw - ext4 /dev/vdc rw
"""


class Files(LocalFileSystem):
    """A host with the block device /dev/vdb."""

    def stat(self, path: str) -> os.stat_result:
        if path == "/dev/vdb":
            return os.stat_result((stat.S_IFBLK | 0o660, *range(9)))
        return super().stat(path)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(MOUNTS)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/null").touch()
    return Files(str(tmp_path))


@pytest.fixture
def commands() -> RecordedCommands:
    recorded = RecordedCommands()
    recorded.answer("lsblk", "vdb\n")
    recorded.answer("blkid --probe /dev/vdb", rc=2)
    return recorded


def test_what_a_directory_lies_on(files: Files) -> None:
    assert examine("/var/lib/docker/", files) == Volume(True, ("rw", "nosuid", "nodev"))
    assert examine("/srv/my data", files).own
    assert not examine("/var/lib", files).own


def test_blank_device_and_empty_directory_will_do(files: Files, commands: RecordedCommands, tmp_path: Path) -> None:
    check("/srv/docker", "/dev/vdb", ["nodev", "nosuid"], files, commands)
    (tmp_path / "srv/docker").mkdir(parents=True)
    check("/srv/docker", "/dev/vdb", [], files, commands)
    (tmp_path / "srv/docker/image").touch()
    with pytest.raises(InputError, match="/srv/docker is not empty"):
        check("/srv/docker", "/dev/vdb", [], files, commands)


@pytest.mark.parametrize(
    ("device", "reason"),
    [("/dev/vdz", "There is no device /dev/vdz"), ("/dev/null", "/dev/null is no block device")],
)
def test_what_is_no_device_is_refused(files: Files, commands: RecordedCommands, device: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        check("/srv/docker", device, [], files, commands)


@pytest.mark.parametrize("listed", ["vdb\nvdb1\n", "vdb /srv\n", "vdb [SWAP]\n", ""])
def test_device_in_use_is_refused(files: Files, commands: RecordedCommands, listed: str) -> None:
    commands.answer("lsblk", listed)
    with pytest.raises(InputError, match="has partitions or is in use"):
        check("/srv/docker", "/dev/vdb", [], files, commands)


@pytest.mark.parametrize(
    ("rc", "stdout", "stderr", "content"),
    [
        (0, '/dev/vdb: UUID="x" TYPE="xfs"\n', "", 'TYPE="xfs"'),
        (4, "", "blkid: error\n", "blkid: error"),
        (8, "", "", "unknown"),
    ],
)
def test_device_that_may_hold_data_is_refused(
    files: Files, commands: RecordedCommands, rc: int, stdout: str, stderr: str, content: str
) -> None:
    commands.answer("blkid --probe /dev/vdb", stdout, rc, stderr)
    with pytest.raises(InputError, match=f"/dev/vdb is not blank .*{content}"):
        check("/srv/docker", "/dev/vdb", [], files, commands)


def test_option_that_is_none_is_refused(files: Files, commands: RecordedCommands) -> None:
    with pytest.raises(InputError, match="'nodev 0 0' is no mount option"):
        check("/srv/docker", "/dev/vdb", ["nodev 0 0"], files, commands)


@pytest.fixture
def made(tmp_path: Path, commands: RecordedCommands, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of a file system that can be made; /etc/fstab is beside it."""
    root = tmp_path / "docker"
    (root / "lost+found").mkdir(parents=True)
    (tmp_path / "fstab").write_text("UUID=1 / ext4 defaults 0 1")
    monkeypatch.setattr(data_volume, "FSTAB", str(tmp_path / "fstab"))
    for command in ("mkfs.ext4", "mount", "umount", "wipefs"):
        commands.answer(command)
    commands.answer("blkid --probe --output value --match-tag UUID /dev/vdb", "2-3\n")
    return root


def test_file_system_is_mounted_now_and_at_every_boot(made: Path, commands: RecordedCommands) -> None:
    create(str(made), "/dev/vdb", ["nodev"], commands)
    assert made.with_name("fstab").read_text() == (
        f"UUID=1 / ext4 defaults 0 1\nUUID=2-3 {made} ext4 defaults,nodev 0 2\n"
    )
    assert commands.asked[-1] == f"mount --types ext4 --options defaults,nodev UUID=2-3 {made}"
    assert list(made.iterdir()) == []
    assert stat.S_IMODE(made.stat().st_mode) == 0o710


def test_host_that_can_not_mount_it_still_boots(made: Path, commands: RecordedCommands) -> None:
    commands.answer("mount", rc=32, stderr="mount: wrong fs type, bad option.\n")
    with pytest.raises(BreakwaterError, match=r"bad option\. .* /dev/vdb is blank again, and .*/fstab is as before"):
        create(str(made), "/dev/vdb", ["prjquota"], commands)
    assert made.with_name("fstab").read_text() == "UUID=1 / ext4 defaults 0 1"
    assert commands.asked[-1] == "wipefs --all --quiet /dev/vdb"


def test_mount_is_taken_back_when_fstab_can_not_be_written(
    made: Path, commands: RecordedCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_volume, "FSTAB", str(made.with_name("fstab") / "below"))
    commands.answer("wipefs", rc=1, stderr="busy")
    with pytest.raises(BreakwaterError, match=r"Not a directory.* /dev/vdb could not be wiped: do that"):
        create(str(made), "/dev/vdb", [], commands)
    assert commands.asked[-2:] == ["umount /dev/vdb", "wipefs --all --quiet /dev/vdb"]


def test_failure_is_told(commands: RecordedCommands) -> None:
    commands.answer("mkfs.ext4", rc=1, stderr="mke2fs 1.47 (2025)\nDevice too small\n")
    with pytest.raises(BreakwaterError, match=r"mkfs\.ext4 -q -L docker /dev/vdb failed: mke2fs .* Device too small\."):
        create("/srv/docker", "/dev/vdb", [], commands)
