# Every host after the roles docker_host, docker_engine and docker_auditd; two of them had no Docker before.

from __future__ import annotations

from pathlib import Path
from typing import Any

import bed

from ansible_collections.breakwater.docker.plugins.module_utils.evidence.audit import parse_rules
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem

testinfra_hosts = bed.hosts()


def name(host: Any) -> str:
    return host.check_output("hostname")


def test_engine_runs_containers(host: Any) -> None:
    host.run("docker image inspect busybox:local || docker load -qi /usr/share/breakwater/busybox.tar")
    assert host.check_output("docker run --rm busybox:local echo works") == "works"


def test_crypto_sockets_are_forbidden_with_the_reason(host: Any) -> None:
    lines = host.file("/etc/modprobe.d/zz-breakwater.conf").content_string.splitlines()
    position = lines.index("install af_alg /bin/false")
    assert "CVE-2026-31431" in lines[position - 1]
    assert ("install usb-storage /bin/false" in lines) == (name(host) == "breakwater-host-13"), "strict"


def test_audit_rules_cover_what_the_host_has(host: Any, tmp_path: Path) -> None:
    text = host.file("/etc/audit/rules.d/zz-breakwater.rules").content_string
    rules = parse_rules(LocalFileSystem(str(tmp_path)), text)
    directories = ("/etc/docker", "/var/lib/docker", "/run/containerd")
    for path in (
        *directories,
        *("/etc/default/docker", "/etc/docker/daemon.json", "/run/docker.sock", "/run/containerd/containerd.sock"),
        *("/usr/sbin/dockerd", "/usr/bin/containerd", "/usr/bin/containerd-shim-runc-v2"),
    ):
        assert rules.covers(path, directory=path in directories), path
    assert rules.covers(host.check_output("command -v runc"))
    unit = host.check_output("readlink -f $(systemctl show -P FragmentPath docker.service)")
    assert rules.covers(unit)
    assert rules.records_execution("/usr/bin/docker"), "docker_auditd_record_commands"
    watched = [line.split()[1] for line in text.splitlines() if line.startswith("-w ")]
    assert [path for path in watched if not host.file(path).exists] == []
    assert ("-e 2" in text.splitlines()) == (name(host) == "breakwater-host-13"), "docker_auditd_immutable"


def test_containerds_directory_exists_before_the_rules_at_boot(host: Any) -> None:
    assert host.file("/run/containerd").mode == 0o711
    assert (
        host.file("/etc/tmpfiles.d/zz-breakwater-containerd.conf").content_string
        == "d /run/containerd 0711 root root -\n"
    )


def test_options_of_logins(host: Any) -> None:
    asked = name(host) == "breakwater-host-13"
    assert host.check_output("bash -lc umask") == ("0027" if asked else "0022")
    seen = host.run("su games -s /bin/sh -c 'test -e /proc/1'").rc == 0
    assert seen == (not asked), "docker_host_hidepid"
    pattern = "-kernel.core_pattern = |/bin/false" in host.file("/etc/sysctl.d/zz-breakwater.conf").content_string
    assert pattern == asked, "docker_host_core_dumps"
