# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# From a policy to rules, in a form of which both iptables' and nftables' text is made.
#
# The rules only ever take away: what they let through goes on to the rules of Docker, ufw or firewalld.
# Published ports are recognised by what the client dialled (conntrack's original direction), since Docker has already
# exchanged address and port when a packet is forwarded.

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_network
from itertools import product
from typing import Iterator

from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import (
    Flow,
    Network,
    Peer,
    Policy,
    Ports,
)

FORWARD, CONTAINERS, PUBLISHED, INPUT, DROPPED = "forward", "containers", "published", "input", "dropped"
EGRESS = "egress"
PASS, DROP = "pass", "drop"
IPV4, IPV6 = 4, 6
_DHCPV6_CLIENT = 546
_LINK_LOCAL = "fe80::/10"
#: Without docker-proxy Docker lets the kernel route these addresses on its bridges (route_localnet), and engines before
#: 28 don't keep others from dialling them.
_LOOPBACK = "127.0.0.0/8"


@dataclass(frozen=True)
class Rule:
    """What a packet must be like (empty fields are not looked at), and what becomes of it: a verdict or a chain."""

    verdict: str
    family: int = 0
    state: str = ""
    """`established`, or `dnat` for what was sent to a published port."""
    iif: str = ""
    oif: str = ""
    protocol: str = ""
    source: str = ""
    destination: str = ""
    ports: Ports | None = None
    dialled: bool = False
    """Whether destination and ports are those that the client dialled."""
    log_per_minute: int = 0
    """At most so many messages; the packet then goes on to the next rule, whatever the verdict is."""


@dataclass(frozen=True)
class Chain:
    """A named list of rules; whatever meets none of them goes on to the host's other rules."""

    name: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Surroundings:
    """What else the rules depend on."""

    bridges: tuple[str, ...] = ()
    """The bridges that the engine has now."""
    own: tuple[str, ...] = ()
    """The host's own interfaces that a pattern of the policy's bridges covers; outside of them is outside."""
    proxied: tuple[Flow, ...] = ()
    """What docker-proxy answers on the host itself, so that nothing is forwarded: to IPv6 that the container does not
    have, and to other containers."""
    peer: Peer | None = None
    """Who configures the host, if the policy would shut him out."""


def chains(policy: Policy, around: Surroundings) -> list[Chain]:
    """Return the rules for both families; the same policy and surroundings give the same rules in the same order."""
    patterns = [*policy.bridges, *(name for name in around.bridges if not policy.covers(name))]
    known = sorted({*(name for name in policy.bridges if not name.endswith("+")), *around.bridges})
    established = Rule(PASS, state="established")
    forward = [
        established,
        *(rule for name in around.own for rule in _from_outside(name, patterns)),
        *(Rule(CONTAINERS, iif=pattern) for pattern in patterns),
        *(Rule(PUBLISHED, oif=pattern) for pattern in patterns),
    ]
    return [
        Chain(DROPPED, tuple(_dropped(policy))),
        Chain(EGRESS, tuple(_egress(policy))),
        Chain(CONTAINERS, tuple(_containers(policy, around, patterns, known))),
        Chain(PUBLISHED, tuple(_published(policy, around))),
        Chain(FORWARD, tuple(forward)),
        Chain(INPUT, (established, *_input(policy, around, patterns))),
    ]


def _from_outside(own: str, patterns: list[str]) -> Iterator[Rule]:
    """Return the rules for what comes by an interface of the host's own; what goes elsewhere is not looked at."""
    for pattern in patterns:
        yield Rule(PUBLISHED, iif=own, oif=pattern)
    yield Rule(PASS, iif=own)


def _dropped(policy: Policy) -> Iterator[Rule]:
    if policy.log_per_minute:
        yield Rule(DROP, log_per_minute=policy.log_per_minute)
    yield Rule(DROP)


def _egress(policy: Policy) -> Iterator[Rule]:
    """Return the rules for what containers send outside of the host."""
    if policy.egress:
        for flow in policy.egress:
            yield from _matching(flow, PASS)
        yield Rule(DROPPED)


def _containers(policy: Policy, around: Surroundings, patterns: list[str], known: list[str]) -> Iterator[Rule]:
    """Return the rules for what containers send, but not to the host itself."""
    for network in policy.egress_blocked:
        yield Rule(DROPPED, family=network.version, destination=str(network))
    for name in around.own:
        yield Rule(EGRESS, oif=name)
    if policy.isolate_bridges:
        # No rule can say "the same bridge" without its name. So a bridge that is made later is parted from those that
        # are known now, but its own containers can talk until then, as the engine has it.
        for bridge in known:
            yield Rule(PASS, iif=bridge, oif=bridge)
        for bridge in known:
            yield Rule(DROPPED, oif=bridge)
        for bridge, pattern in product(known, patterns):
            if pattern not in known:
                yield Rule(DROPPED, iif=bridge, oif=pattern)
    if policy.egress:
        for pattern in patterns:
            yield Rule(PASS, oif=pattern)
        yield Rule(EGRESS)


def _published(policy: Policy, around: Surroundings) -> Iterator[Rule]:
    """Return the rules for what others send to containers."""
    for name in around.own:
        yield Rule(PASS, oif=name)
    yield Rule(DROPPED, family=IPV4, destination=_LOOPBACK, dialled=True)
    yield from _listed(policy, dialled=True)
    if not policy.default_deny:
        # What was not sent to a published port dialled a container's own address. Engines before 28 let that through
        # to every published port, and where the host forwarded before Docker came, to every other port as well.
        yield Rule(PASS, state="dnat")
    yield Rule(DROPPED)


def _input(policy: Policy, around: Surroundings, patterns: list[str]) -> Iterator[Rule]:
    """Return the rules for what is sent to the host itself: to its services, to the engine, and to docker-proxy."""
    yield Rule(PASS, iif="lo")
    yield Rule(DROPPED, family=IPV4, destination=_LOOPBACK)
    if around.peer:
        port = around.peer.port
        yield from _matching(Flow("tcp", (port, port), (ip_network(around.peer.address),)), PASS)
    api = Flow("tcp", policy.api_ports, policy.trusted_clients)
    if policy.trusted_clients:
        for name in around.own:
            yield from _matching(replace(api, interface=name), PASS)
    for pattern in patterns:
        yield Rule(DROPPED, iif=pattern, protocol="tcp", ports=api.ports)
    if policy.trusted_clients:
        yield from _matching(api, PASS)
    yield Rule(DROPPED, protocol="tcp", ports=api.ports)
    yield from _listed(policy, dialled=False)
    for flow in around.proxied:
        yield from _matching(flow, DROPPED)
    if policy.input:
        for flow in policy.input:
            yield from _matching(flow, PASS)
        # Without these a host loses its neighbours, its routes and, in time, its address.
        yield Rule(PASS, family=IPV4, protocol="icmp")
        yield Rule(PASS, family=IPV6, protocol="ipv6-icmp")
        yield Rule(PASS, family=IPV6, source=_LINK_LOCAL, protocol="udp", ports=(_DHCPV6_CLIENT, _DHCPV6_CLIENT))
        yield Rule(DROPPED)


def _listed(policy: Policy, dialled: bool) -> Iterator[Rule]:
    for flow in policy.published:
        yield from _matching(flow, PASS, dialled)
    for flow in policy.published:
        # Sources and interface say who may come; address and port, what it is about.
        subject = Flow(flow.protocol, flow.ports, destinations=flow.destinations)
        yield from _matching(subject, DROPPED, dialled)


def _matching(flow: Flow, verdict: str, dialled: bool = False) -> Iterator[Rule]:
    """Return a rule for each pair of a source and a destination of the same family."""
    for source, destination in product(flow.sources or (None,), flow.destinations or (None,)):
        versions = {network.version for network in (source, destination) if network}
        if len(versions) < 2:
            yield Rule(
                verdict,
                family=next(iter(versions), 0),
                iif=flow.interface,
                protocol=flow.protocol,
                source=_text(source),
                destination=_text(destination),
                ports=flow.ports,
                dialled=dialled,
            )


def _text(network: Network | None) -> str:
    return str(network) if network else ""
