# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Requests to a container's published port, at a steady rate from another machine, while its engine is hardened and its
# packets filtered for the first time, and while it is opened over TLS and given certificates of a new CA.
# Needs the test bed (`make bed`).

from __future__ import annotations

import json
import os
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any, Iterator

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration import ansible_runs, container_host

NAME = f"breakwater-traffic-{os.getpid()}"
PER_SECOND = 25
TLS = {
    "hosts": ["fd://"],
    "tlsverify": True,
    "tlscacert": "/etc/docker/tls/ca.pem",
    "tlscert": "/etc/docker/tls/cert.pem",
    "tlskey": "/etc/docker/tls/key.pem",
}


class Load:
    """Requests at a steady rate, each on a connection of its own; `lost` says what became of those that failed."""

    def __init__(self, address: str) -> None:
        self.url = f"http://{address}:8080/"
        self.answered = 0
        self.lost: list[str] = []

    def request(self) -> None:
        """Send one request."""
        try:
            with urllib.request.urlopen(self.url, timeout=30) as answer:
                assert answer.read() == b"here\n"
            self.answered += 1
        except OSError as error:
            self.lost.append(str(error))

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send requests for as long as the context lasts."""
        stop = Event()

        def send() -> None:
            with ThreadPoolExecutor(max_workers=100) as pool:
                while not stop.wait(1 / PER_SECOND):
                    pool.submit(self.request)

        sender = Thread(target=send)
        sender.start()
        try:
            yield
        finally:
            stop.set()
            sender.join()


@pytest.fixture(scope="module")
def host() -> Iterator[container_host.ContainerHost]:
    with container_host.started(NAME) as machine:
        machine.run("docker load -qi /usr/share/breakwater/busybox.tar")
        machine.run(
            "docker run -d --name web -p 8080:80 busybox:local"
            " sh -c 'mkdir /www; echo here > /www/index.html; exec httpd -f -p 80 -h /www'"
        )
        yield machine


@pytest.fixture
def load(host: container_host.ContainerHost) -> Load:
    return Load(container_host.run("docker", "inspect", "-f", "{{.NetworkSettings.IPAddress}}", NAME).strip())


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return {"docker_tls_ca_dir": str(tmp_path_factory.mktemp("ca")), "docker_tls_ca_passphrase": "battery-staple-horse"}


def dockerd(host: container_host.ContainerHost) -> str:
    return host.run("systemctl show docker -P MainPID")


def container(host: container_host.ContainerHost) -> str:
    return host.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web")


def site(directory: Path, *roles: str) -> str:
    """Return a playbook with these roles of the collection."""
    play = {"hosts": "all", "gather_facts": False, "roles": [f"breakwater.docker.{role}" for role in roles]}
    (directory / "site.yml").write_text(yaml.safe_dump([play]))
    return str(directory / "site.yml")


def test_first_hardening_loses_no_request(host: container_host.ContainerHost, load: Load, tmp_path: Path) -> None:
    engine, process = dockerd(host), container(host)
    with load.running():
        container_host.playbook(site(tmp_path, "docker_engine", "docker_firewall"), NAME)
    assert (load.lost, load.answered > PER_SECOND) == ([], True)
    assert "breakwater-restart" not in host.run("iptables -S INPUT")
    assert "docker-proxy" not in host.run("ps -A -o comm")
    assert dockerd(host) != engine
    assert container(host) == process


def test_opening_the_port_and_rotation_lose_no_request(
    host: container_host.ContainerHost, load: Load, variables: dict[str, Any], tmp_path: Path
) -> None:
    given = ("-e", json.dumps({**variables, "docker_engine_config": TLS}))
    engines, process = [dockerd(host)], container(host)
    with load.running():
        container_host.playbook(site(tmp_path, "docker_tls", "docker_engine"), NAME, *given)
        engines.append(dockerd(host))
        container_host.playbook(
            "breakwater.docker.rotate_certificates", NAME, *given, "-e", "docker_tls_ca_rotate=true"
        )
        engines.append(dockerd(host))
    assert (load.lost, load.answered > PER_SECOND) == ([], True)
    assert len(set(engines)) == len(engines)
    assert container(host) == process


def test_clients_of_the_port_are_not_shut_out_unnamed(host: container_host.ContainerHost) -> None:
    before = host.run("iptables-save -t filter")
    given = json.dumps({"docker_hardening_areas": ["firewall"]})
    run = ansible_runs.start("ansible-playbook", "breakwater.docker.harden", "-i", f"{NAME},", "-e", given)
    said = " ".join(ansible_runs.finished(run).split())
    assert run.returncode != 0
    assert "no client may reach it, since trusted_clients is empty" in said
    assert rules(host.run("iptables-save -t filter")) == rules(before)


def rules(saved: str) -> list[str]:
    """Return the rules without their counters and dates."""
    return [line for line in saved.splitlines() if line.startswith("-A")]
