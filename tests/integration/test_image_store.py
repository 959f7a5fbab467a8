# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A real engine whose images lie in containerd's store, as those of new installations of version 29 do: it is hardened
# with its containers kept, audited with a look into its images, and attacked.

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host
from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost

NAME = f"image-store-{os.getpid()}"
SETUP = r"""
mkdir -p /etc/docker
echo '{"features": {"containerd-snapshotter": true}}' >/etc/docker/daemon.json
systemctl restart docker
docker load -qi /usr/share/breakwater/busybox.tar
mkdir /root/setuid
printf 'FROM busybox:local\nRUN cp /bin/busybox /bin/rooted && chmod 4755 /bin/rooted\n' >/root/setuid/Dockerfile
DOCKER_BUILDKIT=0 docker build -qt setuid:local /root/setuid
docker run -d --name web setuid:local sleep 1000000
"""


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with container_host.started(NAME) as started:
        started.run(SETUP, timeout=120)
        assert "io.containerd.snapshotter.v1" in started.run("docker info --format '{{json .DriverStatus}}'")
        yield started


def report(directory: Path) -> dict[str, Any]:
    (host,) = json.loads((directory / "report.json").read_text())["hosts"]
    return host


def test_hardening_keeps_store_and_containers(host: ContainerHost) -> None:
    state = (
        "docker inspect --format '{{.State.Pid}} {{.State.StartedAt}} {{.Image}}' web; docker image ls --no-trunc -q"
    )
    before = host.run(state)
    container_host.playbook("breakwater.docker.harden", NAME, timeout=600)
    assert host.run(state) == before
    config = json.loads(host.run("cat /etc/docker/daemon.json"))
    assert config["features"] == {"containerd-snapshotter": True}
    assert config["live-restore"] is True
    again = container_host.playbook("breakwater.docker.harden", NAME, timeout=600)
    assert "changed=0" in again


def test_layers_of_an_image_that_runs_are_looked_into(host: ContainerHost, tmp_path: Path) -> None:
    given = {"docker_compliance_report_dir": str(tmp_path), "docker_compliance_deep_scan": True}
    container_host.playbook("breakwater.docker.compliance", NAME, "-e", json.dumps(given))
    findings = {(item["control"], item["object"]["name"]): item for item in report(tmp_path)["findings"]}
    setuid = findings["image_no_setuid_files", "setuid:local"]
    assert (setuid["status"], setuid["evidence"]["unexpected"]) == ("fail", ["/bin/rooted"])
    assert findings["image_layers_without_secrets", "setuid:local"]["status"] == "pass"
    errors = {key: item["message"] for key, item in findings.items() if item["status"] == "error"}
    assert {control for control, _name in errors} == {"image_no_setuid_files", "image_layers_without_secrets"}
    assert all("while a container of the image runs" in message for message in errors.values()), errors


def test_every_threat_is_contained_under_docker_workload(host: ContainerHost, tmp_path: Path) -> None:
    given = {"docker_compliance_report_dir": str(tmp_path)}
    container_host.playbook("breakwater.docker.prove", NAME, "-e", json.dumps(given), timeout=600)
    threats = report(tmp_path)["proof"]["threats"]
    assert {threat: found["hardened"] for threat, found in threats.items()} == dict.fromkeys(threats, "contained")
    assert len(threats) == 8
