# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The guide's commands that take a hardened engine back, on a host that never had the port for TLS.
# Needs the test bed (`make bed`).

from __future__ import annotations

import os
import re

from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"breakwater-back-{os.getpid()}"
POLICIES = ("always", "unless-stopped", "on-failure:3")


def test_containers_start_again_by_their_restart_policies() -> None:
    guide = (container_host.ROOT / "docs/operations.md").read_text(encoding="utf-8").partition("## Going back")[2]
    commands = re.findall(r"^```sh\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    assert len(commands) == 1
    with container_host.started(NAME) as host:
        host.run("docker load -qi /usr/share/breakwater/busybox.tar")
        for policy in POLICIES:
            host.run(f"docker run -d --init --restart {policy} busybox:local sleep 100000")
        container_host.playbook("breakwater.docker.harden", NAME, "-e", "docker_hardening_areas=engine", timeout=400)
        assert host.run("docker info --format '{{.LiveRestoreEnabled}}'") == "true\n"
        host.run(commands[0], timeout=120)
        host.wait_for(f"docker info && test $(docker ps --quiet | wc -l) = {len(POLICIES)}")
        assert host.run("docker info --format '{{.LiveRestoreEnabled}}'") == "false\n"
