# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a user wants of the packet filter. Whatever can't be meant is refused here, before anything changes.

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Mapping, Sequence, Tuple, Union

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]
Ports = Tuple[int, int]

PROTOCOLS = ("tcp", "udp", "sctp")
#: Of an egress entry: every protocol, those without ports as well.
ANY_PROTOCOL = "any"
#: IFNAMSIZ is 16 with the closing zero; a plus at the end stands for any rest, as in iptables.
_INTERFACE = re.compile(r"[A-Za-z0-9_.:@-]{1,15}|[A-Za-z0-9_.:@-]{1,14}\+")


@dataclass(frozen=True)
class Peer:
    """The far end of the connection by which a host is being configured, and the host's own port and address."""

    address: Address
    port: int
    host: Address


@dataclass(frozen=True)
class Flow:
    """New connections that are let through. What is empty is not looked at."""

    protocol: str = "tcp"
    ports: Ports | None = None
    sources: tuple[Network, ...] = ()
    destinations: tuple[Network, ...] = ()
    interface: str = ""

    def is_dialled_by(self, peer: Peer) -> bool:
        """Tell whether what the peer connects to is meant, whoever may do so."""
        port = self.protocol == "tcp" and (self.ports is None or self.ports[0] <= peer.port <= self.ports[1])
        return port and (not self.destinations or any(peer.host in network for network in self.destinations))

    def admits(self, peer: Peer) -> bool:
        """Tell whether the peer is let through.

        What comes by one interface only does not count, since nobody knows by which one the peer comes.
        """
        open_to_it = not self.sources or any(peer.address in source for source in self.sources)
        return open_to_it and self.is_dialled_by(peer) and not self.interface


@dataclass(frozen=True)
class Policy:
    """All that a host's packet filter is to do for Docker."""

    published: tuple[Flow, ...] = ()
    default_deny: bool = False
    trusted_clients: tuple[Network, ...] = ()
    api_ports: Ports = (2375, 2376)
    input: tuple[Flow, ...] = ()
    egress: tuple[Flow, ...] = ()
    egress_blocked: tuple[Network, ...] = ()
    isolate_bridges: bool = True
    bridges: tuple[str, ...] = ()
    log_per_minute: int = 0

    def covers(self, interface: str) -> bool:
        """Tell whether the name of an interface is one of `bridges`, or fits one of them that ends in a plus."""
        return any(
            fnmatchcase(interface, name[:-1] + "*") if name.endswith("+") else interface == name
            for name in self.bridges
        )

    def shuts_out(self, peer: Peer, proxied: Sequence[Flow] = ()) -> bool:
        """Tell whether a new connection of the peer would be dropped; `proxied` is what is closed for docker-proxy."""
        if self.api_ports[0] <= peer.port <= self.api_ports[1]:
            return not any(peer.address in network for network in self.trusted_clients)
        if any(flow.is_dialled_by(peer) for flow in self.published):
            return not any(flow.admits(peer) for flow in self.published)
        if any(flow.is_dialled_by(peer) for flow in proxied):
            return True
        return bool(self.input) and not any(flow.admits(peer) for flow in self.input)


def parse(options: Mapping[str, Any]) -> Policy:
    """Return the policy in a module's options; InputError for what is wrong in them."""
    if options["log"] < 0:
        raise InputError(f"log is {options['log']}: give messages per minute, 0 for none. Nothing was changed.")
    return Policy(
        published=tuple(_flow(f"published[{index}]", item) for index, item in enumerate(options["published"])),
        default_deny=options["default_deny"],
        trusted_clients=_networks("trusted_clients", options["trusted_clients"]),
        api_ports=_ports("api_ports", options["api_ports"]),
        input=tuple(_flow(f"input[{index}]", item) for index, item in enumerate(options["input"])),
        egress=tuple(_flow(f"egress[{index}]", item) for index, item in enumerate(options["egress"])),
        egress_blocked=_networks("egress_blocked", options["egress_blocked"]),
        isolate_bridges=options["isolate_bridges"],
        bridges=tuple(_interface("bridges", name) for name in options["bridges"]),
        log_per_minute=options["log"],
    )


def _flow(where: str, item: Mapping[str, Any]) -> Flow:
    protocol = item["protocol"]
    if protocol == ANY_PROTOCOL and item.get("port"):
        raise InputError(f"{where} has a port but no protocol that has ports: set protocol. Nothing was changed.")
    flow = Flow(
        protocol="" if protocol == ANY_PROTOCOL else protocol,
        ports=_ports(where, item["port"]) if item.get("port") else None,
        sources=_networks(f"{where}.sources", item.get("sources") or []),
        destinations=_networks(f"{where}.destinations", item.get("destinations") or []),
        interface=_interface(where, item["interface"]) if item.get("interface") else "",
    )
    if flow.sources and flow.destinations:
        lonely = {network.version for network in flow.sources} ^ {network.version for network in flow.destinations}
        for network in (*flow.sources, *flow.destinations):
            if network.version in lonely:
                raise InputError(
                    f"{where} mixes families: {network} is IPv{network.version}, but no address at the other end is."
                    " Write an entry for each family. Nothing was changed."
                )
    return flow


def _ports(where: str, text: str) -> Ports:
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?", text.strip())
    first, last = (int(match.group(1)), int(match.group(2) or match.group(1))) if match else (0, 0)
    if not 1 <= first <= last <= 65535:
        raise InputError(
            f"{where}: {text!r} is no port: give a number from 1 to 65535 or a range like 8000-8010."
            " Nothing was changed."
        )
    return first, last


def _networks(where: str, texts: Sequence[str]) -> tuple[Network, ...]:
    return tuple(_network(where, text) for text in texts)


def _network(where: str, text: str) -> Network:
    try:
        network = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise InputError(
            f"{where}: {error}; give an address like 192.0.2.7 or a network like 2001:db8::/32. Nothing was changed."
        ) from None
    if ipaddress.ip_address(text.strip().partition("/")[0]) != network.network_address:
        raise InputError(
            f"{where}: {text} is an address within {network}; give the one or the other. Nothing was changed."
        )
    return network


def _interface(where: str, name: str) -> str:
    if not _INTERFACE.fullmatch(name):
        raise InputError(
            f"{where}: {name!r} is no name of an interface; it has at most 15 characters and may end in +, as br-+."
            " Nothing was changed."
        )
    return name
