# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A host whose root works on another engine by the current context of the docker command: what the collection does there
# is done on the engine of the host. The other one does not exist, so whoever asks it fails.
# Needs the test bed (`make bed`).

from __future__ import annotations

import os
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration.ansible_runs import finished, start, start_module
from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost, started

ELSEWHERE = "tcp://127.0.0.1:9"
IMAGE = "127.0.0.1:5000/none@sha256:" + "0" * 64


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with started(f"breakwater-context-{os.getpid()}") as machine:
        machine.run(f"docker context create elsewhere --docker host={ELSEWHERE} && docker context use elsewhere")
        assert ELSEWHERE in machine.run("docker version 2>&1 || true")
        yield machine


def test_context_that_the_user_made_keeps_its_key(host: ContainerHost) -> None:
    host.run(
        "mkdir /root/other && cd /root/other"
        " && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout key.pem -out cert.pem"
        " && docker context create prod-1 --docker"
        " host=tcp://127.0.0.1:2376,ca=/root/other/cert.pem,cert=/root/other/cert.pem,key=/root/other/key.pem"
        " && docker context create prod-2 --docker host=ssh://root@127.0.0.1 && rm key.pem"
    )
    state = "find /root/.docker -type f -o -type l | sort | xargs sha256sum"
    before = host.run(state)
    for name in ("prod-1", "prod-2"):
        wanted = {"fresh": "tcp://127.0.0.1:2376", name: "tcp://127.0.0.1:2376"}
        for options in (["--check"], []):
            said = finished(start_module("docker_contexts", host.name, *options, contexts=wanted))
            assert f"The context {name} is the user's own" in said
            assert host.run(state) == before
    host.run("docker context rm prod-1 prod-2")
    said = finished(start_module("docker_contexts", host.name, contexts=wanted))
    assert "CHANGED" in said, said
    assert "prod-2" in host.run("docker context ls --format '{{.Name}}'")


def test_containers_of_the_proof_run_on_the_hosts_engine(host: ContainerHost) -> None:
    said = finished(start("ansible", host.name, "-i", f"{host.name},", "-m", "breakwater.docker.docker_probe_info"))
    assert "SUCCESS" in said, said
    assert '"verdict": "contained"' in said


@pytest.mark.parametrize(
    ("module", "arguments"),
    [
        (
            "docker_workload",
            {
                "containers": [
                    {
                        "name": "web",
                        "owner": "shop",
                        "image": IMAGE,
                        "health": {"test": ["CMD", "true"]},
                        "reasons": {"image_signature_verified": "A test."},
                    }
                ]
            },
        ),
        (
            "docker_image_verify",
            {"images": [IMAGE], "policy": [{"repository": "*", "action": "accept"}], "pull": True, "required": True},
        ),
    ],
)
def test_images_are_pulled_by_the_hosts_engine(host: ContainerHost, module: str, arguments: dict[str, Any]) -> None:
    said = finished(start_module(module, host.name, **arguments))
    assert "can't be pulled" in said, said
    assert "Error response from daemon" in said
    assert ELSEWHERE not in said
