# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Clients over IPv6 of a container that has no address of it, as on most hosts, while its engine is hardened.
# Needs the test bed (`make bed`).

from __future__ import annotations

import os

from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"breakwater-ipv6-{os.getpid()}"
HARDEN = ("breakwater.docker.harden", NAME, "-e", "docker_hardening_areas=engine")
#: A client on a network of its own with the host.
CLIENT = """
ip netns add client
ip link add outside type veth peer name eth0 netns client
echo 0 >/proc/sys/net/ipv6/conf/outside/disable_ipv6
ip address add fd00:bed::1/64 dev outside nodad
ip link set outside up
ip netns exec client sh -ec '
    echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6
    ip address add fd00:bed::2/64 dev eth0 nodad
    ip link set eth0 up
'
"""
GET = "ip netns exec client curl -s -S -g -m 10 --retry 3 http://[fd00:bed::1]:8080/"


def test_hardening_leaves_published_ports_open_to_clients_over_ipv6() -> None:
    with container_host.started(NAME) as host:
        host.run(CLIENT)
        host.run("docker load -qi /usr/share/breakwater/busybox.tar")
        serve = "sh -c 'echo here >/index.html; exec httpd -f -p 80 -h /'"
        host.run(f"docker run -d -p 8080:80 busybox:local {serve}")
        assert host.run(GET) == "here\n"
        container_host.playbook(*HARDEN, timeout=400)
        assert host.run(GET) == "here\n"
        assert "changed=0" in container_host.playbook(*HARDEN, timeout=400)
