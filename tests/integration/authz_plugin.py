# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A Docker authorization plugin: authz_plugin.py POLICY. The policy, a JSON object that is read anew for each request,
# names the methods that each client may use by the common name of its certificate; "" is whoever uses the local socket,
# "*" all methods. Who is not named may do nothing. systemd hands over the socket (sd_listen_fds(3)).
# Source: https://docs.docker.com/engine/extend/plugins_authorization/

from __future__ import annotations

import json
import socket
import socketserver
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

FIRST_SOCKET = 3


def decide(policy: dict[str, list[str]], request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to a request of the engine's."""
    user, method = request.get("User") or "", request["RequestMethod"]
    if {method, "*"} & set(policy.get(user, [])):
        return {"Allow": True}
    return {"Allow": False, "Msg": f"{user or 'the local socket'} may not {method} {request['RequestUri']}"}


class Handler(BaseHTTPRequestHandler):
    """Speaks the protocol of Docker's plugins."""

    def do_POST(self) -> None:
        """Answer the engine."""
        sent = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}")
        if self.path == "/Plugin.Activate":
            answer: dict[str, Any] = {"Implements": ["authz"]}
        elif self.path == "/AuthZPlugin.AuthZReq":
            answer = decide(json.loads(Path(sys.argv[1]).read_text()), sent)
        else:
            answer = {"Allow": True}  # what is answered was asked for rightly
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet: a denial is in the engine's log."""


class Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Serves the socket that systemd holds."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__("", Handler)
        self.socket = socket.socket(fileno=FIRST_SOCKET)

    def fileno(self) -> int:
        """Return the number of the socket, for the selector of `serve_forever`."""
        return self.socket.fileno()

    def get_request(self) -> tuple[socket.socket, str]:
        """Accept a connection."""
        return self.socket.accept()[0], "dockerd"


if __name__ == "__main__":
    Server().serve_forever()
