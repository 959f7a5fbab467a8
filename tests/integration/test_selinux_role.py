# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The role docker_selinux where SELinux can't be: it says why, refuses contradictions, and leaves everything as it is.
# What it does to a real kernel shows the scenario vm_selinux. Needs the test bed (`make bed`).

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"breakwater-selinux-{os.getpid()}"
FILES = "find /etc /var/lib/breakwater /.autorelabel -newer /marker 2>/dev/null || true; docker ps -q"
PLAY = "- {hosts: all, gather_facts: false, roles: [breakwater.docker.docker_selinux]}\n"


@pytest.fixture(scope="module")
def host() -> Iterator[container_host.ContainerHost]:
    with container_host.started(NAME) as started:
        started.run("touch /marker; sleep 1; docker load -qi /usr/share/breakwater/busybox.tar")
        started.run("docker run -d --name app busybox:local sleep 1000")
        yield started


@pytest.mark.parametrize("arguments", [("--check", "--diff"), ()])
@pytest.mark.parametrize("state", ["enforcing", "disabled"])
def test_container_is_left_as_it_is(
    host: container_host.ContainerHost, tmp_path: Path, state: str, arguments: tuple[str, ...]
) -> None:
    play = tmp_path / "selinux.yml"
    play.write_text(PLAY, encoding="utf-8")
    before = host.run(FILES)
    told = container_host.playbook(str(play), NAME, "-e", f"docker_selinux_state={state}", *arguments)
    assert "This host is a container" in told
    assert "changed=0" in told
    assert host.run(FILES) == before


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"docker_hardening_areas": ["apparmor", "selinux"]}, "a kernel runs one of the two"),
        (
            {"docker_hardening_areas": ["selinux"], "docker_apparmor_profiles": [{"name": "web"}]},
            "a kernel runs AppArmor or SELinux, not both",
        ),
    ],
)
def test_apparmor_and_selinux_together_are_refused(
    host: container_host.ContainerHost, variables: dict[str, object], sentence: str
) -> None:
    before = host.run(FILES)
    with pytest.raises(AssertionError) as refusal:
        container_host.playbook("breakwater.docker.harden", NAME, "-e", json.dumps(variables))
    assert sentence in " ".join(str(refusal.value).split())
    assert host.run(FILES) == before
