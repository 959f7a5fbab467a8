# Hosts that had no Docker before.

from __future__ import annotations

import json
from typing import Any

import bed

testinfra_hosts = bed.hosts("pristine")


def name(host: Any) -> str:
    return host.check_output("hostname")


def test_containers_on_the_default_network_can_not_talk(host: Any) -> None:
    host.check_output("docker load -qi /usr/share/breakwater/busybox.tar")
    host.check_output("docker run -d --rm --name server busybox:local httpd -f -p 80")
    try:
        address = host.check_output("docker inspect -f '{{.NetworkSettings.IPAddress}}' server")
        local = host.run(f"docker exec server nc -w 3 {address} 80 </dev/null")
        assert local.rc == 0, "the server answers itself, so silence means that traffic is dropped"
        assert host.run(f"docker run --rm busybox:local nc -w 3 {address} 80 </dev/null").rc != 0
        assert "NoNewPrivs:\t1" in host.check_output("docker exec server cat /proc/1/status")
    finally:
        host.check_output("docker rm -f server")


def test_hosts_in_the_file_and_the_unit_get_along(host: Any) -> None:
    if name(host) == "breakwater-engine13":
        assert host.check_output("curl -s --unix-socket /run/second.sock http://docker/_ping") == "OK"
        assert "fd://" not in host.check_output("systemctl show docker -p ExecStart")
    else:
        assert "fd://" in host.check_output("systemctl show docker -p ExecStart")


def test_strict_profile_maps_users(host: Any) -> None:
    options = json.loads(host.check_output("docker info -f '{{json .SecurityOptions}}'"))
    assert ("name=userns" in options) == (name(host) == "breakwater-engine12")
