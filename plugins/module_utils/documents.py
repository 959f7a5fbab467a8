# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Reads fields of documents that somebody else wrote. What is missing or of another type is unreadable, never a
# harmless default: a rule must not pass on garbage.

from __future__ import annotations

from typing import Any, Callable, Mapping, TypeVar

Source = TypeVar("Source")


class UnreadableError(Exception):
    """A field can't be read; the text says why."""


class Document:
    """A JSON object with typed access by path; null counts as the empty list or object, as the engine writes these."""

    def __init__(self, raw: Mapping[str, Any], name: str) -> None:
        """Wrap `raw`; `name` is what messages call it."""
        self.raw = raw
        self.name = name

    def value(self, *path: str) -> Any:
        """Return what is at `path`; UnreadableError when a part of it is missing."""
        current: Any = self.raw
        try:
            for key in path:
                current = current[key]
        except (KeyError, TypeError):  # not there, or in something that is not an object
            raise UnreadableError(f"{self.name} has no {'.'.join(path)}") from None
        return current

    def _typed(self, path: tuple[str, ...], kind: type, empty: Any) -> Any:
        value = self.value(*path)
        if value is None:
            value = empty
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise UnreadableError(f"{self.name}: {'.'.join(path)} is not a {kind.__name__}")
        return value

    def has(self, *path: str) -> bool:
        """Tell whether there is anything but null at `path`."""
        try:
            return self.value(*path) is not None
        except UnreadableError:
            return False

    def boolean(self, *path: str) -> bool:
        """Return a boolean."""
        return self._typed(path, bool, None)

    def integer(self, *path: str) -> int:
        """Return an integer."""
        return self._typed(path, int, None)

    def string(self, *path: str) -> str:
        """Return a string."""
        return self._typed(path, str, None)

    def strings(self, *path: str) -> list[str]:
        """Return a list of strings."""
        return self._list(path, str)

    def objects(self, *path: str) -> list[Document]:
        """Return a list of objects."""
        return [Document(item, self.name) for item in self._list(path, dict)]

    def mapping(self, *path: str) -> dict[str, Any]:
        """Return an object as it is."""
        return self._typed(path, dict, {})

    def _list(self, path: tuple[str, ...], kind: type) -> list[Any]:
        items = self._typed(path, list, [])
        if items and not all(isinstance(item, kind) for item in items):
            raise UnreadableError(f"{self.name}: {'.'.join(path)} holds something else than {kind.__name__}")
        return items


def gather(source: Source, readers: Mapping[str, Callable[[Source], Any]]) -> dict[str, Any]:
    """Return one evidence object: each field by its reader, null where that fails, the reason under `unreadable`."""
    fields: dict[str, Any] = {}
    unreadable: dict[str, str] = {}
    for name, read in readers.items():
        try:
            fields[name] = read(source)
        except (UnreadableError, OSError, ValueError, OverflowError, RecursionError) as error:  # noqa: PERF203 (a call for each costs more)
            fields[name] = None
            unreadable[name] = _reason(error, name)
    fields["unreadable"] = unreadable
    return fields


def _reason(error: Exception, name: str) -> str:
    if isinstance(error, UnreadableError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.filename or name}: {error.strerror or error}"
    # The error's own words are left out, since they hold what was read.
    return f"{name}: what is there is not understood"
