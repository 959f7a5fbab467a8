# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import threading

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.ahead import Ahead
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError


def test_reader_works_before_it_is_asked_and_once() -> None:
    called: list[int] = []
    reached = threading.Event()

    def read() -> int:
        called.append(len(called))
        reached.set()
        return 7

    ahead = Ahead(read)
    assert reached.wait(timeout=60)
    assert (ahead(), ahead(), called) == (7, 7, [0])


def test_failure_is_raised_where_the_value_is_asked_for() -> None:
    def read() -> int:
        raise EngineError("stopped", "Nobody listens.")

    ahead = Ahead(read)
    for _time in range(2):
        with pytest.raises(EngineError, match="Nobody listens"):
            ahead()


def test_nobody_waits_longer_than_the_limit() -> None:
    ended = threading.Event()
    ahead = Ahead(lambda: ended.wait(timeout=60))
    with pytest.raises(TimeoutError):
        ahead(0.01)
    ended.set()
    assert ahead(60)
