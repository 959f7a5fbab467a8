# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The local accounts. Sources: passwd(5), group(5). Names from a directory service are not looked up for files.

from __future__ import annotations

import re
from typing import Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

_NUMBER = re.compile("[0-9]{1,10}")
#: getent's exit status for a key that no database knows.
_UNKNOWN_KEY = 2


class Accounts(NamedTuple):
    """Names of users and groups by number, and the primary group of each user by name."""

    users: Mapping[int, str]
    groups: Mapping[int, str]
    primary_groups: Mapping[str, int]

    def user(self, uid: int) -> str:
        """Return the user's name, or the number as text where it has none."""
        return self.users.get(uid, str(uid))

    def group(self, gid: int) -> str:
        """Return the group's name, or the number as text where it has none."""
        return self.groups.get(gid, str(gid))


def names_root(user: str) -> bool:
    """Tell whether USER of an image, or `--user` of a command, is root by its name or number; none given means it, too.

    The engine takes `00` and `+0` for a number.
    """
    name = user.partition(":")[0]
    return name == "root" or name.lstrip("+-").strip("0") == ""


def read_accounts(files: FileSystem) -> Accounts:
    """Read /etc/passwd and /etc/group; a file that can't be read counts as empty, so numbers stay numbers."""
    users: dict[int, str] = {}
    primary_groups: dict[str, int] = {}
    for entry in _entries(files, "/etc/passwd", 4):
        if _NUMBER.fullmatch(entry[2]) and _NUMBER.fullmatch(entry[3]):
            users.setdefault(int(entry[2]), entry[0])
            primary_groups[entry[0]] = int(entry[3])
    groups: dict[int, str] = {}
    for entry in _entries(files, "/etc/group", 3):
        if _NUMBER.fullmatch(entry[2]):
            groups.setdefault(int(entry[2]), entry[0])
    return Accounts(users, groups, primary_groups)


def _entries(files: FileSystem, path: str, fields: int) -> list[list[str]]:
    try:
        lines = files.read_text(path).splitlines()
    except OSError:
        return []
    entries = [line.split(":") for line in lines]
    return [entry for entry in entries if len(entry) >= fields]


def group_members(commands: CommandRunner, accounts: Accounts, name: str) -> list[str] | None:
    """Return who is in the group, by primary group as well, sorted; None where there is no such group.

    root, who needs no group, is left out, and so are the system's accounts whose primary group is root's.
    getent asks the directory services too. UnreadableError when it can't be run.
    """
    result = commands.run(("getent", "group", name))
    if result.rc == _UNKNOWN_KEY:
        return None
    entry: tuple[str, ...] = tuple(result.stdout.strip().split(":"))
    if result.rc != 0 or len(entry) != 4 or not _NUMBER.fullmatch(entry[2]):
        raise UnreadableError(f"getent group {name} failed: {result.stderr.strip() or 'its answer is not an entry'}")
    listed = {member for member in entry[3].split(",") if member}
    primary = {user for user, gid in accounts.primary_groups.items() if gid == int(entry[2]) != 0}
    return sorted((listed | primary) - {"root"})
