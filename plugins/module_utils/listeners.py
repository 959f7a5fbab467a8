# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The TCP ports and unix sockets on which a process listens, and what the Docker API says on a port to somebody without
# a certificate. The daemon's configuration is not believed. Source: proc_pid_net(5), and Go's net/http for its answer
# to plain HTTP on a TLS port.

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, Iterable, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

if TYPE_CHECKING:
    import ssl

_LISTEN = "0A"
#: __SO_ACCEPTCON, which the kernel sets on a unix socket that listens.
_UNIX_LISTEN = "00010000"
#: How much of a table is read, in bytes: a few ten thousand sockets.
_LONGEST_TABLE = 8 << 20
_REQUEST = b"GET /_ping HTTP/1.0\r\n\r\n"
_TIMEOUT = 2.0
_REFUSAL_TIMEOUT = 0.5


class Answer(NamedTuple):
    """How a port answers: with TLS or not, and whether it wants a client's certificate."""

    tls: bool
    client_verified: bool


def listening(files: FileSystem, pid: int) -> list[tuple[str, int]]:
    """Return the (address, port) pairs on which the process listens; OSError where its files may not be seen."""
    rows = [row for table in ("tcp", "tcp6") for row in _table(files, f"/proc/{pid}/net/{table}")]
    wanted = _sockets(files, pid) if rows else set()
    return sorted({(_address(address), int(port, 16)) for address, port, inode in rows if inode in wanted})


def listening_paths(files: FileSystem, pid: int) -> list[str]:
    """Return the paths of the unix sockets on which the process listens; OSError where its files may not be seen."""
    rows = [line.split(maxsplit=7) for line in _lines(files, f"/proc/{pid}/net/unix")]
    wanted = _sockets(files, pid)
    return sorted(
        {row[7] for row in rows if len(row) == 8 and row[3] == _UNIX_LISTEN and row[6] in wanted and row[7][0] == "/"}
    )


def _lines(files: FileSystem, path: str) -> list[str]:
    """Return the lines of one of the kernel's tables without its head; OSError where it is cut off."""
    text = files.read_text(path, _LONGEST_TABLE)
    if len(text.encode()) >= _LONGEST_TABLE:
        raise OSError(errno.EFBIG, "too many sockets, and those of the process may be among the last", path)
    return text.split("\n")[1:]


def _table(files: FileSystem, path: str) -> Iterable[tuple[str, str, str]]:
    try:
        lines = _lines(files, path)
    except FileNotFoundError:
        return
    for line in lines:
        columns = line.split()
        if len(columns) > 9 and columns[3] == _LISTEN:
            address, _separator, port = columns[1].partition(":")
            yield address, port, columns[9]


def _sockets(files: FileSystem, pid: int) -> set[str]:
    inodes: set[str] = set()
    for name in files.listdir(f"/proc/{pid}/fd"):
        try:
            target = files.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    return inodes


def _address(text: str) -> str:
    # The kernel prints each 32-bit word in the byte order of the machine.
    words = [bytes.fromhex(text[start : start + 8])[::-1] for start in range(0, len(text), 8)]
    raw = b"".join(words)
    return socket.inet_ntop(socket.AF_INET if len(raw) == 4 else socket.AF_INET6, raw)


def reachable(address: str) -> str:
    """Return the address at which this host reaches what listens on `address`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 (nothing is bound here)


def stranger_context() -> ssl.SSLContext:
    """Return how TLS is spoken by somebody who has no certificate, sends nothing secret and believes nothing."""
    import ssl  # noqa: PLC0415 (slow to import, and few hosts listen on TCP)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def probe(address: str, port: int, timeout: float = _TIMEOUT) -> Answer:
    """Ask the port for `/_ping` without a certificate; at most `timeout` seconds a step, two steps.

    UnreadableError when it can't be reached from here, or answers in a way that tells nothing.
    """
    try:
        with socket.create_connection((reachable(address), port), timeout) as plain:
            plain.sendall(_REQUEST)
            reply = plain.recv(4096)
    except OSError as error:
        raise UnreadableError(f"{address} port {port} does not answer: {error}") from None
    if reply.startswith(b"HTTP/1.") and b"HTTPS server" not in reply:
        return Answer(tls=False, client_verified=False)
    return Answer(tls=True, client_verified=_wants_certificate(reachable(address), port, timeout))


def _answer(secured: socket.socket, timeout: float) -> bytes:
    # A server of TLS 1.3 refuses after the handshake. It is given time to say so: its words would be lost in the reset
    # that a request to a closed connection causes.
    secured.settimeout(_REFUSAL_TIMEOUT)
    try:
        return secured.recv(4096)
    except socket.timeout:
        secured.settimeout(timeout)
        secured.sendall(_REQUEST)
        return secured.recv(4096)


def _wants_certificate(address: str, port: int, timeout: float) -> bool:
    import ssl  # noqa: PLC0415 (slow to import, and few hosts listen on TCP)

    context = stranger_context()
    try:
        with socket.create_connection((address, port), timeout) as plain, context.wrap_socket(plain) as secured:
            reply = _answer(secured, timeout)
    except ssl.SSLError as error:
        if any(word in str(error).upper() for word in ("CERTIFICATE", "HANDSHAKE")):
            return True
        raise UnreadableError(f"{address} port {port} refuses TLS: {error.reason}") from None
    except OSError as error:
        raise UnreadableError(f"{address} port {port} does not answer with TLS: {error}") from None
    if reply.startswith(b"HTTP/1."):
        return False
    raise UnreadableError(f"{address} port {port} answers neither by HTTP nor by refusing")
