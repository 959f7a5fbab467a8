# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A Docker Engine made of recorded documents: serves them on a unix socket, and misbehaves on request.

from __future__ import annotations

import contextlib
import json
import socket
import threading
from pathlib import Path
from typing import Any, BinaryIO, Iterator, Mapping

ENGINES = Path(__file__).parents[1] / "fixtures" / "engines"


def recorded(name: str) -> dict[str, Any]:
    """Return the documents of a recorded engine by path, for example of `26.1-rootful`."""
    return json.loads((ENGINES / f"{name}.json").read_text(encoding="utf-8"))


class Hang:
    """A document that never comes."""


def _headers(stream: BinaryIO) -> Iterator[tuple[str, str]]:
    while True:
        line = stream.readline()
        if line in (b"\r\n", b""):
            return
        name, _colon, value = line.decode("latin-1").partition(":")
        yield name, value.strip()


class FakeDockerd:
    """Serves `documents` by path; bytes among them are sent as they are, then the connection is closed.

    `requests` are the paths that were asked for, `headers` those of the last request.
    """

    def __init__(self, path: Path, documents: Mapping[str, Any], chunked: bool = False) -> None:
        self.path = str(path)
        self.documents = documents
        self.chunked = chunked
        self.requests: list[str] = []
        self.headers: dict[str, str] = {}
        self.connections = 0
        self._stopping = threading.Event()

    def __enter__(self) -> FakeDockerd:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.path)
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _address = self._server.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            while True:
                request = stream.readline().decode().split()
                if len(request) != 3:
                    return
                self.headers = dict(_headers(stream))
                self.requests.append(request[1])
                if not self._answer(connection, request[1]):
                    return

    def _answer(self, connection: socket.socket, path: str) -> bool:
        document = self.documents.get(path, KeyError)
        if document is Hang:
            self._stopping.wait(30)
            return False
        if isinstance(document, bytes):
            connection.sendall(document)
            return False
        missing = document is KeyError
        body = json.dumps({"message": "no such object"} if missing else document).encode()
        head = f"HTTP/1.1 {'404 Not Found' if missing else '200 OK'}\r\nContent-Type: application/json\r\n"
        if self.chunked:
            pieces = [body[start : start + 1000] for start in range(0, len(body), 1000)] + [b""]
            chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
            connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks)
        else:
            connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        return True
