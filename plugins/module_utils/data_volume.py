# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The file system that the engine's data lies on, and how a blank device becomes it. Nothing that holds data is touched.
# Sources: proc_pid_mountinfo(5), blkid(8), lsblk(8), fstab(5), systemd.mount(5).

from __future__ import annotations

import os
import re
import stat
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.mounts import read_mounts
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import names_in
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

FSTAB = "/etc/fstab"
_OPTION = re.compile(r"[A-Za-z0-9_.=-]+")
#: Of the engine, who may enter but not look. moby/moby daemon/daemon_unix.go
_MODE = 0o710
#: Seconds for a large device.
_TIMEOUT = 600


class Volume(NamedTuple):
    """What a directory lies on: whether a file system is mounted right there, and with which options."""

    own: bool
    options: tuple[str, ...]


def examine(path: str, files: FileSystem) -> Volume:
    """Return what the directory `path` lies on."""
    # a later mount on the same directory hides the earlier one
    there = [mount for mount in read_mounts(files) if mount.point == os.path.normpath(path)]
    return Volume(True, there[-1].options) if there else Volume(False, ())


def check(path: str, device: str, options: Sequence[str], files: FileSystem, commands: CommandRunner) -> None:
    """Raise InputError unless `device` is blank and the directory `path` is empty or missing."""
    for option in options:
        if not _OPTION.fullmatch(option):
            raise InputError(f"{option!r} is no mount option: correct it. Nothing was changed.")
    try:
        if not stat.S_ISBLK(files.stat(device).st_mode):
            raise InputError(f"{device} is no block device: correct docker_host_data_device. Nothing was changed.")
    except OSError:
        raise InputError(
            f"There is no device {device}: correct docker_host_data_device. Nothing was changed."
        ) from None
    if names_in(files, path):
        reason = f"{path} is not empty, and a file system mounted there would hide what is in it"
        raise InputError(f"{reason}: stop the engine and move the data yourself. Nothing was changed.")
    listed = commands.run(("lsblk", "--noheadings", "--output", "NAME,MOUNTPOINT", device))
    if listed.rc != 0 or len(listed.stdout.split()) != 1:
        raise InputError(f"{device} has partitions or is in use: name a blank device. Nothing was changed.")
    probed = commands.run(("blkid", "--probe", device))
    # 2 says that nothing was found, and everything else that something was or may be there
    if probed.rc != 2:
        content = " ".join(probed.stdout.split()[1:]) or probed.stderr.strip() or "something unknown"
        raise InputError(
            f"{device} is not blank ({content}): if nobody needs that, wipe it yourself (wipefs --all {device}), or"
            " name another. Nothing was changed."
        )


def create(path: str, device: str, options: Sequence[str], commands: CommandRunner) -> None:
    """Make a file system on the blank `device`, mount it at `path` now and at every boot.

    BreakwaterError when that can't be; the file system is taken back then, so that a rerun finds the device blank.
    """
    _succeed(commands, "mkfs.ext4", "-q", "-L", "docker", device)
    try:
        uuid = _succeed(commands, "blkid", "--probe", "--output", "value", "--match-tag", "UUID", device)
        source, escaped, mount_options = f"UUID={uuid}", path.replace(" ", "\\040"), ",".join(["defaults", *options])
        os.makedirs(path, mode=_MODE, exist_ok=True)
        _succeed(commands, "mount", "--types", "ext4", "--options", mount_options, source, path)
        os.chmod(path, _MODE)
        # mkfs makes it, and the engine would take it for data of its own
        os.rmdir(os.path.join(path, "lost+found"))
        # last, since a line that can't be mounted keeps the host from booting
        _add_to_fstab(f"{source} {escaped} ext4 {mount_options} 0 2\n")
    except (BreakwaterError, OSError) as error:
        commands.run(("umount", device))
        wiped = commands.run(("wipefs", "--all", "--quiet", device))
        outcome = f"{device} is blank again" if wiped.rc == 0 else f"{device} could not be wiped: do that"
        reason = str(error).rstrip(".")
        raise BreakwaterError(f"{reason}. {outcome}, and {FSTAB} is as before.") from error


def _add_to_fstab(line: str) -> None:
    fstab = ConfigFile(FSTAB)
    text = fstab.read() or ""
    fstab.write(text + ("" if text.endswith("\n") or not text else "\n") + line)


def _succeed(commands: CommandRunner, *argv: str) -> str:
    done = commands.run(argv, timeout=_TIMEOUT)
    if done.rc != 0:
        reason = " ".join(done.stderr.split()).rstrip(".") or "it does not say why"
        raise BreakwaterError(f"{' '.join(argv)} failed: {reason}. Mend it and run again.")
    return done.stdout.strip()
