# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.held_ports import held_ports
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

NAT = """\
-N DOCKER
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.18.0.2:80
-A DOCKER -d 10.0.0.1/32 ! -i docker0 -p tcp -m tcp --dport 443 -j DNAT --to-destination 172.18.0.3:443
-A DOCKER ! -i docker0 -p udp -m udp --dport 53 -j DNAT --to-destination 172.18.0.4:53
"""
LEFT = "-A INPUT -p tcp -m multiport --dports 80 -m comment --comment breakwater-restart -j DROP"


@pytest.fixture
def commands() -> RecordedCommands:
    found = RecordedCommands()
    found.answer("iptables -w -t nat -S DOCKER", NAT)
    return found


def added(commands: RecordedCommands) -> list[str]:
    return [line for line in commands.asked if " -I INPUT " in line]


def test_new_connections_to_published_tcp_ports_are_dropped_for_a_while(commands: RecordedCommands) -> None:
    with held_ports(commands, 60):
        [rule] = added(commands)
    assert re.fullmatch(
        r"iptables -w -I INPUT -p tcp --syn -m multiport --dports 443,8080 -m time --datestop [-\dT:]{19}"
        r" -m comment --comment breakwater-restart -j DROP",
        rule,
    )


def test_own_rules_are_removed_afterwards_and_those_that_a_killed_run_left_before(commands: RecordedCommands) -> None:
    commands.answer("iptables -w -S INPUT", f"-P INPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\n{LEFT}\n")
    removal = f"iptables -w -D {LEFT[3:]}"
    with held_ports(commands, 60):
        assert commands.asked.index(removal) < commands.asked.index(added(commands)[0])
    assert [line for line in commands.asked if " -D " in line] == [removal, removal]


def test_many_ports_take_several_rules(commands: RecordedCommands) -> None:
    lines = [f"-A DOCKER -p tcp -m tcp --dport {port} -j DNAT --to-destination 172.18.0.2:80" for port in range(1, 17)]
    commands.answer("iptables -w -t nat -S DOCKER", "\n".join(lines))
    with held_ports(commands, 60):
        assert [rule.split("--dports ")[1].split()[0].count(",") for rule in added(commands)] == [14, 0]


def test_rules_are_removed_when_the_restart_fails(commands: RecordedCommands) -> None:
    commands.answer("iptables -w -S INPUT", LEFT)
    with pytest.raises(TimeoutError), held_ports(commands, 60):
        raise TimeoutError
    assert " -D " in commands.asked[-2]


def test_engine_without_iptables_is_left_alone() -> None:
    with held_ports(RecordedCommands(), 60):
        pass
