# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A registry's users as lines of an htpasswd file. The hashes are made by libcrypt, which every Debian has, so that
# no password is in a list of processes. Sources: crypt(3), crypt_gensalt(3), crypt(5).

from __future__ import annotations

import ctypes
import hmac
import re
from typing import Mapping, Protocol, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError

#: Each request with a password costs one hash: some 50 ms of one core.
_COST = 10
_BCRYPT = re.compile(r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}")
#: bcrypt takes no notice of more.
_LONGEST = 72
_NAME = re.compile(r"[^\s:]+")


class Hasher(Protocol):
    """Makes and checks hashes of passwords."""

    def make(self, password: str) -> str:
        """Return a new bcrypt hash."""

    def fits(self, password: str, hashed: str) -> bool:
        """Tell whether the hash is one of the password."""


class LibcryptHasher:
    """The host's libcrypt; BreakwaterError where there is none."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL("libcrypt.so.1")
        except OSError:
            raise BreakwaterError("This host has no libcrypt.so.1: install libcrypt1. Nothing was changed.") from None
        for function in (self._library.crypt, self._library.crypt_gensalt):
            function.restype = ctypes.c_char_p

    def make(self, password: str) -> str:
        """Return a new bcrypt hash."""
        salt = self._library.crypt_gensalt(b"$2b$", ctypes.c_ulong(_COST), None, 0)
        return self._crypt(password, salt or b"")

    def fits(self, password: str, hashed: str) -> bool:
        """Tell whether the hash is one of the password."""
        return hmac.compare_digest(self._crypt(password, hashed.encode()), hashed)

    def _crypt(self, password: str, setting: bytes) -> str:
        made = (self._library.crypt(password.encode(), setting) or b"").decode("ascii", "replace")
        if not _BCRYPT.fullmatch(made):
            raise BreakwaterError("libcrypt makes no bcrypt hashes here: give hashes of the passwords instead.")
        return made


def check_users(users: Sequence[Mapping[str, str | None]]) -> None:
    """Raise InputError for users that an htpasswd file can't hold."""
    names = [str(user["name"]) for user in users]
    for user in users:
        name, password, hashed = str(user["name"]), user.get("password") or "", user.get("hash") or ""
        if not _NAME.fullmatch(name):
            raise InputError(f"{name!r} can't be a user's name: leave out colons and blanks. Nothing was changed.")
        if names.count(name) > 1:
            raise InputError(f"The user {name} is listed twice: remove one. Nothing was changed.")
        if bool(password) == bool(hashed):
            raise InputError(f"The user {name} needs either a password or a hash of it. Nothing was changed.")
        if hashed and not _BCRYPT.fullmatch(hashed):
            raise InputError(
                f"The hash of {name} is not one of bcrypt: make it by `htpasswd -nB`. Nothing was changed."
            )
        if len(password.encode()) > _LONGEST or "\0" in password:
            raise InputError(f"The password of {name} has more than {_LONGEST} bytes or a zero: shorten it.")


def htpasswd(users: Sequence[Mapping[str, str | None]], present: str, hasher: Hasher) -> str:
    """Return the file's text; a hash in the `present` text is kept as long as it fits."""
    hashes = dict(
        line.partition(":")[::2] for line in present.splitlines() if _BCRYPT.fullmatch(line.partition(":")[2])
    )
    lines = []
    for user in users:
        name, hashed = str(user["name"]), user.get("hash")
        if not hashed:
            password, kept = str(user["password"]), hashes.get(name)
            hashed = kept if kept and hasher.fits(password, kept) else hasher.make(password)
        lines.append(f"{name}:{hashed}\n")
    return "".join(lines)
