# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How a registry's port treats somebody whom it does not know. Its configuration is not believed: it is asked for `/v2/`
# without credentials, and whether it speaks an outdated TLS. Source: the OCI distribution specification, RFC 8996.

from __future__ import annotations

import socket
import ssl
import warnings
from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import probe

_TIMEOUT = 2.0
_REQUEST = b"GET /v2/ HTTP/1.0\r\n\r\n"
_OPEN, _SHUT = (b"200",), (b"401", b"403")
#: The type of a record that carries on a handshake (RFC 4346); an alert has another one.
_HANDSHAKE = b"\x16"


class Door(NamedTuple):
    """A port: whether it speaks TLS, TLS older than 1.2 too, and lets somebody without credentials in."""

    tls: bool
    old_tls: bool
    anonymous: bool


def knock(address: str, port: int) -> Door:
    """Ask the port; a few connections of at most two seconds. UnreadableError when it answers nothing to judge by."""
    answer = probe(address, port)
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 (nothing is bound here)
    if not answer.tls:
        return Door(tls=False, old_tls=False, anonymous=_lets_in(reachable, port, None))
    return Door(
        tls=True,
        old_tls=_speaks_old_tls(reachable, port),
        anonymous=not answer.client_verified and _lets_in(reachable, port, _context()),
    )


def _context() -> ssl.SSLContext:
    # Nothing secret is sent, so the certificate does not matter.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _lets_in(address: str, port: int, context: ssl.SSLContext | None) -> bool:
    try:
        with socket.create_connection((address, port), _TIMEOUT) as plain:
            connection = context.wrap_socket(plain) if context else plain
            connection.sendall(_REQUEST)
            status = connection.recv(4096).split(b" ")[1:2]
    except OSError as error:
        raise UnreadableError(f"{address} port {port} does not answer: {error}") from None
    if status and status[0] in (*_OPEN, *_SHUT):
        return status[0] in _OPEN
    raise UnreadableError(f"{address} port {port} does not answer as a registry does")


def _speaks_old_tls(address: str, port: int) -> bool:
    """Offer TLS 1.0 and 1.1 only; a server that takes part sends its hello, one that does not an alert."""
    context = _context()
    outgoing = ssl.MemoryBIO()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    except ssl.SSLWantReadError:  # it waits for the answer to what it has written
        pass
    except (ssl.SSLError, ValueError):
        raise UnreadableError("this host's OpenSSL can't ask whether TLS older than 1.2 is spoken") from None
    try:
        with socket.create_connection((address, port), _TIMEOUT) as plain:
            plain.sendall(outgoing.read())
            return plain.recv(1) == _HANDSHAKE
    except ConnectionError:  # a server may also hang up
        return False
    except OSError as error:
        raise UnreadableError(f"{address} port {port} does not answer to TLS: {error}") from None
