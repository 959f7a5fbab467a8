# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Ends what would wait for ever, so that a test fails instead of keeping all others waiting.

from __future__ import annotations

import signal
from contextlib import contextmanager
from types import FrameType
from typing import Iterator


@contextmanager
def in_time(seconds: float = 5) -> Iterator[None]:
    """Raise AssertionError within what takes longer; for the main thread."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"this was not done within {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
