# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What an engine trusts when it speaks with a registry. dockerd reads these files whenever it connects.
# Sources: https://docs.docker.com/engine/security/certificates/, moby/moby daemon/pkg/registry (loadTLSConfig).

from __future__ import annotations

import os
import re
import shutil
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem

_CERTIFICATES = "/etc/docker/certs.d"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?")
_BEGIN = "-----BEGIN CERTIFICATE-----"
#: The names that dockerd looks for, as links to those that docker_tls_certificates gives its files.
_LINKS = {"client.cert": "cert.pem", "client.key": "key.pem"}
_CA = "ca.crt"


@dataclass(frozen=True)
class Registry:
    """A registry by host and port as images name it; `ca` is its CAs' certificates, empty to trust the host's."""

    address: str
    ca: str
    client: bool
    present: bool


@dataclass(frozen=True)
class Step:
    """What is done for one registry: files and links before and after, by path; without any, the directory goes."""

    directory: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    links_before: Mapping[str, str]
    links_after: Mapping[str, str]

    @property
    def changed(self) -> bool:
        """Tell whether there is anything to do."""
        return (self.before, self.links_before) != (self.after, self.links_after)


def parse(item: Mapping[str, Any]) -> Registry:
    """Return a registry that a user describes; InputError for what can't be one."""
    address, ca, present = item["address"], item["ca"], item["state"] == "present"
    if not _ADDRESS.fullmatch(address):
        raise InputError(
            f"{address!r} is no address of a registry, such as registry.example.org:5000, without https:// and path."
            " Nothing was changed."
        )
    if present and ca and _BEGIN not in ca:
        raise InputError(f"The CA of {address} is not PEM: give the text of its certificate. Nothing was changed.")
    return Registry(address, ca.strip() + "\n" if ca else "", item["client_certificate"], present)


class TrustHost:
    """A host's trust in registries, or for tests one below the directory `root`."""

    def __init__(self, root: str = "") -> None:
        self._root = root
        self._files = LocalFileSystem(root)

    def plan(self, registry: Registry) -> Step:
        """Compare what is there with what is wanted."""
        directory = f"{_CERTIFICATES}/{registry.address}"
        present = text_of(self._files, f"{directory}/{_CA}")
        links = {name: target for name in _LINKS if (target := self._target(f"{directory}/{name}"))}
        return Step(
            directory,
            before={_CA: present} if present else {},
            after={_CA: registry.ca} if registry.present and registry.ca else {},
            links_before=links,
            links_after=dict(_LINKS) if registry.present and registry.client else {},
        )

    def apply(self, step: Step) -> None:
        """Carry the step out."""
        directory = self._root + step.directory
        if not (step.after or step.links_after):
            if os.path.isdir(directory):
                shutil.rmtree(directory)
            return
        os.makedirs(directory, mode=0o755, exist_ok=True)
        for name, text in step.after.items():
            if step.before.get(name) != text:
                install(f"{directory}/{name}", text, 0o444, (0, 0))
        for name in {*step.before} - {*step.after} | {*step.links_before} - {*step.links_after}:
            os.unlink(f"{directory}/{name}")
        for name, target in step.links_after.items():
            if step.links_before.get(name) != target:
                temporary = f"{directory}/.{name}"
                os.symlink(target, temporary)
                os.replace(temporary, f"{directory}/{name}")

    def _target(self, path: str) -> str:
        try:
            return self._files.readlink(path)
        except OSError:
            return "(a file)" if os.path.lexists(self._root + path) else ""


def still_insecure(current: Any, registries: Sequence[Registry]) -> list[str] | None:
    """Return the list insecure-registries of daemon.json without the registries; None when it has none of them."""
    if not isinstance(current, list):
        return None
    addresses = {registry.address for registry in registries}
    hosts = {address.rpartition(":")[0] or address for address in addresses}
    kept = [entry for entry in current if entry not in addresses | hosts]
    return kept if kept != current else None
