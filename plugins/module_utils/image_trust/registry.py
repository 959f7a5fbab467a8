# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What an image's tag leads to now. The engine asks the registry, so that its mirrors, CAs and proxies hold; it is given
# the credentials of `docker login`. Sources: Docker Engine API (/distribution/NAME/json), docker-credential-helpers.

from __future__ import annotations

import base64
import json
from typing import Any, Mapping
from urllib.parse import quote

from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import (
    EngineApi,
    MissingDocumentError,
    RefusalError,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import DIGEST, ImageReference
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

#: Docker Hub's name in images and in `docker login`.
_HUB = "docker.io"
_HUB_LOGIN = "https://index.docker.io/v1/"
#: What engines answer with HTTP 500 where a registry wants credentials.
_REFUSALS = ("no basic auth credentials", "unauthorized", "authentication required")
#: A helper reads the registry's name from its standard input.
_ASK_HELPER = ("sh", "-c", 'printf %s "$1" | "docker-credential-$2" get', "sh")


class Registry:
    """The registries, by the engine at a socket and the configuration of a user's docker command."""

    def __init__(
        self, socket_path: str, docker_config: str, files: FileSystem, commands: CommandRunner, timeout: float
    ) -> None:
        self._socket_path = socket_path
        self._docker_config = docker_config
        self._files = files
        self._commands = commands
        self._timeout = timeout

    def digest(self, reference: ImageReference) -> str:
        """Return the digest that the reference's tag leads to; BreakwaterError says why there is none."""
        login = _HUB_LOGIN if reference.registry == _HUB else reference.registry
        auth = base64.urlsafe_b64encode(json.dumps(self._credentials(login)).encode()).decode()
        path = f"/distribution/{quote(str(reference.tagged), safe='/:')}/json"
        try:
            with EngineApi(self._socket_path, self._timeout, headers={"X-Registry-Auth": auth}) as api:
                digest = api.get(path)["Descriptor"]["digest"]
        except MissingDocumentError:
            raise BreakwaterError(f"{reference.registry} has no {reference.tagged}.") from None
        except EngineError as error:
            if isinstance(error, RefusalError) or any(words in str(error) for words in _REFUSALS):
                raise BreakwaterError(
                    f"{reference.registry} does not show {reference.tagged} to this user: log in there as root"
                    f" (docker login {reference.registry}), or correct the name."
                ) from None
            raise BreakwaterError(f"The digest of {reference.tagged} can't be got. {error}") from None
        except (KeyError, TypeError):
            digest = None
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            raise BreakwaterError(f"The engine's answer about {reference.tagged} has no digest.")
        return digest

    def _credentials(self, login: str) -> dict[str, Any]:
        """Return what the engine needs to log in, empty for nothing; it stays in this process."""
        path = f"{self._docker_config}/config.json"
        try:
            config = json.loads(self._files.read_text(path))
        except OSError:
            return {}
        except ValueError:
            raise BreakwaterError(f"{path} is not JSON: log in to the registries again.") from None
        helper = _mapping(config, "credHelpers").get(login) or config.get("credsStore")
        if helper:
            return self._from_helper(login, str(helper))
        return _decoded(_mapping(_mapping(config, "auths"), login))

    def _from_helper(self, login: str, helper: str) -> dict[str, Any]:
        told = self._commands.run((*_ASK_HELPER, login, helper), timeout=self._timeout)
        try:
            answer = json.loads(told.stdout)
            user, secret = answer["Username"], answer["Secret"]
        except (ValueError, KeyError, TypeError):
            return {}
        if user == "<token>":
            return {"identitytoken": secret}
        return {"username": user, "password": secret}


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = document.get(name) if isinstance(document, dict) else None
    return value if isinstance(value, dict) else {}


def _decoded(entry: Mapping[str, Any]) -> dict[str, Any]:
    try:
        user, _colon, password = base64.b64decode(str(entry.get("auth", ""))).decode().partition(":")
    except ValueError:
        return {}
    token = {"identitytoken": entry["identitytoken"]} if entry.get("identitytoken") else {}
    return {"username": user, "password": password, **token} if user else token
