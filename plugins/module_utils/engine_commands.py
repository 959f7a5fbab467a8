# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Changes what an engine has, over its unix socket; audits, which only read, never import this.
# Source: https://docs.docker.com/reference/api/engine/.

from __future__ import annotations

import http.client
import json
from typing import Any, Mapping, Protocol

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.unix_http import UnixConnection

#: A container that does not stop takes as long as its stop timeout, and a volume of a full disk its time.
_TIMEOUT = 120.0
_NO_CHANGE = 304


class EngineWriter(Protocol):
    """Changes what an engine has."""

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send `body` and return the answer, None where it is empty; BreakwaterError with the engine's words."""

    def delete(self, path: str) -> None:
        """Remove what is at `path`; BreakwaterError with the engine's words."""


class EngineCommands:
    """The Engine API on a unix socket (an EngineWriter); each request has a connection of its own."""

    def __init__(self, path: str, timeout: float = _TIMEOUT) -> None:
        """Prepare to write to the socket at `path`; a request may take `timeout` seconds."""
        self._path = path
        self._timeout = timeout

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send `body` and return the answer, None where it is empty; BreakwaterError with the engine's words."""
        return self._request("POST", path, body)

    def delete(self, path: str) -> None:
        """Remove what is at `path`; BreakwaterError with the engine's words."""
        self._request("DELETE", path, None)

    def _request(self, method: str, path: str, body: Mapping[str, Any] | None) -> Any:
        connection = UnixConnection(self._path, self._timeout)
        try:
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise BreakwaterError(f"The engine at {self._path} did not answer {method} {path}: {error}.") from None
        finally:
            connection.close()
        if answer.status >= 400:
            raise BreakwaterError(f"The engine refuses {method} {path}: {_message(text)}.")
        if answer.status == _NO_CHANGE or not text.strip():
            return None
        return json.loads(text)


def _message(text: str) -> str:
    try:
        said = str(json.loads(text)["message"])
    except (ValueError, KeyError, TypeError):
        said = text[:200]
    return said.strip().rstrip(".") or "it does not say why"
