# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Hardening a fleet in batches, with the user's own probe of each host before and afterwards.
# Needs the test bed (`make bed`).

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import ansible_runs, container_host

NAMES = [f"breakwater-rollout-{os.getpid()}-{letter}" for letter in "abc"]
#: Succeeds until the engine is hardened.
SPOILT = ["sh", "-c", "! grep -q live-restore /etc/docker/daemon.json || { echo shop is closed >&2; exit 3; }"]


@pytest.fixture(scope="module")
def hosts() -> Iterator[list[container_host.ContainerHost]]:
    with ExitStack() as stack:
        yield [stack.enter_context(container_host.started(name)) for name in NAMES]


@pytest.fixture(autouse=True)
def as_installed(hosts: list[container_host.ContainerHost]) -> None:
    for host in hosts:
        host.run("rm -rf /etc/docker /root/ill; systemctl restart docker.service")


def roll_out(*arguments: str, **variables: Any) -> tuple[int, str]:
    given = {f"docker_hardening_{name}": value for name, value in (("areas", ["engine"]), *variables.items())}
    playbook = ("ansible-playbook", "breakwater.docker.harden", "-i", ",".join(NAMES), "-e", json.dumps(given))
    run = ansible_runs.start(*playbook, *arguments)
    said = ansible_runs.finished(run)
    return run.returncode, " ".join(said.split())


def hardened(hosts: list[container_host.ContainerHost]) -> list[bool]:
    return ["file" in host.run("test ! -e /etc/docker/daemon.json || echo file") for host in hosts]


def test_batches_after_a_host_that_suffers_are_left_alone(hosts: list[container_host.ContainerHost]) -> None:
    code, said = roll_out(probe=SPOILT)
    assert code != 0
    assert (
        f"succeeded on {NAMES[0]} before it was hardened and fails now (exit code 3): shop is closed The batches"
        in said
    )
    assert hardened(hosts) == [True, False, False]


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_one_of_a_batch_that_suffers_ends_the_roll_out(
    hosts: list[container_host.ContainerHost], monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    monkeypatch.setenv("ANSIBLE_STRATEGY", strategy)
    hosts[0].run("touch /root/ill")
    probe = f"sh -c 'test -e /root/ill || {SPOILT[2]}'"
    code, said = roll_out(probe=probe, serial=[2, 1])
    assert code != 0
    assert f"succeeded on {NAMES[1]} before" in said
    assert hardened(hosts) == [True, True, False]


def test_host_that_is_ill_before_is_left_alone_and_keeps_no_other_waiting(
    hosts: list[container_host.ContainerHost],
) -> None:
    hosts[1].run("touch /root/ill")
    code, said = roll_out(probe="test ! -e /root/ill")
    assert code != 0
    assert f"{NAMES[1]} is left as it is, since docker_hardening_probe fails there already (exit code 1)" in said
    assert hardened(hosts) == [True, False, True]


def test_share_of_failures_ends_the_roll_out(hosts: list[container_host.ContainerHost]) -> None:
    hosts[0].run("touch /root/ill")
    code, _said = roll_out(probe=["test", "!", "-e", "/root/ill"], serial=[2, 1], max_fail_percentage=40)
    assert code != 0
    assert hardened(hosts) == [False, False, False]


def test_hosts_that_stay_well_are_all_hardened(hosts: list[container_host.ContainerHost]) -> None:
    code, said = roll_out(probe="docker version")
    assert code == 0, said
    assert hardened(hosts) == [True, True, True]


def test_check_mode_runs_no_probe_and_writes_nothing(hosts: list[container_host.ContainerHost]) -> None:
    addresses = {"docker_engine_config": {"hosts": ["fd://", "unix:///run/second.sock"]}}
    code, said = roll_out("--check", "--diff", "-e", json.dumps(addresses), probe="touch /root/ill", areas="engine")
    assert code == 0, said
    assert "live-restore" in said
    assert "+ExecStart=/usr/sbin/dockerd --containerd" in said, "the drop-in that takes the unit's addresses away"
    assert hardened(hosts) == [False, False, False]
    assert "ill" not in "".join(host.run("ls /root") for host in hosts)


@pytest.mark.parametrize("areas", ["engine,engines", ["engines"], None])
def test_areas_that_are_none_are_shown_as_they_were_given(areas: Any) -> None:
    code, said = roll_out(areas=areas)
    assert code != 0
    assert f"docker_hardening_areas is {json.dumps(areas)}; it takes a list of host, tls" in said.replace('\\"', '"')


@pytest.mark.parametrize(
    ("access", "reason"),
    [
        ({"docker_engine_socket_mode": "0666"}, "0666 is no mode for /run/docker.sock: it takes an octal mode"),
        ({"docker_engine_socket_mode": 0o660}, "432 is no mode for /run/docker.sock: it takes an octal mode"),
        ({"docker_engine_group_members": ["root", "mallory"]}, "docker can't have mallory: create the user or correct"),
    ],
)
def test_access_that_can_not_be_is_refused_before_the_daemon_is_configured(
    hosts: list[container_host.ContainerHost], access: dict[str, Any], reason: str
) -> None:
    code, said = roll_out("-e", json.dumps(access))
    assert code != 0
    assert reason in said
    assert hardened(hosts) == [False, False, False]
