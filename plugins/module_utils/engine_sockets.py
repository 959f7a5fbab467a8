# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Who may open the sockets of the engine: dockerd's by the socket unit, now and at its next start, and containerd's.
# Sources: systemd.socket(5), unix(7); CIS 3.15, 3.16, 3.23, 3.24.

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

DOCKER = "/run/docker.sock"
CONTAINERD = "/run/containerd/containerd.sock"
#: Comes with the engine's package.
_PACKAGED_GROUP = "docker"
DROP_IN = "/etc/systemd/system/docker.socket.d/breakwater.conf"


class Rights(NamedTuple):
    """Owner, group and mode (an integer) of a socket."""

    user: str
    group: str
    mode: int

    def __str__(self) -> str:
        return f"{self.user}:{self.group} {self.mode:04o}"


#: containerd's socket is as good as root, and nobody but root and dockerd needs it.
CONTAINERD_RIGHTS = Rights("root", "root", 0o660)


def parse(user: str, group: str, mode: str) -> Rights:
    """Return the rights; InputError where the mode is no octal number or opens the socket to everybody."""
    number = int(mode, 8) if re.fullmatch("[0-7]{1,4}", mode) else 0o7777
    if number & ~0o770:
        raise InputError(
            f'{mode} is no mode for {DOCKER}: it takes an octal mode in quotes, of which "0770" is the widest.'
            " Nothing was changed."
        )
    return Rights(user, group, number)


def drop_in(rights: Rights) -> str:
    """Return the drop-in by which systemd makes dockerd's socket with these rights."""
    return (
        "# Managed by breakwater.docker\n[Socket]\n"
        f"SocketUser={rights.user}\nSocketGroup={rights.group}\nSocketMode={rights.mode:04o}\n"
    )


def current(path: str) -> Rights | None:
    """Return the rights of the socket at `path`, None where there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return Rights(_user(found.st_uid), _group(found.st_gid), stat.S_IMODE(found.st_mode))


def check(rights: Rights) -> None:
    """Raise InputError when there is no such user or group; the group docker may be yet to come, with the engine."""
    try:
        pwd.getpwnam(rights.user)
        if rights.group != _PACKAGED_GROUP:
            grp.getgrnam(rights.group)
    except KeyError as error:
        raise InputError(f"{_refusal(DOCKER, rights, error)} Nothing was changed.") from None


def apply(path: str, rights: Rights) -> None:
    """Give the socket at `path` these rights; InputError when there is no such user or group."""
    try:
        uid, gid = pwd.getpwnam(rights.user).pw_uid, grp.getgrnam(rights.group).gr_gid
    except KeyError as error:
        raise InputError(_refusal(path, rights, error)) from None
    os.chmod(path, rights.mode & 0o700)  # the group is let in when it is the right one
    os.chown(path, uid, gid)
    os.chmod(path, rights.mode)


def _refusal(path: str, rights: Rights, error: KeyError) -> str:
    return f"{path} can't belong to {rights.user}:{rights.group}: {error.args[0]}. Create it first."


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
