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
    "image_id": "sha256:1",
    "unreadable": {},
}
NETWORKS = [{"name": "app", "icc": False}, {"name": "bridge", "icc": True}]
IMAGE = {
    "id": "sha256:1",
    "digests": ["registry.example.org:5000/web@sha256:0"],
    "signature": "verified",
    "signature_reason": "It was verified by release on 2026-11-25.",
    "unreadable": {},
}
DAEMON: dict[str, Any] = {"insecure_registries": [], "plain_mirrors": [], "unreadable": {}}


def exposed(
    image: dict[str, Any] | None = None, daemon: dict[str, Any] | None = None, **changes: Any
) -> dict[str, str]:
    images = [{**IMAGE, "id": "sha256:2", "signature": "refused"}, {**IMAGE, **(image or {})}]
    evidence = {"networks": NETWORKS, "images": images, "daemon": {**DAEMON, **(daemon or {})}}
    return {item["probe"]: item["reason"] for item in running.exposures({**SAFE, **changes}, evidence)}


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


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        ("verified", "It was verified by release on 2026-11-25.", None),
        ("accepted", "The policy accepts registry.example.org/web without a signature.", None),
        ("unverified", "No verification of its digest is on record.", "no verification of its digest is on record"),
        ("refused", "The policy rejects it.", "the policy rejects it"),
        ("unknown", "There is no policy of images on the host.", None),
    ],
)
def test_image_that_nobody_signed(status: str, reason: str, told: str | None) -> None:
    found = exposed(image={"signature": status, "signature_reason": reason})
    assert found == ({"unsigned_image": f"nobody is known to have signed its image: {told}"} if told else {})


@pytest.mark.parametrize(
    ("digest", "settings", "told"),
    [
        (
            "registry.example.org:5000/web",
            {"insecure_registries": ["registry.example.org:5000"]},
            "registry.example.org",
        ),
        ("registry.example.org:5000/web", {"insecure_registries": ["registry.example.org"]}, None),
        ("Registry.example.org/web", {"insecure_registries": ["Registry.example.org"]}, "registry.example.org"),
        ("10.1.2.3:5000/web", {"insecure_registries": ["10.0.0.0/8"]}, "10.1.2.3:5000"),
        ("10.1.2.3/web", {"insecure_registries": ["10.0.0.0/8"]}, "10.1.2.3"),
        ("11.1.2.3:5000/web", {"insecure_registries": ["10.0.0.0/8"]}, None),
        ("[fd00::1]:5000/web", {"insecure_registries": ["fd00::/8"]}, "[fd00::1]:5000"),
        ("[fd00::1]/web", {"insecure_registries": ["fd00::/8"]}, "[fd00::1]"),
        ("registry.example.org/web", {"insecure_registries": ["0.0.0.0/0"]}, None),
        ("debian", {"plain_mirrors": ["http://mirror.example.org/"]}, "http://mirror.example.org/"),
        ("registry.example.org/web", {"plain_mirrors": ["http://mirror.example.org/"]}, None),
    ],
)
def test_image_of_a_registry_without_tls(digest: str, settings: dict[str, list[str]], told: str | None) -> None:
    found = exposed(image={"digests": [f"{digest}@sha256:0"]}, daemon=settings)
    assert set(found) == ({"registry"} if told else set())
    assert (told or "") in found.get("registry", "")


def test_image_that_was_built_here_is_of_no_registry() -> None:
    assert exposed(image={"digests": []}, daemon={"insecure_registries": ["registry.example.org:5000"]}) == {}


def test_image_that_is_not_listed_is_not_safe() -> None:
    reason = "unknown, since the engine does not list its image"
    assert exposed(image_id="sha256:3") == {"unsigned_image": reason, "registry": reason}
    found = exposed(image={"signature": None, "unreadable": {"signature": "its record is not root's alone"}})
    assert found == {"unsigned_image": "unknown, since its record is not root's alone"}
    assert "registry" in exposed(daemon={"insecure_registries": None})


def test_unknown_is_not_safe() -> None:
    found = exposed(kernel_seccomp=None, unreadable={"kernel_seccomp": "its process is hidden"})
    assert found["keyring"] == "unknown, since its process is hidden"


def test_rules_are_about_probes() -> None:
    everything = {name: None for name in SAFE if name != "unreadable"}
    assert set(exposed(**everything)) <= {probe.id for probe in proof.PROBES}
