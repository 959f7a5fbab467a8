# What the audit of a mixed fleet reports: hosts that are hardened, insecure, without Docker and out of reach.

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
#: In the environment of a container that demo/misconfigure.sh starts.
SECRET = "correct-horse-battery-staple"


def audit(report_dir: Path, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Audit the fleet into `report_dir`, with the most verbose log that users ask for."""
    given = {"docker_hosts": "fleet", "docker_compliance_report_dir": str(report_dir), **variables}
    inventory = str(EPHEMERAL / "inventory")
    command = ["ansible-playbook", "breakwater.docker.compliance", "-i", inventory, "-vvv"]
    return subprocess.run(
        [*command, "-e", json.dumps(given), *arguments], capture_output=True, text=True, timeout=300, check=False
    )


def read_hosts(report_dir: Path) -> dict[str, dict[str, Any]]:
    report = json.loads((report_dir / "report.json").read_text(encoding="utf-8"))
    return {host["host"]: host for host in report["hosts"]}


def status(host: dict[str, Any], control: str, name: str | None = None) -> str:
    """Return the status of a control's only finding, or of the one about the object called `name`."""
    [found] = [
        finding["status"]
        for finding in host["findings"]
        if finding["control"] == control and name in (None, finding["object"]["name"])
    ]
    return found


@pytest.fixture(scope="module")
def runs() -> dict[str, subprocess.CompletedProcess[str]]:
    """Audit the fleet for real and in check mode; the reports are in EPHEMERAL/real and EPHEMERAL/check."""
    return {"real": audit(EPHEMERAL / "real"), "check": audit(EPHEMERAL / "check", "--check")}


@pytest.fixture(scope="module")
def hosts(runs: dict[str, subprocess.CompletedProcess[str]]) -> dict[str, dict[str, Any]]:
    """Return the hosts' reports of the real run."""
    return read_hosts(EPHEMERAL / "real")


def test_every_host_is_in_the_report(hosts: dict[str, dict[str, Any]]) -> None:
    assert set(hosts) == {"breakwater-good", "breakwater-bad", "breakwater-bare", "breakwater-gone"}


def test_unreachable_host_is_not_assessed(hosts: dict[str, dict[str, Any]]) -> None:
    gone = hosts["breakwater-gone"]
    assert not gone["assessed"]
    assert "unreachable" in gone["reason"].lower()
    assert gone["score"] is None
    assert gone["findings"] == []


def test_host_without_docker_never_passes(hosts: dict[str, dict[str, Any]]) -> None:
    bare = hosts["breakwater-bare"]
    assert bare["score"] is None
    assert {finding["status"] for finding in bare["findings"]} <= {"not_applicable"}
    assert bare["engine"]["status"] == "absent"


@pytest.mark.parametrize(
    ("control", "container"),
    [
        ("container_not_privileged", "privileged"),
        ("container_no_engine_socket", "docker-socket"),
        ("container_not_in_host_network", "host-namespaces"),
        ("container_not_in_host_pid", "host-namespaces"),
        ("container_not_in_host_ipc", "host-namespaces"),
        ("container_no_sensitive_mounts", "host-files"),
        ("container_capabilities_not_added", "host-files"),
        ("container_seccomp_filtered", "unconfined"),
        ("container_no_secrets_in_environment", "shop"),
        ("container_user_not_root", "shop"),
        ("container_memory_limited", "shop"),
        ("container_pids_limited", "shop"),
        ("container_no_new_privileges", "shop"),
    ],
)
def test_insecure_container_fails_and_careful_one_passes(
    hosts: dict[str, dict[str, Any]], control: str, container: str
) -> None:
    assert status(hosts["breakwater-bad"], control, container) == "fail"
    assert status(hosts["breakwater-bad"], control, "careful") == "pass"


@pytest.mark.parametrize(
    "control",
    [
        "daemon_icc_disabled",
        "daemon_no_insecure_registries",
        "daemon_tcp_verifies_clients",
        "daemon_no_new_privileges",
        "daemon_live_restore",
        "daemon_userland_proxy_disabled",
    ],
)
def test_insecure_daemon_fails_and_hardened_one_does_not(hosts: dict[str, dict[str, Any]], control: str) -> None:
    assert status(hosts["breakwater-bad"], control) == "fail"
    assert status(hosts["breakwater-good"], control) in {"pass", "not_applicable"}


def test_hardened_host_scores_better(hosts: dict[str, dict[str, Any]]) -> None:
    assert hosts["breakwater-good"]["score"] > hosts["breakwater-bad"]["score"]


def test_check_mode_finds_the_same(hosts: dict[str, dict[str, Any]]) -> None:
    checked = read_hosts(EPHEMERAL / "check")
    for name, host in hosts.items():
        assert checked[name]["findings"] == host["findings"]


def test_nothing_changes_and_an_unreachable_host_fails_the_run(
    runs: dict[str, subprocess.CompletedProcess[str]],
) -> None:
    for run in runs.values():
        assert run.returncode == 2
        recap = run.stdout.partition("PLAY RECAP")[2]
        assert recap.count("changed=0") == 4
        assert recap.count("failed=1") == 1


def test_no_environment_value_leaves_a_host(runs: dict[str, subprocess.CompletedProcess[str]]) -> None:
    files = [path for directory in runs for path in (EPHEMERAL / directory).rglob("*") if path.is_file()]
    assert files
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    assert not any(SECRET in text for text in [*texts, *(run.stdout + run.stderr for run in runs.values())])


def test_threshold_decides_the_exit_code() -> None:
    report_dir = EPHEMERAL / "threshold"
    privileged = {"docker_compliance_controls": ["container_not_privileged"], "docker_compliance_fail_on": "critical"}
    assert audit(report_dir, "--limit", "breakwater-good", **privileged).returncode == 0
    assert audit(report_dir, "--limit", "breakwater-bad", **privileged).returncode != 0
    assert read_hosts(report_dir)["breakwater-bad"]["summary"]["fail"] == 1
