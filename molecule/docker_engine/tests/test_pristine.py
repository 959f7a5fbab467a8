# Hosts that had no Docker before, or none in use.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bed

testinfra_hosts = bed.hosts("pristine") + bed.hosts("unused")
STRICT = ("breakwater-engine12", "breakwater-engine13-strict")


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
    assert ("name=userns" in options) == (name(host) in STRICT)


def test_published_ports_of_the_strict_profile_are_the_hosts_own(host: Any) -> None:
    host.check_output("docker load -qi /usr/share/breakwater/busybox.tar")
    host.check_output("docker run -d --rm --name published -p 8081:80 busybox:local httpd -f -p 80")
    try:
        bound = host.check_output("docker port published 80").splitlines()
        assert (bound == ["127.0.0.1:8081"]) == (name(host) in STRICT)
    finally:
        host.check_output("docker rm -f published")


def test_containers_on_a_new_network_of_the_strict_profile_can_not_talk(host: Any) -> None:
    # engines know the key since 24.0
    host.check_output("docker network create apart")
    try:
        options = host.check_output("docker network inspect -f '{{json .Options}}' apart")
        assert ("enable_icc" in options) == (name(host) == "breakwater-engine13-strict")
    finally:
        host.check_output("docker network rm apart")


def test_confined_dockerd_still_does_all_its_work(host: Any) -> None:
    status = host.check_output("cat /proc/$(pidof dockerd)/status")
    assert "Seccomp:\t2" in status
    assert "0" in host.check_output("awk '/Max core file size/ {print $5}' /proc/$(pidof dockerd)/limits")
    if name(host) in ("breakwater-engine12-baseline", "breakwater-engine13-strict"):
        script = Path(__file__).parents[1] / "files/workload.sh"
        done = host.run("sh -c %s", script.read_text(encoding="utf-8"))
        assert done.rc == 0, done.stderr
