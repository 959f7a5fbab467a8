# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A server that means harm, also to be run as a program on a host: each path is an attack.

/huge never ends, /drip sends a byte now and then, /file redirects to a file of the host, /garbage is no
HTTP, /words answers with a template. A registry has them as repositories (/v2/huge/manifests/TAG), and /wrong, whose
digest is of something else.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TYPE = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST = json.dumps({"schemaVersion": 2, "mediaType": TYPE, "layers": []}).encode()
TEMPLATE = "{{ 7 * 7 }}"


class Hostile(BaseHTTPRequestHandler):
    """Answers by the attack in the path; `words` are what it answers with."""

    words = TEMPLATE

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has above
        """Say nothing."""

    def do_HEAD(self) -> None:
        """Answer as to a GET where that is short; else refuse, so that the client asks for the whole."""
        if self.path.startswith("/v2/wrong/"):
            self._wrong_head()
        else:
            self._head(405)

    def do_GET(self) -> None:
        """Attack."""
        parts = self.path.strip("/").split("/")
        registry = parts[0] == "v2"
        if registry and len(parts) < 2:
            self._head(200)
        else:
            with suppress(ConnectionError):  # a client that has had enough
                getattr(self, f"_{parts[1] if registry else parts[0]}")()

    def _head(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Type": TYPE, **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def _huge(self) -> None:
        self._head(200)
        for _part in range(1024):
            self.wfile.write(b" " * (1 << 16))

    def _drip(self) -> None:
        self._head(200)
        for _byte in range(600):
            self.wfile.write(b" ")
            self.wfile.flush()
            time.sleep(0.1)

    def _file(self) -> None:
        self._head(302, Location="file:///etc/shadow")

    def _garbage(self) -> None:
        self.wfile.write(b"\x00\xff\n\n")

    def _wrong_head(self) -> None:
        digest = f"sha256:{hashlib.sha256(b'another').hexdigest()}"
        self._head(200, Docker_Content_Digest=digest, Content_Length=str(len(MANIFEST)))

    def _wrong(self) -> None:
        self._wrong_head()
        self.wfile.write(MANIFEST)

    def _words(self) -> None:
        self._head(404)
        self.wfile.write(json.dumps({"errors": [{"code": "UNKNOWN", "message": self.words}]}).encode())


def serve(port: int) -> ThreadingHTTPServer:
    """Return a server on this port of 127.0.0.1, 0 for any; it serves once `serve_forever` is called."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Hostile)
    server.daemon_threads = True
    return server


if __name__ == "__main__":
    Hostile.words = sys.argv[2]
    serve(int(sys.argv[1])).serve_forever()
