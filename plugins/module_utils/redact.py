# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Decides on the target whether a text holds a secret, so that only the answer has to leave it.

from __future__ import annotations

import re
from typing import Any, Sequence

HIDDEN = "(hidden)"
_NAME = re.compile(
    r"pass(?:wd|word|phrase|code)|(?:^|_|db|sql)pass(?:_|$)|secret|token|api_?key|private_?key|access_?key|signing_?key|encryption_?key"
    r"|credential|_(?:pw|pwd)$|^pw$|^pwd_|_auth$|^auth$|connection_?string|_dsn$|^dsn$",
    re.IGNORECASE,
)
#: Names like the above that hold where the secret is, or how it is used, but not the secret.
_HARMLESS_NAME = re.compile(r"(?:_file|_path|_dir|_ttl|_expiry|_lifetime|_length|_policy)$", re.IGNORECASE)
_HARMLESS_VALUE = re.compile(r"(?:|true|false|yes|no|none|null|on|off|0|1)\Z", re.IGNORECASE)
#: Each alternative begins where a word does: else the time would grow with the square of a hostile text's length.
_KNOWN_FORMS = (
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[0-9A-Za-z]{20,}|\bgithub_pat_[0-9A-Za-z_]{20,}|\bglpat-[0-9A-Za-z_-]{16,}"
    r"|\bxox[abprs]-[0-9A-Za-z-]{10,}|\b[sr]k_live_[0-9A-Za-z]{10,}|\bnpm_[0-9A-Za-z]{30,}|\bAIza[0-9A-Za-z_-]{30,}"
    r"|\bSWMTKN-1-|\bSWMKEY-1-|\bdckr_pat_[0-9A-Za-z_-]{16,}|\bhvs\.[0-9A-Za-z_-]{20,}"
    r"|(?<![0-9A-Za-z_-])eyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\."
)
_SHAPE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|" + _KNOWN_FORMS + r"|(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@"
)
#: A file with a key has its lines; a program that merely writes or looks for keys has the words alone.
_KEY_FILE = re.compile(r"(?:^|\n)-----BEGIN [A-Z ]*PRIVATE KEY-----\r?\n[0-9A-Za-z+/=]{40}|" + _KNOWN_FORMS)
_URL_CREDENTIALS = re.compile(r"(?<=://)[^\s/]+@")
_ASSIGNMENT = re.compile(r"(?<![A-Za-z0-9_])([A-Za-z_][A-Za-z0-9_]*)=(\"[^\"]*\"|'[^']*'|[^\s;&|]*)")


def looks_secret(name: str, value: str) -> bool:
    """Tell whether the variable is a secret: by its value's shape, or by its name when the value can be one.

    A name ending in `_FILE` says where a secret is, as the official images do it, and a reference like `$TOKEN` is not
    the secret either.
    """
    if _SHAPE.search(value):
        return True
    if _HARMLESS_VALUE.match(value) or value.startswith("$"):
        return False
    return bool(_NAME.search(name)) and not _HARMLESS_NAME.search(name)


def holds_secret(text: str) -> bool:
    """Tell whether free text (a command, a line of an image's history) has a secret in it."""
    if _SHAPE.search(text):
        return True
    return any(looks_secret(name, value.strip("\"'")) for name, value in _ASSIGNMENT.findall(text))


def holds_key(text: str) -> bool:
    """Tell whether a file's text holds a private key that is not encrypted, or a token of a known form."""
    return bool(_KEY_FILE.search(text))


def has_credentials(url: str) -> bool:
    """Tell whether a URL names a user or a password."""
    authority = url.partition("://")[2] or url
    return "@" in authority.partition("/")[0]


def without_credentials(url: str) -> str:
    """Return the URL with its user and password hidden."""
    scheme, separator, rest = url.rpartition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    return f"{scheme}{separator}{HIDDEN + at if user else at}{host}{slash}{path}"


def text_without_credentials(text: str) -> str:
    """Return free text with the user and password of each URL hidden."""
    return _URL_CREDENTIALS.sub(f"{HIDDEN}@", text)


def environment_names(entries: Sequence[str]) -> list[dict[str, Any]]:
    """Return name and `looks_secret` of each `NAME=value` entry; the value stays here."""
    found: list[dict[str, Any]] = []
    for entry in entries:
        name, _separator, value = entry.partition("=")
        shown = HIDDEN if _SHAPE.search(name) else name
        found.append({"name": shown, "looks_secret": shown is HIDDEN or looks_secret(name, value)})
    return found
