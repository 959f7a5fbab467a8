# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.firewall import iptables, nftables, ruleset
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import Flow
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.surroundings import (
    Engine,
    daemon_settings,
    new_and_gone,
    own_interfaces,
    read_engine,
    serves_clients,
    ssh_peer,
    uses_proxy,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import dockerd
from ansible_collections.breakwater.docker.tests.unit.plugins.module_utils.firewall.policies import policy

NETWORKS = [
    {"Id": "a" * 64, "Options": {"com.docker.network.bridge.name": "docker0"}},
    {"Id": "0123456789abcdef", "Options": None},
]
PORTS = [
    {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
    {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
    {"PrivatePort": 53, "Type": "udp"},
    {"IP": "203.0.113.6", "PrivatePort": 22, "PublicPort": 22, "Type": "tcp"},
    {"IP": "127.0.0.1", "PrivatePort": 25, "PublicPort": 25, "Type": "tcp"},
    {"IP": "::1", "PrivatePort": 25, "PublicPort": 25, "Type": "tcp"},
]


class Api:
    def __init__(self, info: dict[str, Any], status: str = "") -> None:
        self.info, self.status = info, status

    def get(self, path: str) -> Any:
        if self.status:
            raise EngineError(self.status, "no answer")
        return {"/info": self.info, "/containers/json": [{"Ports": PORTS}, {"Ports": None}]}.get(path, NETWORKS)


@pytest.mark.parametrize(
    ("info", "backend"),
    [
        ({}, "iptables"),
        ({"FirewallBackend": {"Driver": "iptables"}}, "iptables"),
        ({"FirewallBackend": {"Driver": "iptables+firewalld"}}, "iptables"),
        ({"FirewallBackend": {"Driver": "nftables"}}, "nftables"),
    ],
)
def test_engine(info: dict[str, Any], backend: str) -> None:
    published = (Flow(ports=(22, 22), destinations=(ip_network("203.0.113.6"),)), Flow(ports=(8080, 8080)))
    assert read_engine(Api(info)) == Engine(backend, ("br-0123456789ab", "docker0"), published)


@pytest.mark.parametrize("render", [lambda chains: iptables.text(chains, ruleset.IPV4), nftables.text])
def test_rules_that_change_with_the_networks_say_so(render: Callable[[list[ruleset.Chain]], str]) -> None:
    def rules(*bridges: str, **options: Any) -> dict[str, str]:
        return {"rules": render(ruleset.chains(policy(**options), ruleset.Surroundings(bridges)))}

    old, new = "br-0123456789ab", "br-ba9876543210"
    before = rules("docker0", old)
    assert new_and_gone({}, before, ("docker0", old)) == []
    assert new_and_gone(before, before, ("docker0", old)) == []
    after = rules("backbone", "docker0", new)
    changes = ["backbone is new", f"{new} is new", f"{old} is gone"]
    assert new_and_gone(before, after, ("backbone", "docker0", new)) == changes
    # what a pattern covers is not named where bridges are not parted
    open_rules = [rules(*bridges, isolate_bridges=False) for bridges in (("docker0", old), ("docker0", new))]
    assert open_rules[0] == open_rules[1]
    assert new_and_gone(open_rules[0], open_rules[1], ("docker0", new)) == []


def test_own_interfaces_are_those_that_only_a_pattern_takes_for_the_engines(tmp_path: Path) -> None:
    names = (
        "br-lan",
        "br-ex.10",
        "br-0123456789ab",
        "br-ba9876543210",
        "br-site",
        "br-own",
        "docker0",
        "eth0",
        "virbr0",
    )
    for name in names:
        (tmp_path / "sys/class/net" / name).mkdir(parents=True)
    engine = Engine(bridges=("br-0123456789ab", "br-own", "docker0"))
    wanted = policy(bridges=["docker0", "br-+", "br-site"])
    assert own_interfaces(LocalFileSystem(str(tmp_path)), wanted, engine) == ("br-ex.10", "br-lan")


def test_host_without_a_running_engine() -> None:
    assert read_engine(Api({}, "absent")) == read_engine(Api({}, "stopped")) == Engine()
    with pytest.raises(EngineError):
        read_engine(Api({}, "unreadable"))


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """Processes 30 (a module, by sudo), 20 (sudo), 10 (the user's shell), 1."""
    for pid, parent, environment in ((30, 20, "SUDO_USER=x"), (20, 10, "A=1"), (10, 1, ""), (1, 0, "")):
        directory = tmp_path / "proc" / str(pid)
        directory.mkdir(parents=True)
        (directory / "stat").write_text(f"{pid} (a ) name) S {parent} 1 1")
        (directory / "environ").write_text(environment)
    return tmp_path


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("192.0.2.1 40000 192.0.2.2 2022", ("192.0.2.1", 2022, "192.0.2.2")),
        ("fe80::1%eth0 40000 fe80::2%eth0 22", ("fe80::1", 22, "fe80::2")),
    ],
)
def test_peer_is_found_through_sudo(proc: Path, value: str, found: tuple[str, int, str]) -> None:
    (proc / "proc/10/environ").write_text(f"HOME=/root\0SSH_CONNECTION={value}\0X=1")
    peer = ssh_peer(LocalFileSystem(str(proc)), 30)
    assert peer is not None
    assert (str(peer.address), peer.port, str(peer.host)) == found


def test_no_ssh_no_peer(proc: Path) -> None:
    assert ssh_peer(LocalFileSystem(str(proc)), 30) is None
    assert ssh_peer(LocalFileSystem(str(proc)), 31) is None


@pytest.mark.parametrize(
    ("arguments", "proxy", "clients"),
    [
        ((), True, False),
        (("--userland-proxy=false",), False, False),
        (("--tlsverify", "--tlscacert=/ca.pem"), True, True),
        (("--tls",), True, False),
    ],
)
def test_what_dockerd_was_started_with(tmp_path: Path, arguments: tuple[str, ...], proxy: bool, clients: bool) -> None:
    dockerd(tmp_path, *arguments)
    settings = daemon_settings(LocalFileSystem(str(tmp_path)), "/run/docker.sock")
    assert uses_proxy(settings) is proxy
    assert serves_clients(settings) is clients


def test_no_dockerd(tmp_path: Path) -> None:
    settings = daemon_settings(LocalFileSystem(str(tmp_path)), "/run/docker.sock")
    assert not uses_proxy(settings)
    assert not serves_clients(settings)
