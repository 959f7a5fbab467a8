# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Several fields of an object can come from one reading: it is done when the first field asks, and not repeated.

from __future__ import annotations

from typing import Callable, Generic, TypeVar

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError

Value = TypeVar("Value")


class Lazy(Generic[Value]):
    """Holds what a reader returns or why it failed.

    An answer of the engine that is no use (gone meanwhile, not JSON) counts as unreadable; an engine that stopped
    answering concerns more than this object, so that error passes.
    """

    def __init__(self, reader: Callable[[], Value]) -> None:
        self._reader = reader
        self._values: list[Value] = []
        self._failure: Exception | None = None

    def __call__(self) -> Value:
        """Return the value; UnreadableError or OSError when the reader failed, every time."""
        if not self._values and self._failure is None:
            try:
                self._values.append(self._reader())
            except EngineError as error:
                if error.status != "invalid":
                    raise
                self._failure = UnreadableError(str(error).rstrip("."))
            except (UnreadableError, OSError) as error:
                self._failure = error
        if self._failure is not None:
            raise self._failure
        return self._values[0]
