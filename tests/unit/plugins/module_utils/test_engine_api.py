# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import (
    EngineApi,
    MissingDocumentError,
    socket_path_of,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError, InputError
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd, Hang

BIG = {"text": "x" * 300_000}


@pytest.mark.parametrize("chunked", [False, True])
def test_documents_come_over_one_connection(tmp_path: Path, chunked: bool) -> None:
    with FakeDockerd(tmp_path / "s", {"/a": [1], "/b": BIG}, chunked) as engine, EngineApi(engine.path) as api:
        assert [api.get("/a"), api.get("/b"), api.get("/a")] == [[1], BIG, [1]]
        with pytest.raises(MissingDocumentError):
            api.get("/c")
        assert api.get("/a") == [1]
        assert engine.connections == 1


def test_documents_can_be_asked_for_ahead(tmp_path: Path) -> None:
    documents = {f"/{number}": {"number": number, **BIG} for number in range(120)}
    with FakeDockerd(tmp_path / "s", documents) as engine, EngineApi(engine.path) as api:
        found = list(api.get_each([f"/{number}" for number in (*range(60), 500, *range(60, 120))]))
        assert [doc["number"] for doc in found] == list(range(120))
        assert list(api.get_each([])) == []
        assert engine.connections == 1


@pytest.mark.parametrize(("reply", "status"), [(b"HTTP/1.1 2", "invalid"), (Hang, "unreadable")])
def test_documents_ahead_of_a_broken_one_are_kept(tmp_path: Path, reply: object, status: str) -> None:
    with FakeDockerd(tmp_path / "s", {"/0": 0, "/1": reply, "/2": 2}) as engine, EngineApi(engine.path, 3) as api:
        documents = api.get_each(["/0", "/1", "/2"])
        assert next(documents) == 0
        with pytest.raises(EngineError) as caught:
            next(documents)
    assert caught.value.status == status


def test_answer_may_end_with_the_connection(tmp_path: Path) -> None:
    reply = b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\n[2]"
    with FakeDockerd(tmp_path / "s", {"/a": reply, "/b": 3}) as engine, EngineApi(engine.path) as api:
        assert api.get("/a") == [2]
        assert api.get("/b") == 3


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "invalid"),
        (b"", "invalid"),
        (b"\x00\xff" * 50_000, "invalid"),
        (b"HTTP/1.1 abc\r\n\r\n", "invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", "invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\n{}", "invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n{}", "invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{]]]", "invalid"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"[" * 200_000, "invalid"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "invalid"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", "invalid"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, "invalid"),
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}", "invalid"),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}", "unreadable"),
    ],
)
def test_nonsense_is_an_engine_error(tmp_path: Path, reply: bytes, status: str) -> None:
    with FakeDockerd(tmp_path / "s", {"/info": reply}) as engine, EngineApi(engine.path, 5) as api:
        with pytest.raises(EngineError) as caught:
            api.get("/info")
        assert caught.value.status == status


@pytest.mark.parametrize("chunked", [False, True])
def test_documents_are_bounded(tmp_path: Path, chunked: bool) -> None:
    with FakeDockerd(tmp_path / "s", {"/a": BIG}, chunked) as engine, EngineApi(engine.path, max_document=1000) as api:
        with pytest.raises(EngineError) as caught:
            api.get("/a")
        assert caught.value.status == "invalid"


def test_endless_answer_is_bounded(tmp_path: Path) -> None:
    reply = b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 70_000
    with FakeDockerd(tmp_path / "s", {"/a": reply}) as engine, pytest.raises(EngineError, match="more than 1000 bytes"):
        EngineApi(engine.path, max_document=1000).get("/a")


def test_hanging_engine_meets_the_timeout(tmp_path: Path) -> None:
    with FakeDockerd(tmp_path / "s", {"/info": Hang, "/a": 1}) as engine, EngineApi(engine.path, 1) as api:
        started = time.monotonic()
        with pytest.raises(EngineError, match=r"within 1 seconds") as caught:
            api.get("/info")
        assert caught.value.status == "unreadable"
        assert time.monotonic() - started < 10
        assert api.get("/a") == 1


class Slow(dict[str, object]):
    """Documents that take a tenth of a second each."""

    def get(self, key: str, default: object = None) -> object:
        time.sleep(0.1)
        return super().get(key, default)


def test_slow_engine_meets_a_limit_for_all_documents(tmp_path: Path) -> None:
    documents = Slow({f"/{number}": number for number in range(60)})
    with FakeDockerd(tmp_path / "s", documents) as engine, EngineApi(engine.path, 0.3) as api:
        started = time.monotonic()
        with pytest.raises(EngineError, match="all documents within 3") as caught:
            list(api.get_each(list(documents)))
    assert caught.value.status == "unreadable"
    assert 2.5 < time.monotonic() - started < 5


def test_no_socket_is_absent(tmp_path: Path) -> None:
    with pytest.raises(EngineError) as caught:
        EngineApi(str(tmp_path / "none")).get("/version")
    assert caught.value.status == "absent"


def test_socket_without_listener_is_stopped(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as unheard:
        unheard.bind(path)
    with pytest.raises(EngineError) as caught:
        EngineApi(path).get("/version")
    assert caught.value.status == "stopped"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_forbidden_socket_is_unreadable(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    with FakeDockerd(tmp_path / "s", {}) as engine:
        os.seteuid(65534)
        try:
            with pytest.raises(EngineError) as caught:
                EngineApi(engine.path).get("/version")
        finally:
            os.seteuid(0)
    assert caught.value.status == "unreadable"


def test_only_local_sockets_are_addresses() -> None:
    assert socket_path_of("unix:///run/user/1000/docker.sock") == "/run/user/1000/docker.sock"
    for address in ("tcp://host:2376", "/var/run/docker.sock", "unix://relative", ""):
        with pytest.raises(InputError, match=r"unix:///var/run/docker\.sock"):
            socket_path_of(address)
