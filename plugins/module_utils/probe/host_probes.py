# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What is not tried in a container but on the host: whom the registries answer that the engine is configured to use, and
# whether docker_workload would start an image that nobody signed. Sources: docker-info(1), the registry's HTTP API V2
# (https://distribution.github.io/distribution/spec/api/), https://docs.docker.com/engine/security/certificates/.

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterable, Mapping, NamedTuple
from urllib.parse import urlsplit

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import policy as policies
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import store
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import stranger_context
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program
from ansible_collections.breakwater.docker.plugins.module_utils.probe.model import Observation, Probe, Surroundings
from ansible_collections.breakwater.docker.plugins.module_utils.registry.doors import LOCKED, OPEN, status

CERTIFICATES = "/etc/docker/certs.d"
#: No more registries than these are asked, each so many seconds for each step.
_REGISTRIES = 8
_SECONDS = 3.0
#: A registry that no engine asks, for the name of the image.
_NOWHERE = "breakwater-probe.invalid/unsigned"


class Registry(NamedTuple):
    """A registry as the engine's configuration names it; a `mirror` can't be given credentials by the engine."""

    host: str
    port: int | None = None
    mirror: bool = False

    @property
    def name(self) -> str:
        """The registry as images name it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


def configured(config: Mapping[str, Any], files: FileSystem) -> list[Registry]:
    """Return the registries that the engine is configured to use, but for Docker Hub.

    `config` is the engine's RegistryConfig: they are its mirrors, the insecure ones, and those whose CA is in certs.d.
    """
    indexes = config.get("IndexConfigs") or {}
    names = [name for name, about in indexes.items() if not about.get("Official")]
    with contextlib.suppress(OSError):  # there need be none
        names += files.listdir(CERTIFICATES)
    found = [_registry(f"//{name}", mirror=False) for name in names]
    found += [_registry(address, mirror=True) for address in config.get("Mirrors") or ()]
    return [item for item in dict.fromkeys(found) if item is not None]


def _registry(address: str, mirror: bool) -> Registry | None:
    try:
        parts = urlsplit(address)
        return Registry(parts.hostname, parts.port, mirror) if parts.hostname else None
    except ValueError:
        return None


def ask(registries: Iterable[Registry]) -> Observation:
    """Ask registries for their version without credentials, with and without TLS; say which one answers.

    Nothing but the question is sent. `succeeded` is None where none answers at all.
    """
    asked = list(registries)[:_REGISTRIES]
    if not asked:
        return Observation(None, "the engine is configured to use no registry but Docker Hub")
    with ThreadPoolExecutor() as pool:
        found = dict(zip(asked, pool.map(_weakness, asked)))
    weak = [f"{registry.name} {weakness}" for registry, weakness in found.items() if weakness]
    if weak:
        return Observation(True, "; ".join(weak))
    answering = [registry.name for registry, weakness in found.items() if weakness is not None]
    if answering:
        return Observation(False, f"{', '.join(answering)}: no answer without TLS, none without credentials")
    return Observation(None, f"no answer from {', '.join(registry.name for registry in asked)}")


def _weakness(registry: Registry) -> str | None:
    """Say what is wrong with a registry; None where it does not answer."""
    plain = _status(registry.host, registry.port or 80, tls=False)
    if plain in (OPEN, LOCKED):
        return "answers without TLS" + (" and without credentials" if plain == OPEN else "")
    encrypted = _status(registry.host, registry.port or 443, tls=True)
    if encrypted == OPEN and not registry.mirror:
        return "answers without credentials"
    return None if encrypted is None and plain is None else ""


def _status(host: str, port: int, tls: bool) -> int | None:
    """Return the status of a registry's answer; None without one."""
    try:
        return status(host, port, stranger_context() if tls else None, timeout=_SECONDS, name=host)
    except (OSError, ValueError):
        return None


def started_by_workload(files: FileSystem) -> Observation:
    """Tell whether docker_workload, profile strict, would start an image that nobody signed, by the host's policy."""
    try:
        policy = store.read_policy(files)
    except UnreadableError as error:
        return Observation(False, f"docker_workload refuses it, since {error}")
    if policy is None:
        return Observation(False, "docker_workload refuses it, since the host has no policy for images")
    entry = policy.match(_NOWHERE)
    if entry and entry.action == policies.ACCEPT:
        return Observation(True, f"the host's policy accepts images without a signature ({entry.repository})")
    return Observation(False, "docker_workload refuses it, by the host's policy for images")


def _nothing(_program: Program, _around: Surroundings) -> None:
    """Try nothing in the container."""


#: What is found out on the host.
REGISTRY = Probe(
    *("registry", "Use a registry without TLS or without credentials", ("T7",), _nothing),
    lambda _told: Observation(None, "no registry could be asked"),
)
