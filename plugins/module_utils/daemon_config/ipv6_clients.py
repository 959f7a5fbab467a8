# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whose clients reach a published port over IPv6. To a container without an address of IPv6 only docker-proxy leads
# them, so that they find the port closed when userland-proxy is turned off. Sources: Engine API (GET
# /containers/json), proc(5) and the kernel's net/ipv6/addrconf.c for if_inet6.

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.host_files import text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_GLOBAL_SCOPE = "00"
#: The engine's bridges, on which nobody reaches the host from outside.
_BRIDGE = re.compile(r"docker0|docker_gwbridge|br-[0-9a-f]{12}")


def reached(containers: Any, files: FileSystem) -> dict[str, bool]:
    """Return the containers with a port for this host's clients over IPv6, and whether they have an address of it.

    `containers` is the engine's list; anything else, or a host without an address of IPv6, gives none.
    """
    if not isinstance(containers, list) or not _has_address(files):
        return {}
    return {_name(item): _has_own(item) for item in containers if any(map(_is_ipv6, item.get("Ports") or ()))}


def _has_address(files: FileSystem) -> bool:
    lines = [line.split() for line in text_of(files, "/proc/net/if_inet6").splitlines()]
    return any(scope == _GLOBAL_SCOPE and not _BRIDGE.fullmatch(name) for *_address, scope, _flags, name in lines)


def _is_ipv6(port: Mapping[str, Any]) -> bool:
    address = port.get("IP") or ""
    return bool(port.get("PublicPort")) and ":" in address and not ip_address(address).is_loopback


def _has_own(container: Mapping[str, Any]) -> bool:
    networks = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return any(network.get("GlobalIPv6Address") for network in networks.values())


def _name(container: Mapping[str, Any]) -> str:
    names: Sequence[str] = container.get("Names") or [container.get("Id", "")[:12]]
    return names[0].lstrip("/")
