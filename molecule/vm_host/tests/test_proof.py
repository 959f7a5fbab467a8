# What the probes prove on a kernel of one's own: of an engine that confines nothing, of one as its distribution has it
# under AppArmor, and of one that is hardened and has a filter of system calls by docker_seccomp.

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

THREATS = {f"T{number}" for number in range(1, 9)}
#: What asks for something that the kernel of hosts which are containers lacks or shares.
OF_THE_KERNEL = ("sysrq", "kernel_memory", "kernel_module", "crypto_socket", "vsock")
#: A kernel with control groups of version 2 has no release_agent, and the engine uses no registry.
ABSENT = {"control_group", "registry"}
#: What docker_workload keeps from a container, however open the host is.
KEPT = {"environment_secret"}


def proof(report: str) -> dict[str, Any]:
    """Return the host's proof of a run."""
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / report / "report.json"
    [host] = json.loads(path.read_text(encoding="utf-8"))["hosts"]
    return host["proof"]


def probes(report: str, arrangement: str, verdict: str) -> set[str]:
    return {probe["id"] for probe in proof(report)["probes"] if probe[arrangement]["verdict"] == verdict}


def threats(report: str, arrangement: str, verdict: str) -> set[str]:
    return {threat for threat, sums in proof(report)["threats"].items() if sums[arrangement] == verdict}


@pytest.mark.parametrize(("arrangement", "kept"), [("default", set()), ("hardened", KEPT)])
def test_engine_that_confines_nothing_is_exposed_to_every_probe(arrangement: str, kept: set[str]) -> None:
    assert probes("open", arrangement, "exposed") >= set(OF_THE_KERNEL)
    assert probes("open", arrangement, "contained") == kept
    assert probes("open", arrangement, "not_testable") == ABSENT
    assert threats("open", arrangement, "exposed") == THREATS


def test_docker_workload_contains_all_but_what_the_engines_filter_lets_through() -> None:
    # an engine 26.1 lets crypto sockets through, which matter once a program of the host has loaded them
    assert probes("before", "hardened", "exposed") == {"crypto_socket"}
    assert probes("before", "hardened", "contained") >= set(OF_THE_KERNEL) - {"crypto_socket"}
    assert probes("before", "hardened", "not_testable") == ABSENT


def test_docker_workload_contains_every_threat_under_the_default_profile_of_docker_seccomp() -> None:
    assert probes("filtered", "hardened", "contained") >= set(OF_THE_KERNEL)
    # the hardened engine limits open files for the control as well
    assert probes("filtered", "hardened", "not_testable") == ABSENT | {"open_files"}
    assert threats("filtered", "hardened", "contained") == THREATS
    assert probes("filtered", "default", "exposed").isdisjoint(OF_THE_KERNEL)
