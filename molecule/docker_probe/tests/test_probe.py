# What probes prove of hosts as their distributions install them, and of one whose containers have all of the host.

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import testinfra

from ansible_collections.breakwater.docker.plugins.module_utils.probe.proof import PROBES

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
PLAIN = ("breakwater-probe-12", "breakwater-probe-13")
OPEN = "breakwater-probe-open"
HOSTS = (*PLAIN, OPEN)
#: What the kernel of container hosts may lack or have unloaded; the scenarios of virtual machines show it.
ABSENT = {"control_group", "crypto_socket", "kernel_memory", "kernel_module", "sysrq", "vsock"}
#: What docker_workload keeps from a container, however open the host is.
KEPT = {"environment_secret"}
#: What a plain `docker run` is exposed to on a host as its distribution installs it.
BY_DEFAULT = {
    *("raw_socket", "neighbour", "image_setuid", "image_dropper", "unsigned_image", "environment_secret"),
    *("host_root", "tenant_volume", "open_files", "memory", "fork_bomb"),
}
#: Ends what holds the lock of a proof.
KILL = (
    "for process in /proc/[0-9]*; do if ls -l $process/fd 2>/dev/null | grep -q breakwater-probe.lock;"
    " then kill -KILL ${process#/proc/}; fi; done"
)
LEFT = "docker {} -q --filter label=breakwater.probe"
KINDS = ("ps --all", "network ls", "volume ls", "image ls")


def host(name: str) -> Any:
    return testinfra.get_host(f"docker://{name}")


def run(report_dir: Path, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run the playbook on the host of Debian 13."""
    given = {"docker_compliance_report_dir": str(report_dir), **variables}
    command = ["ansible-playbook", "breakwater.docker.prove", "-i", os.environ["MOLECULE_INVENTORY_FILE"]]
    return subprocess.run(
        [*command, "--limit", PLAIN[1], "-e", json.dumps(given), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def proofs(report_dir: Path = EPHEMERAL / "reports") -> dict[str, dict[str, Any]]:
    report = json.loads((report_dir / "report.json").read_text(encoding="utf-8"))
    return {found["host"]: found["proof"] for found in report["hosts"]}


def verdicts(proof: dict[str, Any], arrangement: str) -> dict[str, str]:
    return {probe["id"]: probe[arrangement]["verdict"] for probe in proof["probes"]}


def state(name: str) -> str:
    """Return all that a host's engine has, with the containers' processes."""
    told = [
        host(name).check_output(command)
        for command in (
            "docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}' $(docker ps -aq)",
            "docker network ls --no-trunc; docker volume ls",
            # without their ages
            "docker image ls --no-trunc --format '{{.ID}} {{.Repository}}:{{.Tag}}'",
        )
    ]
    return "\n".join(told)


def leftovers(name: str) -> list[str]:
    return [line for kind in KINDS for line in host(name).check_output(LEFT.format(kind)).split()]


@pytest.mark.parametrize("name", PLAIN)
def test_docker_workload_contains_what_docker_run_does_not(name: str) -> None:
    proof = proofs()[name]
    assert proof["started"] is True
    # engines before 23.0 and 25.0 let these through, and docker_workload leaves the filter to the engine
    let_through = {"vsock", "io_uring"} if name == PLAIN[0] else set()
    default, hardened = verdicts(proof, "default"), verdicts(proof, "hardened")
    exposed = {probe for probe, verdict in default.items() if verdict == "exposed"}
    assert exposed - ABSENT == BY_DEFAULT | (let_through - ABSENT)
    assert {probe for probe, verdict in hardened.items() if verdict == "exposed"} <= let_through
    # the one host has no registry of its own, the other one a registry with TLS and a password
    unknown = ABSENT | ({"registry"} if name == PLAIN[0] else set())
    assert {probe for probe, verdict in hardened.items() if verdict == "not_testable"} <= unknown
    threats = {"T3", "T6", "T7", "T8"} | ({"T2"} if let_through else set())
    assert {threat for threat, sums in proof["threats"].items() if sums["default"] == "exposed"} == threats
    contained = {threat for threat, sums in proof["threats"].items() if sums["hardened"] == "contained"}
    assert contained == set(proof["threats"]) - ({"T2"} if let_through else set())


def test_an_open_host_is_exposed_to_every_probe() -> None:
    proof = proofs()[OPEN]
    for arrangement, kept in (("default", set()), ("hardened", KEPT)):
        found = verdicts(proof, arrangement)
        assert {probe for probe, verdict in found.items() if verdict != "exposed"} - ABSENT == kept
    assert {sums["default"] for sums in proof["threats"].values()} == {"exposed"}


@pytest.mark.parametrize("probe", sorted({probe.id for probe in PROBES} - ABSENT))
def test_each_probe_gave_both_verdicts(probe: str) -> None:
    assert verdicts(proofs()[PLAIN[1]], "hardened")[probe] == "contained"
    assert verdicts(proofs()[OPEN], "default")[probe] == "exposed"


def test_reasons_name_the_registries() -> None:
    reasons = {
        name: {probe["id"]: probe["hardened"]["reason"] for probe in proof["probes"]}
        for name, proof in proofs().items()
    }
    assert reasons[OPEN]["registry"] == "localhost:5000 answers without TLS."
    assert reasons[PLAIN[1]]["registry"].startswith(f"{OPEN}:5443: no answer without TLS")
    assert "no registry but Docker Hub" in reasons[PLAIN[0]]["registry"]


@pytest.mark.parametrize("name", PLAIN)
def test_running_containers_are_judged(name: str) -> None:
    told = {item["name"]: {found["probe"] for found in item["exposed"]} for item in proofs()[name]["containers"]}
    assert told["careful"] == set()
    assert {"shocker", "mount", "kernel_module", "user_namespace", "host_root"} <= told["strong"]
    assert "docker_socket" in told["socket"]
    assert "shocker" not in told["socket"]
    assert "socket" in proofs()[name]["threats"]["T4"]["exposed_containers"]
    assert "socket" not in proofs()[name]["threats"]["T1"]["exposed_containers"]


def test_running_containers_are_judged_by_their_image() -> None:
    told = {
        item["name"]: {found["probe"]: found["reason"] for found in item["exposed"]}
        for item in proofs()[OPEN]["containers"]
    }
    # the policy of this host accepts every image of a registry
    assert "unsigned_image" not in told["pushed"]
    assert told["pushed"]["registry"].startswith("its image is of localhost:5000,")
    assert "no registry knows a digest of it" in told["built"]["unsigned_image"]
    assert "registry" not in told["built"]


@pytest.mark.parametrize("name", HOSTS)
def test_nothing_is_left(name: str) -> None:
    assert leftovers(name) == []


def test_nothing_of_the_user_is_touched_and_the_terminal_tells_the_result(tmp_path: Path) -> None:
    before = state(PLAIN[1])
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 8 under docker run (T3, T6, T7, T8 exposed), 8 of 8 under docker_workload" in done.stdout
    assert "changed=0" in done.stdout
    assert state(PLAIN[1]) == before


def test_check_mode_starts_nothing_unless_it_may(tmp_path: Path) -> None:
    since = host(PLAIN[1]).check_output("date +%s").strip()
    done = run(tmp_path, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "In check mode no container is started, unless docker_probe_allow" in done.stdout
    until = host(PLAIN[1]).check_output("date +%s").strip()
    events = host(PLAIN[1]).check_output(f"docker events --since {since} --until {until} --filter type=container")
    assert " start " not in events
    proof = proofs(tmp_path)[PLAIN[1]]
    assert (proof["started"], proof["probes"]) == (False, [])
    assert proof["threats"]["T4"]["exposed_containers"] == ["socket"]
    done = run(tmp_path, "--check", docker_probe_allow=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert proofs(tmp_path)[PLAIN[1]]["started"] is True


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    before = state(PLAIN[1])
    command = ["ansible-playbook", "breakwater.docker.prove", "-i", os.environ["MOLECULE_INVENTORY_FILE"]]
    arguments = ["--limit", PLAIN[1], "-e", f"docker_compliance_report_dir={tmp_path}"]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.DEVNULL) as playbook:
        deadline = time.monotonic() + 60
        while not host(PLAIN[1]).check_output(LEFT.format("ps --all")) and time.monotonic() < deadline:
            time.sleep(0.1)
        host(PLAIN[1]).check_output(KILL)
        playbook.wait(60)
    assert playbook.returncode != 0
    assert leftovers(PLAIN[1])
    done = run(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert leftovers(PLAIN[1]) == []
    assert state(PLAIN[1]) == before
