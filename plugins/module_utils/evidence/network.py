# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine's networks. Source: https://docs.docker.com/engine/network/drivers/bridge/ (options of the bridge driver).

from __future__ import annotations

from typing import Any, Iterable, Iterator, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError, gather
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.reasons import stated
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_BRIDGE = "com.docker.network.bridge."
_BRIDGE_FILTERS = "/proc/sys/net/bridge/bridge-nf-call-"
#: What engines before 28 tell of these switches.
_TOLD_FILTERS = {"iptables": "BridgeNfIptables", "ip6tables": "BridgeNfIp6tables"}


class Binding(NamedTuple):
    """A port of a container (`80/tcp`) and where the host publishes it; the port can be empty or a range."""

    container_port: str
    address: str
    port: str


def bindings(container: Document, *path: str) -> Iterator[Binding]:
    """Yield the published ports in the object at `path`, ordered by the container's port."""
    ports = Document(container.mapping(*path), f"{container.name}, published ports")
    for name in sorted(ports.raw):
        for binding in ports.objects(name):
            yield Binding(name, binding.string("HostIp"), binding.string("HostPort"))


def option(network: Document, name: str, default: str) -> str:
    """Return an option of the network as the text that the engine has."""
    value = network.mapping("Options").get(name, default)
    return value if isinstance(value, str) else default


def allows_icc(network: Document) -> bool | None:
    """Tell whether containers on this bridge reach each other; None for other drivers."""
    if network.string("Driver") != "bridge":
        return None
    return option(network, _BRIDGE + "enable_icc", "true").lower() != "false"


def binding_address(network: Document) -> str:
    """Return on which address of the host ports are published that name none; empty where the network names none."""
    return option(network, _BRIDGE + "host_binding_ipv4", "")


def binding_addresses(networks: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return these addresses by the networks' names; none of a network that can't be understood."""
    return {
        str(raw.get("Name")): binding_address(Document(raw, "a network"))
        for raw in networks
        if isinstance(raw.get("Options"), dict)
    }


def is_default_bridge(network: Document) -> bool:
    """Tell whether this is the network that containers join when none is named (docker0)."""
    return network.string("Name") == "bridge" and network.string("Driver") == "bridge"


def bridge_filtered(documents: EngineDocuments, files: FileSystem, ipv6: bool, ip6tables: bool | None) -> bool:
    """Tell whether traffic inside a bridge is filtered, without which disabled ICC is void.

    That is whether the kernel shows it to iptables; with `ipv6` also to ip6tables, where the daemon has to have its
    rules as well (`ip6tables`, None where that is unknown).
    """
    filtered = _shown(documents, files, "iptables")
    if not filtered or not ipv6:
        return filtered
    if ip6tables is None:
        raise UnreadableError("whether the daemon filters IPv6 is unknown")
    return ip6tables and _shown(documents, files, "ip6tables")


def _shown(documents: EngineDocuments, files: FileSystem, program: str) -> bool:
    """Ask the kernel; where it can't be seen the engine, which keeps telling what it found when it started."""
    info, told = Document(documents.info, "/info"), _TOLD_FILTERS[program]
    if "name=rootless" not in info.strings("SecurityOptions"):
        try:
            return files.read_text(_BRIDGE_FILTERS + program, 16).strip() == "1"
        except FileNotFoundError:
            return False
        except OSError:
            if not info.has(told):
                raise
    elif not info.has(told):
        raise UnreadableError("the packet filter of a rootless engine is in a network namespace of its own")
    return info.boolean(told)


def collect(documents: EngineDocuments, files: FileSystem, ip6tables: bool | None) -> list[dict[str, Any]]:
    """Return the evidence of each network but `host` and `none`, which have nothing to judge.

    `ip6tables` tells whether the daemon filters IPv6, None where that is unknown.
    """
    members = _members(documents)
    networks = (Document(raw, f"network {raw.get('Name')}") for raw in documents.networks)
    return [
        gather(
            network,
            {
                "id": lambda doc: doc.string("Id"),
                "name": lambda doc: doc.string("Name"),
                "driver": lambda doc: doc.string("Driver"),
                "scope": lambda doc: doc.string("Scope"),
                "internal": lambda doc: doc.boolean("Internal"),
                "ipv6": lambda doc: doc.boolean("EnableIPv6"),
                "default_bridge": is_default_bridge,
                "icc": allows_icc,
                "bridge_filtered": lambda doc: bridge_filtered(documents, files, doc.boolean("EnableIPv6"), ip6tables),
                "gateway_modes": _gateway_modes,
                "containers": lambda doc: members.get(doc.string("Name"), []),
                "reasons": lambda doc: stated(doc, "Labels"),
            },
        )
        for network in networks
        if network.raw.get("Driver") not in ("host", "null")
    ]


def _gateway_modes(network: Document) -> list[str]:
    modes = (option(network, f"{_BRIDGE}gateway_mode_{family}", "nat") for family in ("ipv4", "ipv6"))
    return sorted(set(modes))


def _members(documents: EngineDocuments) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for raw in documents.containers:
        settings = raw.get("NetworkSettings")
        joined = settings.get("Networks") if isinstance(settings, dict) else None
        for name in joined if isinstance(joined, dict) else ():
            found.setdefault(name, []).append(str(raw.get("Name", "")).lstrip("/"))
    return {name: sorted(containers) for name, containers in found.items()}
