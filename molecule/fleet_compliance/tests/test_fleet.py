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
    command = ["ansible-playbook", "breakwater.docker.compliance", "-i", os.environ["MOLECULE_INVENTORY_FILE"], "-vvv"]
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
def hosts() -> dict[str, dict[str, Any]]:
    """What converge reported."""
    return read_hosts(EPHEMERAL / "reports")


@pytest.fixture(scope="module")
def check_run() -> subprocess.CompletedProcess[str]:
    """The same audit in check mode."""
    return audit(EPHEMERAL / "check", "--check")


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
    ],
)
def test_insecure_container_fails_and_careful_one_passes(
    hosts: dict[str, dict[str, Any]], control: str, container: str
) -> None:
    assert status(hosts["breakwater-bad"], control, container) == "fail"
    assert status(hosts["breakwater-bad"], control, "careful") == "pass"


def test_hardened_host_scores_better(hosts: dict[str, dict[str, Any]]) -> None:
    assert hosts["breakwater-good"]["score"] > hosts["breakwater-bad"]["score"]


def test_check_mode_finds_the_same(
    hosts: dict[str, dict[str, Any]], check_run: subprocess.CompletedProcess[str]
) -> None:
    assert check_run.returncode == 0, check_run.stdout[-5000:]
    checked = read_hosts(EPHEMERAL / "check")
    for name, host in hosts.items():
        assert checked[name]["findings"] == host["findings"]


def test_no_environment_value_leaves_a_host(check_run: subprocess.CompletedProcess[str]) -> None:
    assert SECRET not in check_run.stdout + check_run.stderr
    written = [path for directory in ("reports", "check") for path in (EPHEMERAL / directory).rglob("*")]
    files = [path for path in written if path.is_file()]
    assert files
    assert [path for path in files if SECRET in path.read_text(encoding="utf-8", errors="replace")] == []


def test_threshold_decides_the_exit_code() -> None:
    report_dir = EPHEMERAL / "threshold"
    privileged = {"docker_compliance_controls": ["container_not_privileged"], "docker_compliance_fail_on": "critical"}
    assert audit(report_dir, "--limit", "breakwater-good", **privileged).returncode == 0
    assert audit(report_dir, "--limit", "breakwater-bad", **privileged).returncode != 0
    assert read_hosts(report_dir)["breakwater-bad"]["summary"]["fail"] == 1
