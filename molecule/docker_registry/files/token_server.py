# A token service: whoever gives the password may pull everything, and push below team/. Its tokens are signed by RS256
# as distribution's specification wants it. Arguments: port, certificate and key of the service, those of its tokens,
# and user:password. Source: https://distribution.github.io/distribution/spec/auth/jwt/

from __future__ import annotations

import base64
import http.server
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

PORT, CERTIFICATE, KEY, TOKEN_CERTIFICATE, TOKEN_KEY, CREDENTIALS = sys.argv[1:]


def encoded(data: bytes) -> bytes:
    """Return bytes as a part of a token."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def chain() -> list[str]:
    """Return the certificate of the token's key as its header has it."""
    lines = Path(TOKEN_CERTIFICATE).read_text(encoding="ascii").splitlines()
    return ["".join(line for line in lines if not line.startswith("-"))]


def granted(scopes: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what of the scopes, such as `repository:team/app:pull,push`, is granted."""
    for scope in scopes:
        kind, name, actions = scope.split(":")
        may = {"pull", "push"} if name.startswith("team/") else {"pull"}
        yield {"type": kind, "name": name, "actions": [action for action in actions.split(",") if action in may]}


def token(service: str, scopes: list[str]) -> str:
    """Return a signed token."""
    now = int(time.time())
    header = {"typ": "JWT", "alg": "RS256", "x5c": chain()}
    claims: dict[str, Any] = {
        "iss": "breakwater",
        "aud": service,
        "sub": "alice",
        "exp": now + 120,
        "nbf": now - 5,
        "iat": now,
    }
    claims.update(jti=str(time.time_ns()), access=list(granted(scopes)))
    signed = b".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    command = ["openssl", "dgst", "-sha256", "-sign", TOKEN_KEY]
    signature = subprocess.run(command, input=signed, capture_output=True, check=True).stdout
    return (signed + b"." + encoded(signature)).decode()


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers GET with a token."""

    def do_GET(self) -> None:
        """Give a token to whoever gives the password."""
        basic = "Basic " + base64.b64encode(CREDENTIALS.encode()).decode()
        if self.headers.get("Authorization") != basic:
            self.send_error(401)
            return
        asked = parse_qs(urlsplit(self.path).query)
        scopes = [scope for listed in asked.get("scope", []) for scope in listed.split(" ")]
        body = json.dumps({"token": token(asked["service"][0], scopes)}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE, KEY)
server = http.server.ThreadingHTTPServer(("", int(PORT)), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
