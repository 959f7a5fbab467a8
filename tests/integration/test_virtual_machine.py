# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A short look at a real kernel: that the virtual machines boot, and that AppArmor confines there what the role says.
# `make molecule-vm` has the whole of what only a kernel of one's own shows; it takes too long for every run.

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import check_mode
from ansible_collections.breakwater.docker.tests.integration.container_host import ROOT, run

NAME = "breakwater-smoke"
SSH_CONFIG = ROOT / ".cache/bed/vm" / NAME / "ssh_config"
PROFILE = {"name": "lab", "readable": ["/"], "executable": ["/bin/"]}
Ssh = Callable[[str], "subprocess.CompletedProcess[str]"]


def play(name: str, *options: str, **variables: object) -> str:
    """Run a playbook of the collection on the machine."""
    given = ("--ssh-common-args", f"-F {SSH_CONFIG}", *options, "-e", json.dumps(variables))
    return run("ansible-playbook", name, "-i", f"{NAME},", *given, timeout=600)


@pytest.fixture(scope="module")
def machine() -> Iterator[None]:
    run(sys.executable, "tests/bed/vm.py", "start", NAME, "debian13", timeout=900)
    try:
        yield
    finally:
        run(sys.executable, "tests/bed/vm.py", "stop", NAME)


@pytest.fixture(scope="module")
def differences(machine: None, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Give the machine a profile; return how what check mode says of that differs from what then changes."""

    def harden(*options: str) -> None:
        given = {"docker_hardening_areas": ["apparmor"], "docker_apparmor_profiles": [PROFILE]}
        play("breakwater.docker.harden", *options, **given)

    return check_mode.tried(harden, tmp_path_factory.mktemp("changes"))


@pytest.fixture(scope="module")
def ssh(differences: list[str]) -> Ssh:
    """Return what runs a script on the machine with containers under the engine's profile and one of its own."""

    def script(text: str) -> subprocess.CompletedProcess[str]:
        command = ["ssh", "-F", str(SSH_CONFIG), NAME, text]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    started = script(
        "docker load -qi /usr/share/breakwater/busybox.tar && docker run -d --name plain busybox:local sleep 10000"
        " && docker run -d --name lab --security-opt apparmor=lab busybox:local sleep 10000"
    )
    assert started.returncode == 0, started.stderr
    return script


def test_check_mode_says_what_then_changes(differences: list[str]) -> None:
    assert differences == []


def test_profile_of_ones_own_refuses_what_the_engines_allows(ssh: Ssh) -> None:
    assert ssh("docker exec plain sh -c 'echo x >/tmp/file'").returncode == 0
    refused = ssh("docker exec lab sh -c 'echo x >/tmp/file'")
    assert refused.returncode != 0
    assert "permission denied" in refused.stderr.lower()
    assert ssh("docker exec lab cat /etc/hosts").returncode == 0


def test_audit_reads_the_kernels_truth(ssh: Ssh, tmp_path: Path) -> None:
    controls = ["container_apparmor_profile", "container_kernel_agrees", "host_cgroup_version_2"]
    play(
        "breakwater.docker.compliance", docker_compliance_report_dir=str(tmp_path), docker_compliance_controls=controls
    )
    [host] = json.loads((tmp_path / "report.json").read_text())["hosts"]
    found = {(item["control"], item["object"]["name"]): item["status"] for item in host["findings"]}
    assert found == {
        ("container_apparmor_profile", "plain"): "pass",
        ("container_apparmor_profile", "lab"): "pass",
        ("container_kernel_agrees", "plain"): "pass",
        ("container_kernel_agrees", "lab"): "pass",
        ("host_cgroup_version_2", NAME): "pass",
    }
