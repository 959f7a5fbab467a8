# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# An engine that trusts a registry, or ceases to, by a controller that never had the registry's CA.
# Needs the test bed (`make bed`).

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"breakwater-client-{os.getpid()}"
REGISTRY = "registry.example.org:5000"
DIRECTORY = f"/etc/docker/certs.d/{REGISTRY}"
OWN = "# Managed by breakwater.docker\nx\n"
PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
PLAY = [{"hosts": "all", "gather_facts": False, "roles": ["breakwater.docker.docker_registry_client"]}]


@pytest.fixture(scope="module")
def host() -> Iterator[container_host.ContainerHost]:
    with container_host.started(NAME) as made:
        made.run(f"mkdir -p '{DIRECTORY}'; printf '{OWN}' >'{DIRECTORY}/ca.crt'")
        yield made


def converge(directory: Path, code: int, **registry: Any) -> str:
    (directory / "play.yml").write_text(json.dumps(PLAY))
    given = {
        "docker_registry_client_ca_dir": str(directory / "none"),
        "docker_registry_client_registries": [{"address": REGISTRY, **registry}],
    }
    said = container_host.playbook(str(directory / "play.yml"), NAME, "-e", json.dumps(given), code=code)
    return " ".join(said.split())


def test_a_ca_that_is_not_there_is_named(host: container_host.ContainerHost, tmp_path: Path) -> None:
    said = converge(tmp_path, 2)
    assert f"no CA of docker_registry in {tmp_path}/none on this controller" in said
    assert f"the certificate of {REGISTRY}: name the registry's CA" in said
    assert host.run(f"cat '{DIRECTORY}/ca.crt'") == OWN


def test_trust_is_removed_without_the_ca(host: container_host.ContainerHost, tmp_path: Path) -> None:
    converge(tmp_path, 0, state="absent")
    assert host.run("ls /etc/docker/certs.d 2>/dev/null || true") == ""


def test_a_key_of_somebody_else_is_never_removed(host: container_host.ContainerHost, tmp_path: Path) -> None:
    host.run(f"mkdir -p '{DIRECTORY}'; cd '{DIRECTORY}'; echo x | tee ca.crt client.cert client.key")
    said = converge(tmp_path, 2, ca="")
    assert f"{DIRECTORY} has ca.crt, which this collection did not put there" in said
    converge(tmp_path, 0, ca=PEM)
    assert host.run(f"cd '{DIRECTORY}'; ls; cat client.key") == "ca.crt\nclient.cert\nclient.key\nx\n"
    said = converge(tmp_path, 2, state="absent")
    assert f"{DIRECTORY} has client.cert, client.key, which" in said
    host.run(f"cd '{DIRECTORY}'; rm client.cert client.key")
    converge(tmp_path, 0, state="absent")
    assert host.run("ls /etc/docker/certs.d") == ""
