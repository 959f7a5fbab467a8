# What every hardened host is like from outside.

from __future__ import annotations

import json
from typing import Any

import bed

testinfra_hosts = bed.hosts()


def info(host: Any) -> dict[str, Any]:
    return json.loads(host.check_output("docker info -f '{{json .}}'"))


def config(host: Any) -> dict[str, Any]:
    return json.loads(host.file("/etc/docker/daemon.json").content_string)


def test_engine_runs_by_the_profile(host: Any) -> None:
    shown = info(host)
    assert shown["LiveRestoreEnabled"]
    assert not shown["ExperimentalBuild"]
    assert "name=no-new-privileges" in shown["SecurityOptions"] or shown["ServerVersion"] < "24"
    # the engine's own, which engines from 28 have for IPv6 too
    assert set(shown["RegistryConfig"]["InsecureRegistryCIDRs"]) - {"::1/128"} == {"127.0.0.0/8"}
    assert host.service("docker").is_running
    assert host.service("docker").is_enabled


def test_configuration_file_has_the_rights_that_cis_asks_for(host: Any) -> None:
    file = host.file("/etc/docker/daemon.json")
    assert (file.user, file.group, file.mode) == ("root", "root", 0o644)
    assert config(host)["icc"] is False
    assert not host.file("/etc/docker/daemon.json.breakwater-pending").exists


def test_only_listed_users_may_use_the_socket(host: Any) -> None:
    socket = host.file("/run/docker.sock")
    assert (socket.user, socket.group, socket.mode) == ("root", "docker", 0o660)
    assert host.group("docker").members == ["daemon"]
    assert "SocketMode=0660" in host.check_output("systemctl show docker.socket -p SocketMode")
