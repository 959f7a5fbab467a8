# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Reads the Docker Engine API over one keep-alive connection, as a rule to its unix socket. It can only GET.
# `http.client` is not used since importing it (email, ssl) takes longer than a hundred inspections.
# Sources: https://docs.docker.com/reference/api/engine/, RFC 9112 (HTTP/1.1 messages).

from __future__ import annotations

import errno
import json
import socket
import time
from typing import Any, Callable, Iterator, Mapping, Sequence, TypeVar

from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import refuse_to_start

Result = TypeVar("Result")

#: Bytes of a document; the inspection of a container with a thousand mounts has about one million.
MAX_DOCUMENT = 32 << 20
_MAX_HEAD = 64 << 10
_CHUNK = 64 << 10
#: Requests that are sent before the first of them is answered; they fit into the socket's buffer.
_AHEAD = 50
_NOT_FOUND = 404
#: How many times as long as one document all of them may take.
_TIMEOUTS = 10


class MissingDocumentError(EngineError):
    """The engine has no such object (any more)."""


def socket_path_of(docker_host: str) -> str:
    """Return the path in a `unix://` address; InputError for any other address."""
    scheme, separator, path = docker_host.partition("://")
    if scheme != "unix" or not separator or not path.startswith("/"):
        raise InputError(f"docker_host is {docker_host!r}; give a local socket, like unix:///var/run/docker.sock.")
    return path


class RefusalError(EngineError):
    """The engine, or the registry that it asked, refuses to answer this user."""


class EngineApi:
    """The Engine API (an EngineReader); a context manager that closes the connection."""

    def __init__(
        self,
        path: str,
        timeout: float = 10.0,
        max_document: int = MAX_DOCUMENT,
        connect: Callable[[float], socket.socket] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare to read from the socket at `path`, at most `timeout` seconds and `max_document` bytes a document.

        All documents together may take ten times as long.
        `connect` opens a connection within so many seconds to an engine elsewhere, of which `path` is the address.
        `headers` are sent with every request.
        """
        self._headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._path = path
        self._connect = connect or self._connect_locally
        self._timeout = timeout
        self._max_document = max_document
        self._connection: socket.socket | None = None
        self._buffer = b""
        self._deadline = 0.0
        self._budget = _TIMEOUTS * timeout

    def __enter__(self) -> EngineApi:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next `get` opens another one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._buffer = b""

    def get(self, path: str) -> Any:
        """Return the JSON document at `path`.

        EngineError: absent (no socket), stopped (nobody listens, or systemd would start it), unreadable (no permission,
        refused, too slow) or invalid (not an answer of an engine); MissingDocumentError when the engine has no such
        object.
        """
        self._guarded(path, self._request, [path])
        return self._decode(path, *self._guarded(path, self._read_answer))

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        """Yield the documents at `paths` in this order, without those that the engine does not have; errors as `get`.

        Requests are sent ahead of the answers (RFC 9112, 9.3.2), so that engine and reader work at the same time.
        """
        for start in range(0, len(paths), _AHEAD):
            batch = paths[start : start + _AHEAD]
            self._guarded(batch[0], self._request, batch)
            for path in batch:
                status, body = self._guarded(path, self._read_answer)
                if status != _NOT_FOUND:
                    yield self._decode(path, status, body)

    def _guarded(self, path: str, step: Callable[..., Result], *arguments: Any) -> Result:
        started = time.monotonic()
        self._deadline = started + min(self._timeout, self._budget)
        try:
            return step(*arguments)
        except EngineError:
            self.close()
            raise
        except socket.timeout:
            self.close()
            limit = f"{self._timeout:g} seconds, or all documents within {_TIMEOUTS * self._timeout:g}"
            reason = f"The engine at {self._path} did not answer {path} within {limit}."
            raise EngineError("unreadable", f"{reason} Look at dockerd's log, or raise timeout.") from None
        except OSError as error:
            self.close()
            raise self._connection_error(error, path) from None
        finally:
            self._budget -= time.monotonic() - started

    def _decode(self, path: str, status: int, body: bytes) -> Any:
        if status == _NOT_FOUND:
            raise MissingDocumentError("invalid", f"The engine at {self._path} has nothing at {path}.")
        if status in (401, 403):
            reason = f"The engine at {self._path} refuses to show {path} (HTTP {status})."
            raise RefusalError("unreadable", f"{reason} Allow it in the authorization plugin for this user.")
        if status != 200:
            reason = f"The engine at {self._path} answered {path} with HTTP {status}"
            raise EngineError("invalid", f"{reason}{_words(body)}.")
        try:
            return json.loads(body.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            raise self._invalid(f"{path} is not JSON") from None

    def _connection_error(self, error: OSError, path: str) -> EngineError:
        # An ssl.SSLError; its errno is of OpenSSL's own. `ssl` is not imported for it, which takes long.
        refusal = getattr(error, "reason", None)
        if refusal:
            return EngineError("unreadable", f"TLS with {self._path} fails ({refusal}): look at the certificates.")
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return EngineError("absent", f"There is no socket {self._path}: no Docker Engine runs here.")
        if error.errno == errno.ECONNREFUSED:
            return EngineError("stopped", f"Nobody listens on {self._path}: start the Docker Engine.")
        if error.errno in (errno.EACCES, errno.EPERM):
            return EngineError("unreadable", f"{self._path} may not be opened by this user: use become.")
        return EngineError("invalid", f"The connection to {self._path} broke at {path}: {error.strerror or error}.")

    def _invalid(self, what: str) -> EngineError:
        return EngineError("invalid", f"What answers at {self._path} is not a Docker Engine in order: {what}.")

    def _request(self, paths: Sequence[str]) -> None:
        if self._connection is None:
            self._connection = self._connect(self._timeout)
        head = f"Host: docker\r\nUser-Agent: breakwater\r\n{self._headers}\r\n"
        requests = (f"GET {path} HTTP/1.1\r\n{head}" for path in paths)
        self._connection.sendall("".join(requests).encode())

    def _connect_locally(self, timeout: float) -> socket.socket:
        refuse_to_start(self._path)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        connection.connect(self._path)
        return connection

    def _read_answer(self) -> tuple[int, bytes]:
        status, headers = self._read_head()
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = self._read_chunks()
        elif "content-length" in headers:
            body = self._read_exactly(self._length(headers["content-length"], 10))
        else:
            body = self._read_to_end()
        if self._connection is not None and headers.get("connection", "").lower() == "close":
            self.close()
        return status, body

    def _read_head(self) -> tuple[int, dict[str, str]]:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise self._invalid("an HTTP head does not end")
            self._receive()
        head, _separator, self._buffer = self._buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        version, _space, rest = lines[0].partition(" ")
        if not version.startswith("HTTP/1.") or not rest[:3].isdecimal():
            raise self._invalid("it does not speak HTTP")
        pairs = (line.partition(":") for line in lines[1:])
        return int(rest[:3]), {name.strip().lower(): value.strip() for name, _separator, value in pairs}

    def _read_chunks(self) -> bytes:
        parts: list[bytes] = []
        total = 0
        while True:
            size = self._length(self._read_line().split(b";")[0].decode("latin-1"), 16)
            total += size
            if total > self._max_document:
                raise self._invalid(f"a document has more than {self._max_document} bytes")
            if size == 0:
                while self._read_line():
                    pass
                return b"".join(parts)
            parts.append(self._read_exactly(size))
            self._read_line()

    def _read_line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            if len(self._buffer) > _MAX_HEAD:
                raise self._invalid("a line of its answer does not end")
            self._receive()
        line, _separator, self._buffer = self._buffer.partition(b"\r\n")
        return line

    def _length(self, text: str, base: int) -> int:
        try:
            size = int(text.strip(), base)
        except ValueError:
            size = -1
        if not 0 <= size <= self._max_document:
            raise self._invalid(f"a length of {text[:20]!r} is not between 0 and {self._max_document} bytes")
        return size

    def _read_exactly(self, size: int) -> bytes:
        parts = [self._buffer]
        have = len(self._buffer)
        self._buffer = b""
        while have < size:
            self._receive()
            parts.append(self._buffer)
            have += len(self._buffer)
            self._buffer = b""
        body = b"".join(parts)
        self._buffer = body[size:]
        return body[:size]

    def _read_to_end(self) -> bytes:
        body = self._buffer
        connection = self._connection
        while connection is not None and len(body) <= self._max_document:
            connection.settimeout(self._left())
            data = connection.recv(_CHUNK)
            if not data:
                self.close()
                return body
            body += data
        raise self._invalid(f"a document has more than {self._max_document} bytes")

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout
        return left

    def _receive(self) -> None:
        if self._connection is None:
            raise self._invalid("the connection is closed")
        self._connection.settimeout(self._left())
        data = self._connection.recv(_CHUNK)
        if not data:
            raise self._invalid("it ended its answer early")
        self._buffer += data


def _words(body: bytes) -> str:
    """Return what an engine says about its error, where it says anything."""
    try:
        message = json.loads(body.decode("utf-8", "replace"))["message"]
    except (ValueError, RecursionError, TypeError, KeyError):
        return ""
    return ": " + str(message).strip().rstrip(".")[:300]
