# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A real server on loopback that gives one answer to everybody, in clear text or by TLS.

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def make_certificate(directory: Path) -> Path:
    """Make a certificate and return the path of its key; the certificate's ends in .crt."""
    path = directory / "server.pem"
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(path), "-out", str(path.with_suffix(".crt")), "-subj", "/CN=host", "-days", "2"]
    subprocess.run(request + files, check=True, capture_output=True)
    return path


@contextmanager
def serving(reply: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Answer every request with `reply` and yield the port."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with suppress(OSError):
            while True:
                plain, _address = server.accept()
                with plain, suppress(OSError):
                    plain.settimeout(5)
                    # What Go's server does: it looks at the first byte, and tells plain HTTP from TLS by it.
                    if context and plain.recv(1, socket.MSG_PEEK) != b"\x16":
                        plain.sendall(
                            b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
                        )
                        continue
                    stream = context.wrap_socket(plain, server_side=True) if context else plain
                    stream.recv(4096)
                    stream.sendall(reply)
                    stream.close()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname()[1]
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def tls(certificate: Path, verify: bool) -> ssl.SSLContext:
    """Return a server's context, which wants a client's certificate if `verify` is set."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.with_suffix(".crt"), certificate)
    if verify:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(certificate.with_suffix(".crt"))
    return context
