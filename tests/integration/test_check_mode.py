# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Roles that come after docker_engine in one run, on an engine that it mends first: check mode goes by what it says.

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import check_mode, container_host

NAME = f"breakwater-check-{os.getpid()}"
AREAS = ("host", "tls", "engine", "auditd", "firewall", "apparmor", "seccomp", "registry_client")
CA = "-----BEGIN CERTIFICATE-----\n"
GIVEN = {
    "docker_host_core_dumps": False,
    "docker_tls_ca_passphrase": "battery-staple-horse-correct",
    "docker_engine_replace_invalid": True,
    "docker_seccomp_daemon_profile": "default",
    "docker_registry_client_registries": [{"address": "registry.example.org", "ca": CA}],
    "docker_registry_client_mirrors": ["https://mirror.example.org"],
}


@pytest.fixture
def host() -> Iterator[container_host.ContainerHost]:
    """An engine that no role has seen, with a container."""
    with container_host.started(NAME) as made:
        made.run("docker load -qi /usr/share/breakwater/busybox.tar")
        made.run("docker run -d --init --name app busybox:local sleep 100000")
        yield made


def converge(directory: Path, *options: str, **given: Any) -> str:
    """Run the roles in one play."""
    play = directory / "site.yml"
    roles = [f"breakwater.docker.docker_{area}" for area in AREAS]
    play.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "roles": roles}]))
    # one controller after another, each with a CA of its own
    ca = {"docker_tls_ca_dir": str(directory / "ca"), "docker_tls_replace_foreign": True}
    variables = {**GIVEN, **ca, **given}
    return container_host.playbook(str(play), NAME, *options, "-e", json.dumps(variables), timeout=600)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param("", id="a configuration that nobody can parse"),
        pytest.param('{"insecure-registries": ["registry.example.org"], "icc": true}', id="a careless one"),
    ],
)
def test_check_mode_goes_by_what_the_engines_role_predicts(
    host: container_host.ContainerHost, tmp_path: Path, before: str
) -> None:
    host.run(
        f"echo '{before or '{'}' >/etc/docker/daemon.json; docker inspect -f '{{{{.State.Pid}}}}' app >/root/process"
    )
    said: list[str] = []
    assert check_mode.tried(lambda *options: said.append(converge(tmp_path, *options)), tmp_path / "changes") == []
    assert ("can't be parsed: a new one replaces it" in " ".join(said[0].split())) == (not before)
    host.run("docker inspect -f '{{.State.Pid}}' app | diff /root/process -")
