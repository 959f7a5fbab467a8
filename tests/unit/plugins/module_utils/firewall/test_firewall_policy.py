# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import Peer, parse
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.firewall.policies import options, policy


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"published": [{"port": "80", "sources": ["10.0.0.300"]}]}, r"published\[0\].sources: .*10.0.0.300"),
        ({"published": [{"port": "80"}, {"port": "80", "sources": ["10.0.0.1/8"]}]}, r"published\[1\].*10.0.0.0/8"),
        ({"trusted_clients": ["2001:db8::1/32"]}, "an address within 2001:db8::/32"),
        ({"egress_blocked": ["example.org"]}, "egress_blocked: 'example.org'"),
        ({"input": [{"port": "0"}]}, r"input\[0\]: '0' is no port"),
        ({"input": [{"port": "65536"}]}, "'65536' is no port"),
        ({"input": [{"port": "90-80"}]}, "'90-80' is no port"),
        ({"input": [{"port": "http"}]}, "'http' is no port"),
        ({"api_ports": ""}, "api_ports: '' is no port"),
        ({"egress": [{"protocol": "any", "port": "80"}]}, r"egress\[0\] has a port but no protocol"),
        ({"bridges": ["br-a-name-that-is-too-long"]}, "bridges: .* is no name of an interface"),
        ({"bridges": ["br; reboot"]}, "is no name of an interface"),
        ({"published": [{"port": "80", "interface": "eth0 -j ACCEPT"}]}, "is no name of an interface"),
        (
            {"published": [{"port": "80", "sources": ["2001:db8::1"], "destinations": ["192.0.2.1"]}]},
            r"published\[0\] mixes families: 2001:db8::1/128 is IPv6",
        ),
        (
            {"published": [{"port": "80", "sources": ["10.0.0.1", "2001:db8::1"], "destinations": ["192.0.2.1"]}]},
            "mixes families: 2001:db8::1/128",
        ),
        ({"log": -1}, "log is -1"),
    ],
)
def test_what_can_not_be_meant_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message) as refusal:
        parse(options(**wrong))
    assert "Nothing was changed." in str(refusal.value)


def test_addresses_are_taken_in_every_notation() -> None:
    [flow] = policy(published=[{"port": "80-81", "sources": ["2001:DB8:0::/32", "10.0.0.1", " ::1 "]}]).published
    assert [str(source) for source in flow.sources] == ["2001:db8::/32", "10.0.0.1/32", "::1/128"]
    assert flow.ports == (80, 81)


HOST = ip_address("203.0.113.5")
INPUT = [{"port": "22", "sources": ["10.0.0.0/8"]}]


@pytest.mark.parametrize(
    ("given", "address", "port", "shut_out"),
    [
        ({}, "192.0.2.1", 22, False),
        ({"input": INPUT}, "10.2.3.4", 22, False),
        ({"input": INPUT}, "192.0.2.1", 22, True),
        ({"input": INPUT}, "2001:db8::1", 22, True),
        ({"input": INPUT}, "10.2.3.4", 2022, True),
        ({"input": [{"port": "22", "interface": "eth0"}]}, "10.2.3.4", 22, True),
        ({"input": [{"port": "22", "protocol": "udp"}]}, "10.2.3.4", 22, True),
        ({"published": INPUT}, "192.0.2.1", 22, True),
        ({"published": INPUT, "input": [{"port": "22"}]}, "192.0.2.1", 22, True),
        ({"published": INPUT}, "10.2.3.4", 22, False),
        ({"published": [{"port": "22", "destinations": ["203.0.113.6"]}]}, "192.0.2.1", 22, False),
        ({"published": [{"port": "22", "destinations": ["203.0.113.6"]}], "input": INPUT}, "192.0.2.1", 22, True),
        ({}, "192.0.2.1", 2376, True),
        ({"trusted_clients": ["192.0.2.0/24"]}, "192.0.2.1", 2376, False),
    ],
)
def test_peer_that_would_be_shut_out_is_noticed(given: dict[str, Any], address: str, port: int, shut_out: bool) -> None:
    assert policy(**given).shuts_out(Peer(ip_address(address), port, HOST)) is shut_out


@pytest.mark.parametrize(
    ("published", "proxied", "shut_out"),
    [
        ([], [], False),
        ([], [{"port": "22"}], True),
        ([], [{"port": "22", "protocol": "udp"}], False),
        ([], [{"port": "22", "destinations": ["203.0.113.5"]}], True),
        ([], [{"port": "22", "destinations": ["203.0.113.6"]}], False),
        ([{"port": "22", "destinations": ["203.0.113.6"]}], [{"port": "22"}], True),
        ([{"port": "22", "sources": ["192.0.2.1"]}], [{"port": "22"}], False),
        ([{"port": "22", "sources": ["192.0.2.1"], "destinations": ["203.0.113.5"]}], [{"port": "22"}], False),
    ],
)
def test_peer_is_not_shut_out_for_docker_proxy(published: list[Any], proxied: list[Any], shut_out: bool) -> None:
    peer = Peer(ip_address("192.0.2.1"), 22, HOST)
    closed = policy(published=proxied).published
    assert policy(default_deny=True, published=published).shuts_out(peer, closed) is shut_out
