# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# On which file system a directory lies. Source: proc_pid_mountinfo(5).

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mounted file system: where, its device as major:minor, and how it is mounted there."""

    point: str
    device: str
    options: tuple[str, ...] = ()


def read_mounts(files: FileSystem, process: str = "self") -> list[Mount]:
    """Return what is mounted for a process, in the order of mounting; OSError when /proc is not readable."""
    mounts = []
    for line in files.read_text(f"/proc/{process}/mountinfo").splitlines():
        columns = line.split()
        if len(columns) > 5:
            point = _ESCAPE.sub(lambda found: chr(int(found.group(1), 8)), columns[4])
            mounts.append(Mount(point, columns[2], tuple(columns[5].split(","))))
    return mounts


def mount_of(mounts: list[Mount], path: str) -> Mount:
    """Return the mount that `path` is in; UnreadableError where none holds it."""
    best: Mount | None = None
    for mount in mounts:
        inside = path == mount.point or path.startswith(mount.point.rstrip("/") + "/")
        # a later mount on the same point hides the earlier one
        if inside and (best is None or len(mount.point) >= len(best.point)):
            best = mount
    if best is None:
        raise UnreadableError(f"/proc/PID/mountinfo names no file system for {path}")
    return best


def has_own_file_system(mounts: list[Mount], directory: str) -> bool:
    """Tell whether `directory` is where a file system other than the root's is mounted (a bind mount is none)."""
    mount = mount_of(mounts, directory)
    return mount.point == directory and mount.device != mount_of(mounts, "/").device
