# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Audits a real rootless engine, by root and by its own user, on a container host that has a rootful engine as well.
# Needs the test bed (`make bed`) and Debian's packages.

from __future__ import annotations

import json
import os
from typing import Any, Iterator

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"fuzz-rootless-{os.getpid()}"
SOCKET = "unix:///run/user/1500/docker.sock"
START = (
    "export XDG_RUNTIME_DIR=/run/user/1500 PATH=/usr/sbin:/usr/bin:/usr/share/docker.io/contrib;"
    " setsid dockerd-rootless.sh >/tmp/rootless.log 2>&1 </dev/null &"
)
PREPARE = (
    "apt-get update -qq && apt-get install -qq --no-install-recommends rootlesskit slirp4netns uidmap >/dev/null 2>&1"
    " && useradd --create-home --uid 1500 captain && loginctl enable-linger captain"
    " && chmod 666 /dev/net/tun && mkdir -p /home/captain/.config/docker"
    """ && echo '{"icc": false}' > /home/captain/.config/docker/daemon.json"""
    " && chown -R captain /home/captain/.config && while [ ! -d /run/user/1500 ]; do sleep 0.2; done"
)


@pytest.fixture(scope="module")
def host() -> Iterator[container_host.ContainerHost]:
    with container_host.started(NAME) as machine:
        machine.run(PREPARE, timeout=300)
        machine.run(f"su captain -s /bin/sh -c '{START}'")
        machine.wait_for(f"docker -H {SOCKET} info")
        machine.run(f"docker -H {SOCKET} load -qi /usr/share/breakwater/busybox.tar")
        machine.run(
            f"docker -H {SOCKET} run -d --name careful --security-opt no-new-privileges busybox:local sleep 999"
        )
        machine.run(f"docker -H {SOCKET} run -d --name bold --privileged -v /run/user/1500:/s busybox:local sleep 999")
        yield machine


@pytest.fixture(scope="module", params=["root", "captain"])
def report(host: container_host.ContainerHost, request: pytest.FixtureRequest, tmp_path_factory: Any) -> dict[str, Any]:
    directory = tmp_path_factory.mktemp(request.param)
    options = {"docker_host": SOCKET, "profile": "strict", "report_dir": str(directory)}
    become = {"become": True, "become_user": request.param, "become_method": "ansible.builtin.su"}
    task = {"breakwater.docker.docker_compliance_info": options, **(become if request.param != "root" else {})}
    playbook = directory / "audit.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    container_host.playbook(str(playbook), NAME)
    return json.loads((directory / f"hosts/{NAME}.json").read_text())


@pytest.mark.parametrize(
    ("control", "expected"),
    [
        ("daemon_rootless", "not_applicable"),
        ("daemon_userns_remap", "pass"),
        ("daemon_live_restore", "not_applicable"),
        ("daemon_icc_disabled", "pass"),
        ("daemon_config_valid", "pass"),
        ("daemon_single", "fail"),
        ("file_docker_socket_mode", "pass"),
        ("file_docker_socket_owner", "not_applicable"),
        ("container_not_privileged", {"careful": "pass", "bold": "fail"}),
        ("container_no_engine_socket", {"careful": "pass", "bold": "fail"}),
        ("container_no_new_privileges", {"careful": "pass", "bold": "fail"}),
    ],
)
def test_rootless_engine(report: dict[str, Any], control: str, expected: Any) -> None:
    assert report["assessed"], report["reason"]
    assert report["engine"]["rootless"] is True
    found = {item["object"]["name"]: item["status"] for item in report["findings"] if item["control"] == control}
    assert found == expected if isinstance(expected, dict) else set(found.values()) == {expected}


def test_what_can_not_be_known_is_an_error_and_not_a_pass(
    report: dict[str, Any], host: container_host.ContainerHost
) -> None:
    errors = {item["control"] for item in report["findings"] if item["status"] == "error"}
    driver = host.run(f"docker -H {SOCKET} info -f '{{{{.CgroupDriver}}}}'").strip()
    # without control groups (version 1 of them) nothing tells which processes are a container's
    unseen = {"container_kernel_agrees", "container_no_ssh_server"} if driver == "none" else set()
    # engines from 28 on don't tell of the packet filter, which is in a network namespace of theirs
    assert errors - {"daemon_icc_enforced"} == unseen
    assert ("daemon_icc_enforced" in errors) is (container_host.DEBIAN != "debian13")
