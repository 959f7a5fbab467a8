# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine from a signed repository: installed in a version, held, and upgraded under a running container. The tests
# are stages of one host's life, in their order.

from __future__ import annotations

import json
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost, playbook, run, started

NAME = "breakwater-packages"
SCRIPT = Path(__file__).parent / "package_repository.sh"
OLD, NEW = "26.1.5", "26.1.6"
PACKAGES = {"docker-ce", "docker-ce-cli", "containerd.io"}
UNCHANGED = "changed=0 "


class Engine:
    """A host with a repository of its own, and the playbook that installs from there."""

    def __init__(self, host: ContainerHost) -> None:
        self.host = host
        run("docker", "cp", "-q", str(SCRIPT), f"{NAME}:/root/")
        self.fingerprint = host.run(f"sh /root/{SCRIPT.name} /srv/linux {OLD} {NEW}", timeout=300).split()[-1]

    def harden(self, *arguments: str, **variables: object) -> str:
        settings = {
            "docker_hardening_areas": ["engine"],
            "docker_engine_source": "docker_ce",
            "docker_engine_repository_url": "file:///srv/linux",
            "docker_engine_repository_fingerprint": self.fingerprint,
            "docker_engine_version": OLD,
            "docker_engine_hold": True,
            **variables,
        }
        return playbook("breakwater.docker.harden", NAME, "-e", json.dumps(settings), *arguments, timeout=300)

    def version(self) -> str:
        return self.host.run("dpkg-query -W -f '${Version}' docker-ce").partition(":")[2].partition("-")[0]

    def held(self) -> set[str]:
        return set(self.host.run("apt-mark showhold").split())

    def dockerd(self) -> str:
        return self.host.run("pidof dockerd")

    def container(self) -> str:
        return self.host.run("docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' kept")


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with started(NAME, "breakwater-host:debian13", "systemctl is-system-running --wait") as host:
        yield Engine(host)


def test_repository_with_another_key_is_refused(engine: Engine) -> None:
    sources = "cat /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/keyrings/* 2>/dev/null | sha256sum"
    before = engine.host.run(sources)
    with pytest.raises(AssertionError, match=f"{engine.fingerprint}, not 9DC858229FC7DD38854AE2D88D81803C0EBFCD88"):
        engine.harden(docker_engine_repository_fingerprint=None)
    assert engine.host.run(sources) == before


def test_version_of_choice_is_installed_and_held(engine: Engine) -> None:
    assert "docker-ce" in engine.harden("--check", "--diff")
    engine.harden()
    assert engine.version() == OLD
    assert engine.held() == PACKAGES
    engine.host.run("apt-get -qq -y -o Debug::NoLocking=1 upgrade")
    assert engine.version() == OLD
    assert UNCHANGED in engine.harden()


def test_another_version_takes_an_upgrade(engine: Engine) -> None:
    engine.host.run(
        "docker load -qi /usr/share/breakwater/busybox.tar && docker run -d --name kept busybox:local sleep infinity"
    )
    dockerd = engine.dockerd()
    told = engine.harden(docker_engine_version=NEW)
    assert "docker-ce is 5:26.1.5-1" in told
    assert UNCHANGED in told
    told = engine.harden(docker_engine_version=NEW, docker_engine_upgrade=True, docker_engine_restart="never")
    assert "waits for a run that may restart dockerd" in told
    assert (engine.version(), engine.dockerd()) == (OLD, dockerd)


def test_version_that_is_not_offered_is_refused(engine: Engine) -> None:
    with pytest.raises(AssertionError, match=r"There is no version 27.0 of docker-ce, but 5:26.1"):
        engine.harden(docker_engine_version="27.0", docker_engine_upgrade=True)
    assert engine.version() == OLD


def test_upgrade_keeps_containers_and_the_hold(engine: Engine) -> None:
    process, dockerd = engine.container(), engine.dockerd()
    assert "docker-ce 5:26.1.6" in engine.harden(
        "--check", "--diff", docker_engine_version=NEW, docker_engine_upgrade=True
    )
    assert engine.version() == OLD
    engine.harden(docker_engine_version=NEW, docker_engine_upgrade=True)
    assert engine.version() == NEW
    assert engine.held() == PACKAGES
    assert engine.container() == process
    assert engine.dockerd() != dockerd
    assert UNCHANGED in engine.harden(docker_engine_version=NEW, docker_engine_upgrade=True)


def test_hold_is_let_go(engine: Engine) -> None:
    engine.harden(docker_engine_version=NEW, docker_engine_hold=False)
    assert engine.held() == set()


def test_engine_from_elsewhere_is_not_replaced(engine: Engine) -> None:
    with pytest.raises(AssertionError, match=r"docker.io is not what the engine here was installed by"):
        engine.harden(docker_engine_source="distribution", docker_engine_version=None, docker_engine_upgrade=True)
    assert engine.version() == NEW
