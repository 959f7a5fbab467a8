# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# An engine in use goes from Debian 13's version to testing's. Only `make molecule-testing` runs it: testing may break
# any day.

from __future__ import annotations

import os
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration.container_host import (
    DEBIAN,
    ContainerHost,
    playbook,
    started,
)

NAME = f"breakwater-major-{os.getpid()}"
AREAS = '{"docker_hardening_areas": ["engine", "seccomp"]}'
#: The engine's packages from testing, and of the others what they need.
TESTING = """
mirror=$(grep -Eohm 1 'https?://[^ ]*/debian/?' -r /etc/apt/sources.list /etc/apt/sources.list.d | head -n 1)
echo "deb [check-valid-until=no] $mirror testing main" >/etc/apt/sources.list.d/testing.list
cat >/etc/apt/preferences.d/testing <<'END'
Package: *
Pin: release a=testing
Pin-Priority: 100

Package: docker.io docker-cli containerd runc
Pin: release a=testing
Pin-Priority: 990
END
"""
PROCESS = "docker inspect -f '{{.State.Pid}} {{.State.StartedAt}}' web"
SERVED = "curl -sf --retry 5 --retry-connrefused http://127.0.0.1:8080/index.html"

pytestmark = pytest.mark.skipif(DEBIAN == "debian13", reason="only make molecule-testing runs it")


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with started(NAME, "breakwater-host:debian13-docker") as machine:
        machine.run("docker load -qi /usr/share/breakwater/busybox.tar")
        playbook("breakwater.docker.harden", NAME, "-e", AREAS, timeout=600)
        serve = "sh -c 'echo served >/index.html; httpd -f'"
        machine.run(f"docker run -d --name web -p 8080:80 busybox:local {serve}")
        yield machine


def test_containers_are_kept_and_the_next_run_changes_nothing(host: ContainerHost) -> None:
    before, version = host.run(PROCESS), host.run("docker version -f '{{.Server.Version}}'")
    host.run(TESTING)
    upgrade = ("breakwater.docker.harden", NAME, "-e", AREAS, "-e", "docker_engine_upgrade=true")
    playbook(*upgrade, timeout=900)
    assert int(host.run("docker version -f '{{.Server.Version}}'").partition(".")[0]) > int(version.partition(".")[0])
    assert host.run(PROCESS) == before
    assert host.run(SERVED) == "served\n"
    assert "changed=0 " in playbook(*upgrade, timeout=600)
