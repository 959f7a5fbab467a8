# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# An engine on another machine, reached over TCP with TLS on both sides, and what it has in place of a host: nothing.
# Source: https://docs.docker.com/engine/security/protect-access/.

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
from typing import Any, Callable, Mapping, NoReturn, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult

REASON = "the engine is remote, and only its host can tell"
TLS_FILES = ("ca_path", "client_cert", "client_key")
_ADDRESS = re.compile(r"tcp://(?:\[([0-9A-Fa-f:.]+)\]|([^/:\[\]]+)):([0-9]{1,5})/?")


def connector(docker_host: str, tls: Mapping[str, Any]) -> Callable[[float], socket.socket]:
    """Return what connects to a `tcp://HOST:PORT` address within so many seconds; `tls` has the paths of TLS_FILES.

    The server's certificate has to be signed by the CA and to name the host. InputError for an address or files that
    can't be used.
    """
    match = _ADDRESS.fullmatch(docker_host)
    if match is None:
        raise InputError(f"docker_host is {docker_host!r}; give unix:///PATH, or tcp://HOST:2376 for a remote engine.")
    missing = [name for name in TLS_FILES if not tls.get(name)]
    if missing:
        raise InputError(
            f"{docker_host} needs tls with {', '.join(missing)}: without TLS on both sides anybody may read along, and "
            "the documents of an engine hold secrets."
        )
    context = _context(*(os.path.expanduser(str(tls[name])) for name in TLS_FILES))
    host, port = match[1] or match[2], int(match[3])

    def connect(timeout: float) -> socket.socket:
        return context.wrap_socket(socket.create_connection((host, port), timeout), server_hostname=host)

    return connect


def _context(ca_path: str, client_cert: str, client_key: str) -> ssl.SSLContext:
    for path in (ca_path, client_cert, client_key):
        _require(path)
    try:
        # Not create_default_context(): it refuses CAs as Docker's own manual makes them, and adds those of the system.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(ca_path)
        # A password is never asked for: nobody could answer.
        context.load_cert_chain(client_cert, client_key, password=lambda: b"")
    except (ssl.SSLError, ValueError):
        raise InputError(
            f"{ca_path}, {client_cert} and {client_key} are not a CA, a certificate and its key without a passphrase; "
            "look at tls."
        ) from None
    return context


def _require(path: str) -> None:
    # OpenSSL does not tell which file it misses.
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}; look at tls.") from None


class NoFiles:
    """The file system of a host that can't be seen (a FileSystem)."""

    def read_text(self, path: str, limit: int = 1 << 20) -> str:
        """Raise OSError."""
        del limit
        self._refuse(path)

    def stat(self, path: str) -> os.stat_result:
        """Raise OSError."""
        self._refuse(path)

    def lstat(self, path: str) -> os.stat_result:
        """Raise OSError."""
        self._refuse(path)

    def listdir(self, path: str) -> list[str]:
        """Raise OSError."""
        self._refuse(path)

    def readlink(self, path: str) -> str:
        """Raise OSError, except for the one link that every host has and that leads to the engine's socket."""
        if path != "/var/run":
            self._refuse(path)
        return "/run"

    def _refuse(self, path: str) -> NoReturn:
        raise OSError(errno.EREMOTE, REASON, path)


class NoCommands:
    """The commands of a host that can't be seen (a CommandRunner)."""

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        """Run nothing."""
        del argv, timeout
        return CommandResult(None, "", REASON)
