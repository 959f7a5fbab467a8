# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The fingerprints of the keys in an OpenPGP file, for hosts that have no gpg yet. Source: RFC 4880, 4.2, 6.2 and 12.2.

from __future__ import annotations

import base64
import hashlib
import re
from typing import Iterator

_ARMOR = re.compile(
    r"-----BEGIN PGP PUBLIC KEY BLOCK-----\r?\n(?:[A-Z]\w+: .*\r?\n)*\r?\n"
    r"([A-Za-z0-9+/=\s]+?)(?:\n=\S{4}\s*)?-----END PGP PUBLIC KEY BLOCK-----"
)
#: What the standard makes fingerprints by.
_HASH = "sha1"
_PUBLIC_KEY = 6


def fingerprints(text: str) -> list[str]:
    """Return the fingerprints (capital hexadecimal) of the primary keys in an armored file.

    What a signature does not bind to one of them is ignored by those who use the file, so nothing else needs a look.
    ValueError when the file is no armored key, or has one of another version than 4.
    """
    block = _ARMOR.fullmatch(text.strip())
    if not block:
        raise ValueError("it is not one armored OpenPGP key and nothing else")
    found = []
    for tag, body in _packets(base64.b64decode("".join(block.group(1).split()), validate=True)):
        if tag == _PUBLIC_KEY:
            if body[:1] != b"\x04":
                raise ValueError("it has a key of another version than 4")
            found.append(hashlib.new(_HASH, b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper())
    return found


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield tag and body of each packet; ValueError where one is cut off or has no definite length."""
    while data:
        first = data[0]
        if not first & 0x80:
            raise ValueError("it is damaged")
        if first & 0x40:
            tag, (size, width) = first & 0x3F, _new_length(data[1:7])
        else:
            tag, width = (first >> 2) & 0x0F, 1 << (first & 0x03)
            size = int.from_bytes(data[1 : 1 + width], "big")
        end = 1 + width + size
        if width == 8 or end > len(data):
            raise ValueError("it is damaged")
        yield tag, data[1 + width : end]
        data = data[end:]


def _new_length(data: bytes) -> tuple[int, int]:
    """Return a length in the new format and how many bytes it takes."""
    if not data or 224 <= data[0] < 255:
        raise ValueError("it is damaged")
    if data[0] < 192:
        return data[0], 1
    if data[0] < 224:
        return ((data[0] - 192) << 8) + int.from_bytes(data[1:2], "big") + 192, 2
    return int.from_bytes(data[1:5], "big"), 5
