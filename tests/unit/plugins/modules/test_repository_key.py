# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a hostile server can do with docker_engine_repository, which asks it for a key.

from __future__ import annotations

import threading
import time
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.modules.docker_engine_repository import fetch
from ansible_collections.breakwater.docker.tests.unit.fakes.hostile_server import serve


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = serve(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("attack", "told"),
    [
        ("huge", "gives more than 100000 bytes"),
        ("drip", "takes longer than 1 seconds"),
        ("file", "can't be fetched"),
        ("garbage", "can't be fetched"),
        ("words", "can't be fetched"),
    ],
)
def test_hostile_answers_are_refused_within_their_time(address: str, attack: str, told: str) -> None:
    started = time.monotonic()
    with pytest.raises(BreakwaterError, match=told):
        fetch(f"{address}/{attack}", largest=100_000, seconds=1)
    assert time.monotonic() - started < 10
