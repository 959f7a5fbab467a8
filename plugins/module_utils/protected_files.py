# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Files that everybody may read and nobody but their owner replaces.

from __future__ import annotations

import os
import stat
from typing import Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import read
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install

_MODE = 0o444


class Change(NamedTuple):
    """A file that is written or, where `after` is None, removed; `before` is None where there is none."""

    path: str
    before: str | None
    after: str | None


def writes(directory: str, wanted: Mapping[str, str]) -> list[Change]:
    """Return what has to be written so that the directory has these files, by name, for everybody to read only."""
    found = []
    for name, content in sorted(wanted.items()):
        path = f"{directory}/{name}"
        before = read(path)
        if before != content or not _is_protected(path):
            found.append(Change(path, before, content))
    return found


def apply(changes: Sequence[Change]) -> None:
    """Make the changes; each file is replaced whole."""
    for change in changes:
        if change.after is None:
            os.unlink(change.path)
        else:
            os.makedirs(os.path.dirname(change.path), mode=0o755, exist_ok=True)
            install(change.path, change.after, _MODE)


def _is_protected(path: str) -> bool:
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), _MODE)
