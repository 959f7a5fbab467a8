# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The ports of a container that the host publishes, or will once it is started.

from __future__ import annotations

import ipaddress
from typing import Any, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.network import Binding, bindings


def published(container: Document, running: bool, addresses: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the ports in the order of the container's; 0 is one that the engine chooses at the start.

    `addresses` are the host's, by network, on which it publishes a port that names none.
    """
    found = bindings(container, "NetworkSettings", "Ports") if running else _configured(container, addresses)
    return [
        {
            "container_port": at.container_port,
            "host_address": at.address,
            "host_port": int(at.port.partition("-")[0] or "0"),
            "all_addresses": _is_unspecified(at.address),
        }
        for at in found
    ]


def _configured(container: Document, addresses: Mapping[str, str]) -> Iterator[Binding]:
    mode = container.string("HostConfig", "NetworkMode")
    if mode in ("host", "none"):  # with which the engine keeps the request, and discards the ports
        return
    unnamed = addresses.get("bridge" if mode == "default" else mode, "")
    for at in bindings(container, "HostConfig", "PortBindings"):
        yield at._replace(address=at.address or unnamed)
    if container.has("HostConfig", "PublishAllPorts") and container.boolean("HostConfig", "PublishAllPorts"):
        exposed = container.mapping("Config", "ExposedPorts") if container.has("Config", "ExposedPorts") else {}
        bound = container.mapping("HostConfig", "PortBindings")
        yield from (Binding(port, unnamed, "") for port in sorted(exposed) if not bound.get(port))


def _is_unspecified(address: str) -> bool:
    """Tell whether this means all addresses, as nothing, 0.0.0.0, :: and every other way to write these do."""
    try:
        return not address or ipaddress.ip_address(address).is_unspecified
    except ValueError:
        return False
