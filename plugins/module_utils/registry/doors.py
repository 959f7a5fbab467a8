# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How a registry's port treats somebody whom it does not know. Its configuration is not believed: it is asked for `/v2/`
# without credentials, and whether it speaks an outdated TLS. Source: the OCI distribution specification, RFC 8996.

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import warnings
from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import (
    probe,
    reachable,
    stranger_context,
)

_TIMEOUT = 2.0
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")
OPEN, LOCKED = 200, 401
_SHUT = (LOCKED, 403)
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
    at = reachable(address)
    if not answer.tls:
        return Door(tls=False, old_tls=False, anonymous=_lets_in(at, port, None))
    return Door(
        tls=True,
        old_tls=_speaks_old_tls(at, port),
        anonymous=not answer.client_verified and _lets_in(at, port, stranger_context()),
    )


def status(
    address: str, port: int, context: ssl.SSLContext | None, *, timeout: float = _TIMEOUT, name: str | None = None
) -> int | None:
    """Ask for `/v2/` without credentials, by TLS where there is a context, and return the status of the answer.

    `name` is the registry's, where it may serve several. None for what is no answer of HTTP's; OSError for none at all.
    """
    host = f"Host: {name}\r\n" if name else ""
    with contextlib.ExitStack() as stack:
        channel = stack.enter_context(socket.create_connection((address, port), timeout))
        if context:
            channel = stack.enter_context(context.wrap_socket(channel, server_hostname=name))
        channel.sendall(f"GET /v2/ HTTP/1.0\r\n{host}\r\n".encode())
        match = _STATUS.match(channel.recv(4096))
    return int(match[1]) if match else None


def _lets_in(address: str, port: int, context: ssl.SSLContext | None) -> bool:
    try:
        told = status(address, port, context)
    except OSError as error:
        raise UnreadableError(f"{address} port {port} does not answer: {error}") from None
    if told in (OPEN, *_SHUT):
        return told == OPEN
    raise UnreadableError(f"{address} port {port} does not answer as a registry does")


def _speaks_old_tls(address: str, port: int) -> bool:
    """Offer TLS 1.0 and 1.1 only; a server that takes part sends its hello, one that does not an alert."""
    context = stranger_context()
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
