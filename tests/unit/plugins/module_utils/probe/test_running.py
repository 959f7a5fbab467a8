from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.probe import proof, running

SAFE: dict[str, Any] = {
    "kernel_capabilities": [],
    "kernel_seccomp": "filter",
    "kernel_uid": 65532,
    "seccomp_dangerous_calls": [],
    "privileged": False,
    "system_paths_unmasked": False,
    "socket_mounts": [],
    "shared_volumes": [],
    "secret_variables": [],
    "no_new_privileges": True,
    "read_only": True,
    "memory": 1 << 28,
    "pids_limit": 100,
    **{f"{name}_mode": "private" for name in ("pid", "network", "ipc", "uts")},
    "networks": ["app"],
    "unreadable": {},
}
NETWORKS = [{"name": "app", "icc": False}, {"name": "bridge", "icc": True}]


def exposed(**changes: Any) -> dict[str, str]:
    return {item["probe"]: item["reason"] for item in running.exposures({**SAFE, **changes}, NETWORKS)}


def test_confined_container_is_exposed_to_nothing() -> None:
    assert exposed() == {}


@pytest.mark.parametrize(
    ("changes", "probes"),
    [
        ({"kernel_capabilities": ["DAC_READ_SEARCH"]}, {"shocker", "capability_set"}),
        (
            {"kernel_capabilities": ["SYS_ADMIN"]},
            {"mount", "user_namespace", "join_namespace", "capability_set", "capability_raise"},
        ),
        ({"kernel_capabilities": ["NET_RAW"]}, {"raw_socket"}),
        ({"kernel_capabilities": ["SYS_PTRACE"]}, {"trace_process", "capability_set"}),
        ({"secret_variables": ["TOKEN"]}, {"environment_secret"}),
        ({"kernel_capabilities": ["SYS_MODULE", "SYSLOG"]}, {"kernel_module", "kernel_log", "capability_set"}),
        ({"privileged": True}, {"host_device"}),
        ({"system_paths_unmasked": True}, set()),
        ({"system_paths_unmasked": True, "kernel_uid": 0}, {"core_pattern", "host_root"}),
        ({"kernel_seccomp": "disabled"}, {"user_namespace", "keyring", "userfaultfd", "io_uring"}),
        ({"seccomp_dangerous_calls": ["keyctl"]}, {"keyring"}),
        ({"socket_mounts": ["/run"]}, {"docker_socket"}),
        ({"pid_mode": "host"}, {"join_namespace"}),
        ({"network_mode": "host"}, {"join_namespace", "other_network"}),
        ({"networks": ["bridge"]}, {"neighbour"}),
        ({"no_new_privileges": False}, {"image_setuid"}),
        ({"read_only": False}, {"image_dropper"}),
        ({"shared_volumes": ["data"]}, {"tenant_volume"}),
        ({"memory": 0}, {"memory"}),
        ({"pids_limit": 0}, {"fork_bomb"}),
        ({"pids_limit": -1}, {"fork_bomb"}),
    ],
)
def test_rights_expose(changes: dict[str, Any], probes: set[str]) -> None:
    assert set(exposed(**changes)) == probes


def test_unknown_is_not_safe() -> None:
    found = exposed(kernel_seccomp=None, unreadable={"kernel_seccomp": "its process is hidden"})
    assert found["keyring"] == "unknown, since its process is hidden"


def test_rules_are_about_probes() -> None:
    everything = {name: None for name in SAFE if name != "unreadable"}
    assert set(exposed(**everything)) <= {probe.id for probe in proof.PROBES}
