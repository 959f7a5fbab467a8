# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Ways to damage a JSON document at one place.

from __future__ import annotations

from typing import Any, Iterator, Sequence

Path = tuple[Any, ...]

#: Stands for "not there".
REMOVED = object()
HOSTILE = '<script>alert(1)</script>"\'\n\r\t\\{{ lookup("pipe", "id") }}${HOME}`id` \u202e\x00\x1b[31m'


def _nested(depth: int) -> Any:
    value: Any = []
    for _level in range(depth):
        value = [value]
    return value


GARBAGE: tuple[Any, ...] = (
    *(REMOVED, None, True, False, 0, -1, 1 << 63, 10**30, 1e308, float("nan"), "", HOSTILE, "9" * 5000, "\ud800", "²"),
    *([], {}, [None], [[]], ["", 0], [{}], {"": None}, {HOSTILE: [HOSTILE]}, "x" * 100_000, _nested(200)),
)
#: Values of the right type that mean something: by them it shows which controls a place decides.
MEANINGFUL: tuple[Any, ...] = (
    *("host", "unconfined", "NONE", "bridge", "always", "0", "root", "ALL", "SYS_ADMIN", "volume", "bind", "shared"),
    *("/var/run/docker.sock", "/etc", "no-new-privileges=false", "seccomp=unconfined", "label=disable", "false"),
    *("apparmor=unconfined", "A_PASSWORD=hunter2hunter2", "name=rootless", "inactive", "active", "aufs", "10.0.0.0/8"),
    *("nat-unprotected", "none", "worker", "19.3.0", 1, 4, 1024, 10**18),
)


def places(document: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of everything in the document, itself excepted."""
    children = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in children:
        yield (*path, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*path, key))


def at(document: Any, path: Path) -> Any:
    """Return what is at the path."""
    for key in path:
        document = document[key]
    return document


def damaged(document: Any, path: Path, value: Any) -> Any:
    """Return the document with another value at the path, or without it; what is not on the way is shared."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    copy = dict(document) if isinstance(document, dict) else list(document)
    if not rest and value is REMOVED:
        del copy[key]
    else:
        copy[key] = damaged(document[key], rest, value)
    return copy


def kind(value: Any) -> str:
    """Return the JSON type of a value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "string", list: "list", dict: "object"}[type(value)]


def is_garbage(document: Any, path: Path, value: Any, free: Sequence[str]) -> bool:
    """Tell whether no engine would say so: another type, or a member left out that always is there.

    An engine writes null for an empty list or object, and the members of a list, or of an object whose keys are names
    (`free`: what such objects are called), may be there or not.
    """
    old = at(document, path)
    if value is REMOVED:
        container = at(document, path[:-1])
        return isinstance(container, dict) and not (len(path) > 1 and path[-2] in free)
    if old is None or (value is None and kind(old) in {"list", "object"}):
        return False
    return kind(value) != kind(old)
