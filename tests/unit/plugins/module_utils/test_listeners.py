# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import (
    Answer,
    listening,
    listening_paths,
    probe,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import write
from ansible_collections.breakwater.docker.tests.unit.fakes.server import make_certificate, serving, tls

PING = b"HTTP/1.0 200 OK\r\nApi-Version: 1.45\r\n\r\nOK"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def test_plain_http_is_open() -> None:
    with serving(PING) as port:
        assert probe("0.0.0.0", port) == Answer(tls=False, client_verified=False)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("verify", [False, True])
def test_tls_may_or_may_not_verify_clients(certificate: Path, verify: bool, newest: ssl.TLSVersion) -> None:
    context = tls(certificate, verify)
    context.maximum_version = newest
    with serving(PING, context) as port:
        assert probe("127.0.0.1", port) == Answer(tls=True, client_verified=verify)


def test_other_protocols_tell_nothing() -> None:
    with serving(b"SSH-2.0-OpenSSH_9.2\r\n") as port, pytest.raises(UnreadableError):
        probe("127.0.0.1", port)


def test_closed_port_is_unreadable() -> None:
    with serving(PING) as port:
        pass
    with pytest.raises(UnreadableError, match="does not answer"):
        probe("127.0.0.1", port)


def test_silent_port_meets_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(UnreadableError):
        probe("127.0.0.1", silent.getsockname()[1], timeout=0.2)


@pytest.mark.parametrize(("table", "ask"), [("tcp", listening), ("unix", listening_paths)])
def test_sockets_of_others_hide_none_by_their_number(
    tmp_path: Path, table: str, ask: Callable[[LocalFileSystem, int], Any]
) -> None:
    write(tmp_path, f"/proc/9/net/{table}", "head\n" + "a socket of somebody else\n" * 400_000)
    (tmp_path / "proc/9/fd").mkdir()
    with pytest.raises(OSError, match="too many sockets"):
        ask(LocalFileSystem(str(tmp_path)), 9)


def test_own_listeners_are_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as four, socket.create_server(
        ("::1", 0), family=socket.AF_INET6
    ) as six:
        found = listening(LocalFileSystem(), os.getpid())
        assert ("127.0.0.1", four.getsockname()[1]) in found
        assert ("::1", six.getsockname()[1]) in found
        with socket.create_connection(four.getsockname()) as client:
            assert client.getsockname() not in listening(LocalFileSystem(), os.getpid())
