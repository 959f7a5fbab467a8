# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Contexts of the docker command in a user's home. Their TLS files are links to the user's bundle, so that a renewed
# certificate holds in every context at once and no second copy of the key exists.
# Source: docker/cli cli/context/store (a directory per context, named by the SHA-256 of its name).

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.tls_files import MODES

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.+-]+")


def check_contexts(contexts: Mapping[str, str]) -> None:
    """Raise InputError for a name or an endpoint that the docker command refuses."""
    for name, endpoint in contexts.items():
        if not _NAME.fullmatch(name) or name == "default":
            raise InputError(
                f"{name!r} can't be a context's name: two or more of letters, digits and _.+-, not default."
            )
        if not re.fullmatch(r"tcp://\S+:\d+", str(endpoint)):
            raise InputError(f"The context {name} needs an endpoint like tcp://HOST:2376, not {endpoint!r}.")


@dataclass(frozen=True)
class ContextStore:
    """The contexts below `configuration` (a user's ~/.docker) that use the bundle in `bundle`; runs as the user."""

    configuration: str
    bundle: str

    def managed(self) -> dict[str, str]:
        """Return name and endpoint of each intact context whose files are links to the bundle."""
        found = {}
        for identifier in self._identifiers():
            document = self._document(identifier)
            name = str(document.get("Name"))
            if self._links(identifier) == self._wanted_links() and _identifier(name) == identifier:
                found[name] = str(document["Endpoints"]["docker"]["Host"])
        return found

    def refuse_users(self, name: str) -> None:
        """Raise InputError when the context of that name is the user's own: its key may be the only one.

        One that was written here has links to the bundle; of a run that was killed, some of them or no metadata yet.
        """
        identifier = _identifier(name)
        links, wanted = self._links(identifier), self._wanted_links()
        others = [file for file in self._files(identifier) if file not in wanted or links.get(file) != wanted[file]]
        if others or (not links and os.path.lexists(self._meta(identifier))):
            raise InputError(
                f"The context {name} is the user's own, since its files are no links to {self.bundle}, and its key may"
                f" be the only one: choose another name in contexts, or let the user run docker context rm {name}."
                " Nothing was changed."
            )

    def write(self, name: str, endpoint: str) -> None:
        """Make or correct a context; its links first, since a context without them would connect in clear text."""
        identifier = _identifier(name)
        tls = self._tls(identifier)
        os.makedirs(tls, mode=0o700, exist_ok=True)
        for file, target in self._wanted_links().items():
            path = os.path.join(tls, file)
            if self._links(identifier).get(file) != target:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                os.symlink(target, path)
        meta = os.path.dirname(self._meta(identifier))
        os.makedirs(meta, mode=0o700, exist_ok=True)
        endpoints = {"docker": {"Host": endpoint, "SkipTLSVerify": False}}
        install(self._meta(identifier), json.dumps({"Name": name, "Metadata": {}, "Endpoints": endpoints}), 0o644)

    def remove(self, name: str) -> None:
        """Remove a context; the bundle stays."""
        identifier = _identifier(name)
        for path in (os.path.dirname(self._meta(identifier)), os.path.dirname(self._tls(identifier))):
            shutil.rmtree(path, ignore_errors=True)

    def _identifiers(self) -> list[str]:
        try:
            return sorted(os.listdir(os.path.join(self.configuration, "contexts", "tls")))
        except FileNotFoundError:
            return []

    def _files(self, identifier: str) -> list[str]:
        try:
            return os.listdir(self._tls(identifier))
        except FileNotFoundError:
            return []

    def _wanted_links(self) -> dict[str, str]:
        return {file: os.path.join(self.bundle, file) for file in MODES}

    def _links(self, identifier: str) -> dict[str, str]:
        found = {}
        for file in MODES:
            with contextlib.suppress(OSError):
                found[file] = os.readlink(os.path.join(self._tls(identifier), file))
        return found

    def _document(self, identifier: str) -> dict[str, Any]:
        try:
            document: dict[str, Any] = json.loads(LocalFileSystem().read_text(self._meta(identifier)))
            return document if document["Endpoints"]["docker"]["Host"] else {}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return {}

    def _meta(self, identifier: str) -> str:
        return os.path.join(self.configuration, "contexts", "meta", identifier, "meta.json")

    def _tls(self, identifier: str) -> str:
        return os.path.join(self.configuration, "contexts", "tls", identifier, "docker")


def _identifier(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()
