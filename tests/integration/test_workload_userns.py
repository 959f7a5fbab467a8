# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A workload on an engine whose containers' root is nobody on the host: secrets, volumes and /tmp belong to its user.

from __future__ import annotations

import json
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration.ansible_runs import finished, start_module
from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost, run, started

CONFIGURATION = '{"userns-remap": "default"}'
SCRIPT = "cp /run/secrets/token /data/copy && cp /data/copy /tmp/copy && exec sleep 1000000"


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with started("breakwater-workload-userns") as machine:
        machine.run(f"echo '{CONFIGURATION}' >/etc/docker/daemon.json && systemctl restart docker")
        machine.wait_for("docker info")
        machine.run("docker load -qi /usr/share/breakwater/busybox.tar")
        yield machine


def test_workload_has_its_files(host: ContainerHost) -> None:
    image = run("docker", "image", "ls", "--no-trunc", "--quiet", "busybox:local").strip()
    container = {
        "name": "web",
        "owner": "shop",
        "image": image,
        "command": ["sh", "-c", SCRIPT],
        "secrets": [{"name": "token", "content": "hunter2"}],
        "environment": {"API_TOKEN": "hunter3"},
        "volumes": [{"volume": "data", "target": "/data"}],
        "health": {"test": ["CMD", "test", "-s", "/tmp/copy"]},
        "stop_timeout": 1,
        "reasons": {
            "image_signature_verified": "It is built on this machine.",
            "container_no_secrets_in_environment": "The program takes it from nowhere else.",
        },
    }
    for outcome in ("CHANGED", "SUCCESS"):
        said = finished(start_module("docker_workload", host.name, "-vvv", containers=[container], profile="strict"))
        assert outcome in said, said
        logged = host.run("journalctl --no-pager -o cat --grep 'Invoked with'")
        assert "API_TOKEN" in logged
        assert "hunter" not in said + logged
    assert host.run("docker exec web cat /data/copy") == "hunter2"
    offset = int(host.run("docker info -f '{{.DockerRootDir}}'").strip().rpartition("/")[2].partition(".")[0])
    assert offset > 0
    owners = host.run("stat -c %u /var/lib/breakwater/secrets/web/* $(docker volume inspect -f '{{.Mountpoint}}' data)")
    assert {int(owner) for owner in owners.split()} == {offset + 65532}
    process = json.loads(host.run("docker inspect web"))[0]["State"]["Pid"]
    assert f"Uid:\t{offset + 65532}\t" in host.run(f"cat /proc/{process}/status")
