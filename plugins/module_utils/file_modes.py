# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Owners and modes of many files, which are only ever tightened. Sources: chmod(2), open(2) (O_PATH), proc_pid_fd(5).

from __future__ import annotations

import glob
import grp
import os
import pwd
import stat
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError


class Change(NamedTuple):
    """A file whose owner, group or mode differs from what it must be."""

    path: str
    before: tuple[int, int, int]
    after: tuple[int, int, int]


class Skipped(NamedTuple):
    """A file that is left alone, and why."""

    path: str
    reason: str


def make_plan(wanted: Sequence[Mapping[str, Any]], root: str = "") -> tuple[list[Change], list[Skipped]]:
    """Compare files with `wanted` (path, which may be a shell pattern, and optionally owner, group, mode).

    Of several entries for a file the first one counts. Files that don't exist are passed over. A symbolic link is
    followed to what is named itself, or below it. InputError for a mode, user or group that can't be. `root` is where
    paths are looked for.
    """
    found = [(entry, sorted(glob.glob(root + entry["path"]))) for entry in wanted]
    places = {_place(named) for _entry, paths in found for named in paths}
    changes: list[Change] = []
    skipped: list[Skipped] = []
    seen: set[str] = set()
    for entry, paths in found:
        limit, owner, group = _mode(entry), _number(entry, "owner"), _number(entry, "group")
        for named in paths:
            path = os.path.realpath(named)
            if path in seen:
                continue
            seen.add(path)
            if path != named and not _trusted_way(named):
                skipped.append(Skipped(named, "it is a symbolic link that somebody else than root can change"))
                continue
            status = os.stat(path)
            if not _is_ours_to_change(status):
                continue
            mode = stat.S_IMODE(status.st_mode)
            before = (status.st_uid, status.st_gid, mode)
            after = (
                status.st_uid if owner is None else owner,
                status.st_gid if group is None else group,
                mode if limit is None else mode & limit,
            )
            if before == after:
                continue
            if places.isdisjoint(_parts(path)):
                skipped.append(Skipped(named, f"it leads to {path}, which others may use: give it a copy of its own"))
            else:
                changes.append(Change(path, before, after))
    return changes, skipped


def apply(changes: Sequence[Change]) -> None:
    """Make the changes; OSError when one fails. A file that became a link meanwhile is not followed."""
    for change in changes:
        uid, gid, mode = change.after
        handle = os.open(change.path, os.O_PATH | os.O_NOFOLLOW)
        try:
            place = f"/proc/self/fd/{handle}"
            if change.before[:2] != change.after[:2]:
                os.chown(place, uid, gid)
            # after a change of owner the kernel may have taken setuid bits away, and never more than that
            os.chmod(place, mode)
        finally:
            os.close(handle)


def shown(changes: Sequence[Change]) -> tuple[str, str]:
    """Return the state of the changed files before and after, a line each."""
    return (
        "".join(f"{change.path} {_words(change.before)}\n" for change in changes),
        "".join(f"{change.path} {_words(change.after)}\n" for change in changes),
    )


def _words(state: tuple[int, int, int]) -> str:
    uid, gid, mode = state
    return f"{_name(pwd.getpwuid, uid)}:{_name(grp.getgrgid, gid)} {mode:04o}"


def _name(lookup: Any, number: int) -> str:
    try:
        return str(lookup(number)[0])
    except KeyError:
        return str(number)


def _mode(entry: Mapping[str, Any]) -> int | None:
    text = entry.get("mode")
    if text is None:
        return None
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o7777:
        raise InputError(f"{text!r} is no mode for {entry['path']}: write octal digits in quotes, such as '0640'.")
    return mode


def _number(entry: Mapping[str, Any], kind: str) -> int | None:
    name = entry.get(kind)
    if name is None:
        return None
    try:
        return pwd.getpwnam(name).pw_uid if kind == "owner" else grp.getgrnam(name).gr_gid
    except KeyError:
        raise InputError(f"There is no {kind} {name} for {entry['path']} on this host: correct the name.") from None


def _trusted_way(path: str) -> bool:
    """Tell whether every symbolic link on the way belongs to root, so that it can't lead us to a file of others."""
    return all(os.lstat(part).st_uid == 0 for part in _parts(path) if os.path.islink(part))


def _place(path: str) -> str:
    """Return where a file is, which may be a symbolic link, by a way without such."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def _parts(path: str) -> Iterator[str]:
    while path != "/":
        yield path
        path = os.path.dirname(path)


def _is_ours_to_change(status: os.stat_result) -> bool:
    """Tell files, directories and sockets from devices: a masked unit is a link to one."""
    return stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISSOCK(status.st_mode)
