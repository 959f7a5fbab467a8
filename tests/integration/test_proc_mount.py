# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What users see of each other's processes, on hosts that mount /proc in their own way.
# Needs the test bed (`make bed`).

from __future__ import annotations

import os
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"breakwater-proc-{os.getpid()}"
HARDEN = ("breakwater.docker.harden", NAME, "--tags", "logins", "-e", "docker_host_hidepid=true")
MOUNTED = "grep '^[^ ]* /proc proc ' /proc/self/mounts"


@pytest.fixture(scope="module")
def host() -> Iterator[container_host.ContainerHost]:
    with container_host.started(NAME) as machine:
        yield machine


def test_options_of_proc_are_kept_and_a_run_that_ended_before_it_was_mounted_is_made_up_for(
    host: container_host.ContainerHost,
) -> None:
    host.run("echo 'none  /proc proc nosuid,noexec,gid=27 0 0 # ours' >/etc/fstab")
    container_host.playbook(*HARDEN)
    assert host.run("cat /etc/fstab") == "none  /proc proc nosuid,noexec,gid=27,hidepid=2 0 0 # ours\n"
    assert "gid=27,hidepid=invisible" in host.run(MOUNTED)
    host.run("mount -o remount,hidepid=0 /proc")
    container_host.playbook(*HARDEN)
    assert "gid=27,hidepid=invisible" in host.run(MOUNTED)
    assert "changed=0" in container_host.playbook(*HARDEN)


def test_line_that_is_none_gets_one_beside_it(host: container_host.ContainerHost) -> None:
    host.run("echo '#proc /proc proc defaults 0 0' >/etc/fstab; mount -o remount,hidepid=0,gid=0 /proc")
    container_host.playbook(*HARDEN)
    assert host.run("tail -n 1 /etc/fstab") == "proc /proc proc defaults,hidepid=2 0 0\n"
    assert "hidepid=invisible" in host.run(MOUNTED)
