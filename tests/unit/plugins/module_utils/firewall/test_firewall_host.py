# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Candidates, confirmation and rollback on a host below a directory; the scenario docker_firewall has real ones.

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.firewall import loader
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.host import V4, V6, FirewallHost
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

SAVED = """\
-A INPUT -j BREAKWATER-INPUT
-A FORWARD -j BREAKWATER-FORWARD
-A DOCKER-USER -j BREAKWATER-FORWARD
-A BREAKWATER-INPUT -i lo -j RETURN
"""
TEXTS = {V4: "rules for IPv4\n", V6: "rules for IPv6\n"}
PERSISTENT = "netfilter-persistent.service"
UNITS = "Id={}\nActiveState={}\nUnitFileState={}\n"


@pytest.fixture
def commands() -> RecordedCommands:
    recorded = RecordedCommands()
    recorded.answer("iptables-save", SAVED)
    recorded.answer("ip6tables-save", SAVED)
    for command in (
        "sh ",
        "systemd-run ",
        *(f"systemctl {verb}" for verb in ("daemon-reload", "enable", "disable", "restart")),
    ):
        recorded.answer(command)
    return recorded


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    return tmp_path


def candidates(root: Path) -> list[str]:
    return [path.name for path in (root / loader.RUNTIME[1:]).glob("candidate-*")]


def snapshot(root: Path) -> None:
    """Leave what the script leaves when it has loaded rules."""
    loaded = root / loader.RUNTIME[1:] / "loaded"
    loaded.mkdir(parents=True)
    for name in TEXTS:
        (loaded / name).write_text("-A BREAKWATER-INPUT -i lo -j RETURN\n")


def test_rollback_is_scheduled_before_the_rules_are_loaded(root: Path, commands: RecordedCommands) -> None:
    host = FirewallHost(commands, str(root))
    token = host.try_out(TEXTS, 60)
    asked = [line for line in commands.asked if line.startswith(("sh ", "systemd-run "))]
    candidate = f"{loader.RUNTIME}/candidate-{token}"
    assert asked[0].endswith(f"sh {loader.SCRIPT} revert {candidate} 60")
    assert asked[1:] == [f"sh {loader.SCRIPT} load {candidate}"]
    assert host.confirmed() == {}


def test_without_systemd_a_process_of_its_own_waits(tmp_path: Path, commands: RecordedCommands) -> None:
    FirewallHost(commands, str(tmp_path)).try_out(TEXTS, 60)
    assert any("setsid" in line and line.endswith(" 60") for line in commands.asked)


def test_confirmed_rules_are_kept_and_loaded_at_boot(root: Path, commands: RecordedCommands) -> None:
    host = FirewallHost(commands, str(root))
    host.confirm(host.try_out(TEXTS, 60))
    assert host.confirmed() == TEXTS
    assert commands.asked[-3:] == [
        "systemctl daemon-reload",
        f"systemctl enable {loader.UNIT}",
        f"systemctl restart {loader.UNIT}",
    ]
    assert candidates(root) == []


def test_rules_that_were_taken_back_can_not_be_confirmed(root: Path, commands: RecordedCommands) -> None:
    host = FirewallHost(commands, str(root))
    token = host.try_out(TEXTS, 60)
    [name] = candidates(root)
    (root / loader.RUNTIME[1:] / name).rename(root / "gone")
    with pytest.raises(BreakwaterError, match="has taken them back"):
        host.confirm(token)
    assert host.confirmed() == {}


def test_later_run_takes_the_place_of_one_that_was_killed(root: Path, commands: RecordedCommands) -> None:
    host = FirewallHost(commands, str(root))
    killed = host.try_out(TEXTS, 60)
    token = host.try_out(TEXTS, 60)
    assert candidates(root) == [f"candidate-{token}"]
    with pytest.raises(BreakwaterError):
        host.confirm(killed)


def test_rules_that_can_not_be_loaded_change_nothing(root: Path, commands: RecordedCommands) -> None:
    commands.answer("sh ", rc=2, stderr="line 7: no such match")
    with pytest.raises(BreakwaterError, match="former ones are in effect: line 7: no such match"):
        FirewallHost(commands, str(root)).try_out(TEXTS, 60)
    assert commands.asked[-1] == f"sh {loader.SCRIPT} load {loader.CONFIRMED}"
    assert candidates(root) == []


def test_nothing_is_loaded_without_a_rollback(root: Path, commands: RecordedCommands) -> None:
    commands.answer("systemd-run ", rc=1, stderr="no bus")
    with pytest.raises(BreakwaterError, match="can't be scheduled: no bus"):
        FirewallHost(commands, str(root)).try_out(TEXTS, 60)
    assert not any(line.startswith("sh ") for line in commands.asked)


def test_missing_tools_are_named(root: Path, commands: RecordedCommands) -> None:
    del commands.answers["ip6tables-save"]
    with pytest.raises(InputError, match="ip6tables-save is not installed: install iptables"):
        FirewallHost(commands, str(root)).try_out(TEXTS, 60)
    with pytest.raises(InputError, match="nft is not installed: install nftables"):
        FirewallHost(commands, str(root)).try_out({"rules.nft": "x"}, 60)


def test_what_is_loaded_is_compared_with_what_was_loaded(root: Path, commands: RecordedCommands) -> None:
    host = FirewallHost(commands, str(root))
    assert not host.is_loaded(TEXTS)
    snapshot(root)
    assert host.is_loaded(TEXTS)
    assert not host.is_loaded({V4: TEXTS[V4]}), "the other family has rules that are not wanted any more"
    commands.answer("iptables-save", SAVED + "-A BREAKWATER-INPUT -j ACCEPT\n")
    assert not host.is_loaded(TEXTS)
    commands.answer("iptables-save", SAVED.replace("-A INPUT -j BREAKWATER-INPUT\n", ""))
    assert not host.is_loaded(TEXTS)


def test_unit_that_is_off_is_noticed(root: Path, commands: RecordedCommands) -> None:
    commands.answer("systemctl show", UNITS.format(loader.UNIT, "active", "enabled"))
    host = FirewallHost(commands, str(root))
    assert not host.is_installed()
    host.confirm(host.try_out(TEXTS, 60))
    assert host.is_installed()
    commands.answers["systemctl show"] = commands.answers["systemctl show"]._replace(
        stdout=UNITS.format(loader.UNIT, "active", "disabled")
    )
    assert not FirewallHost(commands, str(root)).is_installed()


@pytest.mark.parametrize(
    ("service", "state", "path", "content", "trap"),
    [
        ("nftables.service", "active", "etc/nftables.conf", "flush ruleset\n", "nftables.service is in use"),
        ("nftables.service", "inactive", "etc/nftables.conf", "flush ruleset\n", None),
        ("nftables.service", "active", "etc/nftables.conf", "table inet x {}\n", None),
        (
            "firewalld.service",
            "active",
            "etc/firewalld/firewalld.conf",
            "# x\nFirewallBackend=iptables\n",
            "set FirewallBackend=nftables",
        ),
        ("firewalld.service", "active", "etc/firewalld/firewalld.conf", "\nFirewallBackend=nftables\n", None),
        (PERSISTENT, "active", f"etc/default/{PERSISTENT[:-8]}", "# IPTABLES_RESTORE_NOFLUSH=yes\n", "is in use"),
        (PERSISTENT, "active", f"etc/default/{PERSISTENT[:-8]}", "#\nIPTABLES_RESTORE_NOFLUSH=yes\n", None),
        ("iptables.service", "active", "etc/sysconfig/iptables", "*filter\nCOMMIT\n", "Disable both"),
        ("ip6tables.service", "active", "etc/sysconfig/ip6tables", "*filter\nCOMMIT\n", "Disable both"),
        ("ip6tables.service", "inactive", "etc/sysconfig/ip6tables", "*filter\nCOMMIT\n", None),
    ],
)
def test_services_that_throw_rules_away_are_told(
    root: Path, commands: RecordedCommands, service: str, state: str, path: str, content: str, trap: str | None
) -> None:
    commands.answers = {}
    commands.answer("systemctl show", UNITS.format(service, state, "disabled"))
    file = root / path
    file.parent.mkdir(parents=True)
    file.write_text(content)
    host = FirewallHost(commands, str(root))
    assert host.others() == ([service] if state == "active" else [])
    assert [trap in told for told in host.traps()] == ([True] if trap else [])


def test_removal_leaves_nothing(root: Path, commands: RecordedCommands) -> None:
    host = FirewallHost(commands, str(root))
    host.confirm(host.try_out(TEXTS, 60))
    assert host.is_present()
    host.remove()
    assert f"systemctl disable --now {loader.UNIT}" in commands.asked
    assert [path for path in root.rglob("*") if path.is_file()] == []
    commands.answers = {}
    assert not FirewallHost(commands, str(root)).is_present()
