# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The packet filter on a host that is reached by a bridge of its own, with a name like those of the engine's.
# Needs the test bed (`make bed`).

from __future__ import annotations

import os
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"breakwater-uplink-{os.getpid()}"
GET = "wget -q -T 5 -O - http://{}:8080/"
#: What virtualisation hosts have: the interface becomes a port, and the bridge has the address and the routes.
BRIDGE = """
address=$(ip -4 -o address show eth0 | awk '{print $4}')
gateway=$(ip route show default | awk '{print $3}')
ip link add br-lan address "$(cat /sys/class/net/eth0/address)" type bridge
ip link set br-lan up
ip address flush dev eth0
ip link set eth0 master br-lan
ip address add "$address" dev br-lan
ip route add default via "$gateway"
"""
SERVE = "sh -c 'echo here >/index.html; exec httpd -f -p 80 -h /'"


@pytest.fixture(scope="module")
def hosts() -> Iterator[tuple[container_host.ContainerHost, container_host.ContainerHost]]:
    with container_host.started(NAME) as host, container_host.started(f"{NAME}-peer") as peer:
        host.run(BRIDGE)
        for machine in (host, peer):
            machine.run("docker load -qi /usr/share/breakwater/busybox.tar")
            machine.run(f"docker run -d --name web -p 8080:80 busybox:local {SERVE}")
        yield host, peer


def address(host: container_host.ContainerHost) -> str:
    return host.run("hostname -I").split()[0]


def test_containers_are_reached_and_reach_others_by_the_hosts_own_bridge(
    hosts: tuple[container_host.ContainerHost, container_host.ContainerHost],
) -> None:
    host, peer = hosts
    said = ""
    for _run in range(2):
        said = container_host.playbook("breakwater.docker.harden", NAME, "-e", "docker_hardening_areas=firewall")
        assert peer.run(f"docker exec web {GET.format(address(host))}") == "here\n"
        assert host.run(f"docker exec web {GET.format(address(peer))}") == "here\n"
    assert "changed=0" in said
