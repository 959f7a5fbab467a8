# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Lets something else get on with its work, such as an engine that is asked, while this process has work of its own.

from __future__ import annotations

import threading
from typing import Callable, Generic, TypeVar

Value = TypeVar("Value")


class Ahead(Generic[Value]):
    """Calls a reader at once, in a thread, and holds what it returns or raises for whoever asks.

    `concurrent.futures` does the same, but importing it takes as long as a dozen questions to an engine.
    """

    def __init__(self, reader: Callable[[], Value]) -> None:
        self._reader = reader
        self._values: list[Value] = []
        self._failure: Exception | None = None
        # A reader that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._values.append(self._reader())
        except Exception as error:  # raised where the value is asked for
            self._failure = error

    def __call__(self, limit: float | None = None) -> Value:
        """Return the value as soon as it is there; what the reader raised, where it failed.

        TimeoutError where the reader is not done within `limit` seconds.
        """
        self._thread.join(limit)
        if self._thread.is_alive():
            raise TimeoutError
        if self._failure is not None:
            raise self._failure
        return self._values[0]
