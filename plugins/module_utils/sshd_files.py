# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What sshd's files say, Match blocks included, of which sshd itself tells only the one that fits a given connection.
# Source: sshd_config(5).

from __future__ import annotations

import fnmatch
import os
import re
from typing import AbstractSet, Iterator, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.host_files import names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

MAIN = "/etc/ssh/sshd_config"
#: Which setting opens a method of authentication that is no key.
METHODS = {"password": "PasswordAuthentication", "keyboard-interactive": "KbdInteractiveAuthentication"}
_FORMER_NAMES = {"challengeresponseauthentication": "kbdinteractiveauthentication"}
#: How deep sshd follows Include.
_DEPTH = 16
_STATEMENT = re.compile(r"\s*([A-Za-z0-9]+)[\s=]+([^\s#][^#]*)")


class Statement(NamedTuple):
    """A line of a file, and the Match block that it is in; empty outside of them."""

    path: str
    block: str
    keyword: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path} says {self.keyword} {' '.join(self.values)}"


def statements(
    files: FileSystem, without: str, path: str = MAIN, block: str = "", depth: int = 0
) -> Iterator[Statement]:
    """Yield in sshd's order what the file at `path` and those that it includes say, but for the file `without`."""
    for number, line in enumerate(text_of(files, path).splitlines()):
        found = _STATEMENT.match(line)
        if not found:
            continue
        keyword, values = found[1], tuple(found[2].replace('"', "").split())
        if keyword.lower() == "match":
            block = f"{path}:{number}"
        elif keyword.lower() != "include":
            yield Statement(path, block, keyword, values)
        elif depth < _DEPTH:
            included = [name for pattern in values for name in _fitting(files, pattern)]
            for name in included:
                yield from statements(files, without, name, block, depth + 1) if name != without else ()


def value(said: Sequence[Statement], name: str, block: str = "") -> str:
    """Return a setting's value in a Match block or outside of them, where the first one counts; empty for none."""
    for item in said:
        keyword = item.keyword.lower()
        if item.block == block and _FORMER_NAMES.get(keyword, keyword) == name.lower():
            return " ".join(item.values).lower()
    return ""


def hopeless(said: Sequence[Statement], closed: AbstractSet[str]) -> list[Statement]:
    """Return each line by which nobody could log in without the methods that are `closed`.

    A line has alternative lists of methods, all of which must succeed. Its own Match block may open a method again.
    """
    return [
        item
        for item in said
        if item.keyword.lower() == "authenticationmethods"
        and needs(item.values, {method for method in closed if not (item.block and _opens(said, item.block, method))})
    ]


def needs(lists: Sequence[str], methods: AbstractSet[str]) -> bool:
    """Tell whether each of alternative lists has one of `methods`, which may have a device behind a colon."""
    return all(methods & {method.partition(":")[0] for method in one.split(",")} for one in lists)


def _opens(said: Sequence[Statement], block: str, method: str) -> bool:
    return value(said, METHODS[method], block) == "yes"


def _fitting(files: FileSystem, pattern: str) -> list[str]:
    """Return the paths that fit a shell pattern, in order."""
    found = [""]
    for part in os.path.join(os.path.dirname(MAIN), pattern).strip("/").split("/"):
        found = [
            f"{path}/{name}"
            for path in found
            for name in names_in(files, path or "/")
            if fnmatch.fnmatchcase(name, part)
        ]
    return found
