# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What becomes of packets, by a small model of the kernel's walk through the chains. The scenario docker_firewall sends
# real ones.

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.firewall import ruleset
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import Flow, Peer, Policy
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.ruleset import Rule, Surroundings
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.firewall.policies import policy

KNOWN = Surroundings(bridges=("br-aaa", "br-bbb", "custom", "docker0"))


@dataclass(frozen=True)
class Packet:
    """A packet; `dialled` is where its client sent it, if that is another destination."""

    iif: str
    oif: str = ""
    source: str = "192.0.2.1"
    destination: str = "172.17.0.2"
    port: int = 80
    protocol: str = "tcp"
    dialled: tuple[str, int] | None = None
    established: bool = False


def matches(rule: Rule, packet: Packet) -> bool:
    address, port = packet.destination, packet.port
    if rule.dialled and packet.dialled:
        address, port = packet.dialled

    def named(pattern: str, name: str) -> bool:
        return not pattern or fnmatchcase(name, pattern.replace("+", "*"))

    def within(network: str, host: str) -> bool:
        return not network or ip_address(host) in ip_network(network)

    state = {"": True, "established": packet.established, "dnat": packet.dialled is not None}
    return (
        rule.family in (0, ip_address(packet.source).version)
        and state[rule.state]
        and named(rule.iif, packet.iif)
        and named(rule.oif, packet.oif)
        and within(rule.source, packet.source)
        and within(rule.destination, address)
        and rule.protocol in ("", packet.protocol)
        and (rule.ports is None or rule.ports[0] <= port <= rule.ports[1])
    )


def passes(wanted: Policy, packet: Packet, around: Surroundings = KNOWN) -> bool:
    chains = {chain.name: chain.rules for chain in ruleset.chains(wanted, around)}
    current = ruleset.FORWARD if packet.oif else ruleset.INPUT
    while True:
        rule = next((rule for rule in chains[current] if not rule.log_per_minute and matches(rule, packet)), None)
        if rule is None or rule.verdict == ruleset.PASS:
            return True
        if rule.verdict == ruleset.DROP:
            return False
        current = rule.verdict


def published(source: str, port: int = 8080, iif: str = "eth0", address: str = "203.0.113.1") -> Packet:
    return Packet(iif, "docker0", source, dialled=(address, port))


LISTED: dict[str, Any] = {"published": [{"port": "8080", "sources": ["10.1.0.0/16"], "interface": "eth0"}]}


@pytest.mark.parametrize(
    ("given", "packet", "passing"),
    [
        (LISTED, published("10.1.2.3"), True),
        (LISTED, published("10.1.2.3", iif="eth1"), False),
        (LISTED, published("10.2.2.3"), False),
        (LISTED, published("10.2.2.3", 8081), True),
        ({**LISTED, "default_deny": True}, published("10.1.2.3"), True),
        ({**LISTED, "default_deny": True}, published("10.1.2.3", 8081), False),
        ({"published": [{"port": "8080", "destinations": ["203.0.113.1"]}]}, published("10.9.9.9"), True),
        (
            {"published": [{"port": "8080", "sources": ["10.1.0.0/16"], "destinations": ["203.0.113.1"]}]},
            published("10.9.9.9", address="203.0.113.2"),
            True,
        ),
        ({}, Packet("eth0", "docker0"), False),
        ({}, Packet("eth0", "docker0", established=True), True),
        ({"published": [{"port": "80"}]}, Packet("eth0", "docker0"), True),
        ({"published": [{"port": "8080"}]}, published("192.0.2.1", address="127.0.0.1"), False),
        ({}, Packet("eth0", "eth1"), True),
        ({}, Packet("eth0", "docker0", "2001:db8::1", "fd00::2"), False),
    ],
)
def test_from_outside_to_containers(given: dict[str, Any], packet: Packet, passing: bool) -> None:
    assert passes(policy(**given), packet) is passing


@pytest.mark.parametrize(
    ("iif", "oif", "passing"),
    [
        ("docker0", "docker0", True),
        ("custom", "custom", True),
        ("docker0", "custom", False),
        ("br-aaa", "br-bbb", False),
        ("docker0", "br-new", False),
        ("br-new", "docker0", False),
        ("br-new", "br-new", True),
        ("docker0", "eth0", True),
    ],
)
def test_between_bridges(iif: str, oif: str, passing: bool) -> None:
    packet = Packet(iif, oif, "172.17.0.3", dialled=("172.17.0.1", 9090))
    assert passes(policy(), packet) is passing
    assert passes(policy(isolate_bridges=False), packet)


METADATA = Packet("br-new", "eth0", "172.20.0.2", "169.254.169.254")


@pytest.mark.parametrize(
    ("given", "packet", "passing"),
    [
        ({}, METADATA, True),
        ({"egress_blocked": ["169.254.169.254"]}, METADATA, False),
        ({"egress_blocked": ["169.254.169.254"]}, Packet("eth1", "eth0", destination="169.254.169.254"), True),
        ({"egress": [{"port": "443", "destinations": ["10.0.0.0/8"]}]}, METADATA, False),
        ({"egress": [{"port": "80"}]}, METADATA, True),
        ({"egress": [{"port": "80"}], "egress_blocked": ["169.254.169.254"]}, METADATA, False),
        ({"egress": [{"port": "443"}]}, Packet("br-new", "br-new"), True),
        (
            {"egress": [{"protocol": "any", "destinations": ["10.0.0.1"]}]},
            Packet("docker0", "eth0", protocol="icmp"),
            False,
        ),
        (
            {"egress": [{"protocol": "any", "destinations": ["10.0.0.1"]}]},
            Packet("docker0", "eth0", destination="10.0.0.1", protocol="icmp"),
            True,
        ),
    ],
)
def test_from_containers_to_outside(given: dict[str, Any], packet: Packet, passing: bool) -> None:
    assert passes(policy(**given), packet) is passing


CLIENTS: dict[str, Any] = {"trusted_clients": ["192.0.2.0/24", "172.17.0.0/16"]}
SSH: dict[str, Any] = {"input": [{"port": "22", "sources": ["192.0.2.1"]}]}
ADMITTED = Surroundings(peer=Peer(ip_address("203.0.113.9"), 2022, ip_address("203.0.113.1")))


@pytest.mark.parametrize(
    ("given", "packet", "passing"),
    [
        ({}, Packet("eth0", port=2376), False),
        (CLIENTS, Packet("eth0", port=2376), True),
        (CLIENTS, Packet("eth0", source="198.51.100.1", port=2376), False),
        (CLIENTS, Packet("docker0", source="172.17.0.2", port=2376), False),
        (CLIENTS, Packet("br-new", source="172.17.0.2", port=2375), False),
        ({}, Packet("lo", port=2376), True),
        ({}, Packet("lo", source="127.0.0.1", destination="127.0.0.1"), True),
        ({}, Packet("docker0", source="172.17.0.2", destination="127.0.0.1"), False),
        ({}, Packet("eth0", port=2376, established=True), True),
        ({}, Packet("eth0", port=22), True),
        (LISTED, Packet("eth0", source="2001:db8::1", destination="2001:db8::2", port=8080), False),
        (LISTED, Packet("eth0", source="10.1.0.1", port=8080), True),
        (SSH, Packet("eth0", port=22), True),
        (SSH, Packet("eth0", source="192.0.2.2", port=22), False),
        (SSH, Packet("eth0", port=25), False),
        (SSH, Packet("eth0", protocol="icmp", port=0), True),
        (SSH, Packet("eth0", source="fe80::1", destination="fe80::2", protocol="ipv6-icmp", port=0), True),
        (SSH, Packet("eth0", source="fe80::1", destination="fe80::2", protocol="udp", port=546), True),
        ({**SSH, **CLIENTS}, Packet("eth0", port=2376), True),
    ],
)
def test_to_the_host(given: dict[str, Any], packet: Packet, passing: bool) -> None:
    assert passes(policy(**given), packet) is passing


def test_peer_and_ports_of_docker_proxy() -> None:
    peer = Packet("eth0", source="203.0.113.9", port=2022)
    assert not passes(policy(**SSH), peer)
    assert passes(policy(**SSH), peer, ADMITTED)
    assert not passes(policy(**SSH), Packet("eth0", source="203.0.113.8", port=2022), ADMITTED)
    one_address = (ip_network("203.0.113.6"),)
    proxied = Surroundings(proxied=(Flow(ports=(9000, 9000)), Flow(ports=(22, 22), destinations=one_address)))
    assert not passes(policy(default_deny=True), Packet("eth0", source="2001:db8::1", port=9000), proxied)
    assert passes(policy(default_deny=True), Packet("eth0", source="2001:db8::1", port=9001), proxied)
    assert not passes(policy(default_deny=True), Packet("eth0", destination="203.0.113.6", port=22), proxied)
    assert passes(policy(default_deny=True), Packet("eth0", destination="203.0.113.5", port=22), proxied)
    assert passes(policy(default_deny=True), Packet("eth0", destination="2001:db8::5", port=22), proxied)


UPLINK = Surroundings(bridges=("br-0123456789ab", "docker0"), own=("br-lan", "br-vm"))


@pytest.mark.parametrize(
    ("given", "packet", "passing"),
    [
        ({}, published("192.0.2.1", iif="br-lan"), True),
        (LISTED, published("192.0.2.1", iif="br-lan"), False),
        ({"default_deny": True}, published("192.0.2.1", iif="br-lan"), False),
        ({}, Packet("br-lan", "docker0"), False),
        ({}, Packet("br-lan", "br-new"), False),
        ({}, Packet("br-lan", "br-vm"), True),
        ({}, Packet("br-lan", "eth0"), True),
        ({}, Packet("eth0", "br-vm"), True),
        ({}, Packet("docker0", "br-lan"), True),
        ({}, Packet("docker0", "br-new"), False),
        ({}, Packet("br-new", "br-lan"), True),
        ({"egress_blocked": ["172.17.0.2"]}, Packet("docker0", "br-lan"), False),
        ({"egress": [{"port": "80"}]}, Packet("docker0", "br-lan"), True),
        ({"egress": [{"port": "443"}]}, Packet("docker0", "br-lan"), False),
        ({"egress": [{"port": "443"}]}, Packet("docker0", "docker0"), True),
        ({"egress": [{"port": "443"}]}, Packet("br-vm", "br-lan"), True),
        ({}, Packet("br-lan", port=2376), False),
        (CLIENTS, Packet("br-lan", port=2376), True),
        (CLIENTS, Packet("br-lan", source="198.51.100.1", port=2376), False),
        (CLIENTS, Packet("br-new", source="192.0.2.1", port=2376), False),
    ],
)
def test_bridge_of_the_host_itself_is_outside(given: dict[str, Any], packet: Packet, passing: bool) -> None:
    assert passes(policy(**given), packet, UPLINK) is passing


def test_same_input_gives_same_rules(rich: Policy) -> None:
    assert ruleset.chains(rich, KNOWN) == ruleset.chains(rich, Surroundings(bridges=KNOWN.bridges))
