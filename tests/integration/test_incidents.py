# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The commands of docs/incidents.md, on a real engine.

from __future__ import annotations

import os
import re
import textwrap
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host
from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost

GUIDE = (Path(__file__).parents[2] / "docs/incidents.md").read_text(encoding="utf-8")


def commands(title: str) -> list[str]:
    """Return the blocks of commands in a part of the guide."""
    part = GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", part, re.MULTILINE | re.DOTALL)
    assert blocks
    return [textwrap.dedent(block) for block in blocks]


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with container_host.started(f"incidents-{os.getpid()}") as started:
        image = "docker save busybox:local | docker exec -i NAME docker load".replace("NAME", started.name)
        container_host.run("sh", "-c", image)
        yield started


def test_compromised_container_is_cut_off_frozen_and_kept(host: ContainerHost) -> None:
    host.run("docker network create other && docker run -d --name web busybox:local sh -c 'echo x > /new; sleep 600'")
    host.run("docker network connect other web")
    for block in commands("A container is compromised"):
        host.run(f"cd /root && {block}".replace("CONTAINER", "web"))
    assert host.run("docker ps --format '{{.Names}} {{.Status}} {{.Networks}}'").strip().endswith("(Paused)")
    assert "A /new" in host.run("cat /root/diff.txt")
    assert "new\n" in host.run("tar -tf /root/files.tar")
    host.run("docker unpause web")  # a host whose processes are frozen can't be removed


def test_engine_that_does_not_start_gets_its_former_configuration(host: ContainerHost) -> None:
    host.run("echo '{\"debug\": true}' > /etc/docker/daemon.json.breakwater-previous")
    host.run("echo '{\"nonsense\": 1}' > /etc/docker/daemon.json; ! systemctl restart docker")
    [block] = commands("The engine does not start")
    told = host.run(block.replace("dockerd --validate", "! dockerd --validate"))
    assert "nonsense" in told
    assert host.run("docker info --format '{{.Debug}}'") == "true\n"
