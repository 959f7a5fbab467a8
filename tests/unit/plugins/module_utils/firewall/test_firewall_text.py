# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The text for iptables-restore and nft. The scenario docker_firewall loads it with the real ones.

from __future__ import annotations

import re

from ansible_collections.breakwater.docker.plugins.module_utils.firewall import iptables, nftables, ruleset
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import Policy
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.ruleset import Surroundings
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.firewall.policies import policy

AROUND = Surroundings(bridges=("docker0",))
SAVED = """\
*filter
:INPUT ACCEPT [0:0]
:BREAKWATER-INPUT - [0:0]
-A INPUT -j BREAKWATER-INPUT
-A INPUT -j ACCEPT
-A FORWARD -j DOCKER-USER
-A FORWARD -j BREAKWATER-FORWARD
-A DOCKER-USER -j BREAKWATER-FORWARD
-A DOCKER-USER -j RETURN
-A BREAKWATER-INPUT -i lo -j RETURN
COMMIT
"""


def ipv4(wanted: Policy) -> list[str]:
    return iptables.text(ruleset.chains(wanted, AROUND), 4).splitlines()


def ipv6(wanted: Policy) -> list[str]:
    return iptables.text(ruleset.chains(wanted, AROUND), 6).splitlines()


def nft(wanted: Policy) -> list[str]:
    return [line.strip() for line in nftables.text(ruleset.chains(wanted, AROUND)).splitlines()]


def test_iptables_recognises_published_ports_by_what_was_dialled(rich: Policy) -> None:
    source = "-A BREAKWATER-PUBLISHED -i eth0 -s {} -p tcp -m conntrack --ctorigdstport 8080 -j RETURN"
    assert source.format("10.1.0.0/16") in ipv4(rich)
    assert source.format("2001:db8:1::/64") in ipv6(rich)
    address = "-p udp -m conntrack --ctorigdst 192.0.2.9/32 --ctorigdstport 5000:5010"
    assert f"-A BREAKWATER-PUBLISHED {address} -j RETURN" in ipv4(rich)
    assert f"-A BREAKWATER-PUBLISHED {address} -g BREAKWATER-DROPPED" in ipv4(rich)
    assert "-A BREAKWATER-INPUT -d 192.0.2.9/32 -p udp -m udp --dport 5000:5010 -j RETURN" in ipv4(rich)


def test_each_family_has_its_own_addresses(rich: Policy) -> None:
    addresses = re.compile(r" -[sd] (\S+)| --ctorigdst (\S+)")
    found = {family: set(addresses.findall("\n".join(lines))) for family, lines in ((4, ipv4(rich)), (6, ipv6(rich)))}
    assert all(":" not in "".join(pair) for pair in found[4])
    assert all(":" in "".join(pair) for pair in found[6])


def test_iptables_declares_its_own_chains_only(rich: Policy) -> None:
    lines = ipv4(rich)
    assert (lines[0], lines[-1]) == ("*filter", "COMMIT")
    assert all(line.startswith((":BREAKWATER-", "-A BREAKWATER-")) for line in lines[1:-1])
    used = set(re.findall(r"-[gj] (BREAKWATER-\w+)", "\n".join(lines)))
    assert used <= {line[1:].split()[0] for line in lines if line.startswith(":")}


def test_log_is_limited_and_can_be_turned_off() -> None:
    limited = '-m limit --limit 10/min --limit-burst 10 -j LOG --log-prefix "breakwater drop: "'
    assert f"-A BREAKWATER-DROPPED {limited}" in ipv4(policy())
    assert 'limit rate 10/minute burst 10 packets log prefix "breakwater drop: "' in nft(policy())
    assert "LOG" not in "".join(ipv4(policy(log=0)))
    assert "log" not in "".join(nft(policy(log=0)))


def test_nftables_replaces_its_table_and_comes_before_docker(rich: Policy) -> None:
    lines = nft(rich)
    assert lines[:3] == ["table inet breakwater", "delete table inet breakwater", "table inet breakwater {"]
    assert "type filter hook forward priority filter - 1; policy accept;" in lines
    assert "type filter hook input priority filter - 1; policy accept;" in lines
    assert "\n".join(lines).count("{") == "\n".join(lines).count("}")


def test_nftables_says_the_same(rich: Policy) -> None:
    lines = nft(rich)
    assert 'iifname "eth0" ip saddr 10.1.0.0/16 meta l4proto tcp ct original proto-dst 8080 accept' in lines
    assert 'iifname "eth0" ip6 saddr 2001:db8:1::/64 meta l4proto tcp ct original proto-dst 8080 accept' in lines
    assert "ct original ip daddr 192.0.2.9/32 meta l4proto udp ct original proto-dst 5000-5010 accept" in lines
    assert 'iifname "br-*" goto containers' in lines
    assert "meta nfproto ipv6 meta l4proto ipv6-icmp accept" in lines
    assert "ct status dnat accept" in lines
    assert "ip6 daddr fd00:ec2::254/128 goto dropped" in lines


def test_chains_are_defined_before_they_are_used(rich: Policy) -> None:
    known: set[str] = set()
    for line in nft(rich):
        if line.startswith("chain "):
            known.add(line.split()[1])
        if "goto" in line:
            assert line.rpartition(" ")[2] in known


def test_hooks_are_recognised_by_their_place() -> None:
    assert iptables.is_hooked(SAVED)
    assert iptables.rules_in(SAVED) == ["-A BREAKWATER-INPUT -i lo -j RETURN"]
    pushed = SAVED.replace(
        "-A INPUT -j BREAKWATER-INPUT\n-A INPUT -j ACCEPT", "-A INPUT -j ACCEPT\n-A INPUT -j BREAKWATER-INPUT"
    )
    assert not iptables.is_hooked(pushed)
    never_reached = SAVED.replace(
        "-A DOCKER-USER -j BREAKWATER-FORWARD\n-A DOCKER-USER -j RETURN", "-A DOCKER-USER -j RETURN"
    )
    assert not iptables.is_hooked(never_reached)
    assert not iptables.is_hooked(SAVED.replace("-A FORWARD -j BREAKWATER-FORWARD\n", ""))
