# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# On which file system a directory lies, and of what an overlay is made. Source: proc_pid_mountinfo(5).

from __future__ import annotations

import posixpath
import re
from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_ESCAPE = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """A mounted file system: where, its device as major:minor, how it is mounted there, and the options of its kind."""

    point: str
    device: str
    options: tuple[str, ...] = ()
    own_options: tuple[str, ...] = ()


def read_mounts(files: FileSystem, process: str = "self") -> list[Mount]:
    """Return what is mounted for a process, in the order of mounting; OSError when /proc is not readable."""
    mounts = []
    # by these two only: other kinds of space can be in the name of a directory
    for line in files.read_text(f"/proc/{process}/mountinfo").split("\n"):
        columns = line.split(" ")
        if len(columns) > 5:
            own_options = columns[-1].split(",") if "-" in columns[6:] else ()
            mounts.append(Mount(_plain(columns[4]), columns[2], tuple(columns[5].split(",")), tuple(own_options)))
    return mounts


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: chr(int(found.group(1), 8)), text)


def lower_layers(mount: Mount) -> list[str]:
    """Return the read-only directories of an overlay, the uppermost first; none for another file system.

    Where they were too many for one page of options, containerd gave them below the directory that all layers share.
    """
    pairs = [option.partition("=") for option in mount.own_options]
    lower = [_plain(path) for name, _is, value in pairs if name == "lowerdir" for path in value.split(":")]
    lower += [_plain(value) for name, _is, value in pairs if name == "lowerdir+"]
    upper = next((_plain(value) for name, _is, value in pairs if name == "upperdir"), "")
    shared = posixpath.dirname(posixpath.dirname(upper))
    return [posixpath.join(shared, path) for path in lower]


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
