# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What an engine trusts when it speaks with a registry. dockerd reads these files whenever it connects.
# Sources: https://docs.docker.com/engine/security/certificates/, moby/moby daemon/pkg/registry (loadTLSConfig).

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install, names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem

_CERTIFICATES = "/etc/docker/certs.d"
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:\d{1,5})?")
_BEGIN = "-----BEGIN CERTIFICATE-----"
#: Tells a CA that was put there by this collection, which alone it removes; what reads PEM skips it.
_HEADER = "# Managed by breakwater.docker\n"
#: The names that dockerd looks for, as links to those that docker_tls_certificates gives its files.
_LINKS = {"client.cert": "cert.pem", "client.key": "key.pem"}
_CA = "ca.crt"
#: What dockerd trusts or shows, whatever comes before the point.
_IN_FORCE = (".crt", ".cert", ".key")


@dataclass(frozen=True)
class Registry:
    """A registry by host and port as images name it; `ca` is its CAs' certificates, empty to trust the host's."""

    address: str
    ca: str
    client: bool
    present: bool


@dataclass(frozen=True)
class Step:
    """What is done for one registry: its files and links before and after, by name; an empty directory goes."""

    directory: str
    before: Mapping[str, str]
    after: Mapping[str, str]
    links_before: Mapping[str, str]
    links_after: Mapping[str, str]
    kept: Sequence[str]
    """Paths of what else is in the directory, which stays."""

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
        """Compare what is there with what is wanted; InputError where that would cost somebody else's file."""
        directory = f"{_CERTIFICATES}/{registry.address}"
        names = names_in(self._files, directory)
        text = text_of(self._files, f"{directory}/{_CA}")
        links = {name: target for name, target in _LINKS.items() if self._leads(f"{directory}/{name}", target)}
        after = {_CA: _HEADER + registry.ca} if registry.present and registry.ca else {}
        before = {_CA: text} if _CA in names and (after or text.startswith(_HEADER)) else {}
        others = [name for name in names if name not in {*before, *links}]
        _refuse_others(registry, directory, others)
        return Step(
            directory,
            before,
            after,
            links_before=links,
            links_after=dict(_LINKS) if registry.present and registry.client else {},
            kept=[f"{directory}/{name}" for name in others],
        )

    def apply(self, step: Step) -> None:
        """Carry the step out."""
        directory = self._root + step.directory
        if step.after or step.links_after:
            os.makedirs(directory, mode=0o755, exist_ok=True)
        for name, text in step.after.items():
            if step.before.get(name) != text:
                install(f"{directory}/{name}", text, 0o444, (0, 0))
        for name in {*step.before} - {*step.after} | {*step.links_before} - {*step.links_after}:
            os.unlink(f"{directory}/{name}")
        for name in {*step.links_after} - {*step.links_before}:
            os.symlink(step.links_after[name], f"{directory}/{name}")
        with contextlib.suppress(OSError):  # it stays while anything is in it
            os.rmdir(directory)

    def _leads(self, path: str, target: str) -> bool:
        try:
            return self._files.readlink(path) == target
        except OSError:
            return False


def _refuse_others(registry: Registry, directory: str, others: Sequence[str]) -> None:
    """Refuse what would cost somebody else's files, or what they would undo: they may be the only ones."""
    if not registry.present:
        against, wish = [name for name in others if name.endswith(_IN_FORCE)], "leave state at present"
    elif _CA in others:
        against, wish = [_CA], "give its text in ca"
    else:
        against = [name for name in others if registry.client and name in _LINKS]
        wish = "leave client_certificate at false"
    if against:
        raise InputError(
            f"{directory} has {', '.join(against)}, which this collection did not put there and does not remove:"
            f" move that away, or {wish}. Nothing was changed there."
        )


def still_insecure(current: Any, registries: Sequence[Registry]) -> list[str] | None:
    """Return the list insecure-registries of daemon.json without the registries; None when it has none of them."""
    if not isinstance(current, list):
        return None
    addresses = {registry.address for registry in registries}
    hosts = {address.rpartition(":")[0] or address for address in addresses}
    kept = [entry for entry in current if entry not in addresses | hosts]
    return kept if kept != current else None
