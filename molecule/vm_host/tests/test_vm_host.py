# A real kernel's host, hardened and booted again: what the kernel does, and what the audits before and after say of it.

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import bed
import pytest

testinfra_hosts = bed.hosts()
#: Opens one of the crypto sockets that gave CVE-2026-31431.
AF_ALG = "import socket; socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)"

FILES = "find /etc /boot -type f -newer /root/boot_id | sort"
RETURNING = "docker ps -q --no-trunc -f name=returning"


def statuses(report: str) -> dict[tuple[str, str], str]:
    """Return the findings' statuses by control and object, of the audit `before` or `after`."""
    path = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / report / "report.json"
    [host] = json.loads(path.read_text(encoding="utf-8"))["hosts"]
    return {(found["control"], found["object"]["name"]): found["status"] for found in host["findings"]}


@pytest.mark.parametrize(
    ("control", "name", "status"),
    [
        ("container_apparmor_profile", "limited", "pass"),
        ("container_apparmor_profile", "unconfined", "fail"),
        ("container_kernel_agrees", "limited", "pass"),
        ("container_kernel_agrees", "unconfined", "pass"),
        ("container_kernel_agrees", "released", "fail"),
        ("container_kernel_agrees", "complaining", "fail"),
        ("container_memory_limited", "limited", "pass"),
        ("container_memory_limited", "unconfined", "fail"),
        ("container_pids_limited", "limited", "pass"),
        ("container_pids_limited", "unconfined", "fail"),
        ("container_cpu_limited", "limited", "pass"),
        ("container_cpu_limited", "unconfined", "fail"),
        ("host_cgroup_version_2", "breakwater-vm", "pass"),
        ("host_kernel_lockdown", "breakwater-vm", "fail"),
        ("host_kernel_pointers_hidden", "breakwater-vm", "fail"),
        ("host_af_alg_out_of_reach", "breakwater-vm", "fail"),
        ("audit_docker_directory", "/etc/docker", "fail"),
        ("exec_not_privileged", "breakwater-vm", "manual"),
        ("exec_not_root", "breakwater-vm", "manual"),
    ],
)
def test_audit_of_the_pristine_host(control: str, name: str, status: str) -> None:
    assert statuses("before")[control, name] == status


@pytest.mark.parametrize(
    ("control", "name", "status"),
    [
        ("container_apparmor_profile", "returning", "pass"),
        ("container_apparmor_profile", "confined", "pass"),
        ("container_kernel_agrees", "confined", "pass"),
        ("container_kernel_agrees", "returning", "pass"),
        ("container_not_in_host_userns", "returning", "pass"),
        ("container_memory_limited", "returning", "pass"),
        ("host_af_alg_out_of_reach", "breakwater-vm", "pass"),
        ("exec_not_privileged", "breakwater-vm", "fail"),
        ("exec_not_root", "breakwater-vm", "fail"),
    ],
)
def test_audit_after_the_reboot(control: str, name: str, status: str) -> None:
    assert statuses("after")[control, name] == status


def test_nothing_that_the_audit_asks_of_kernel_and_audit_rules_fails_after_the_reboot() -> None:
    of_kernel = {control for control, name in statuses("after") if name == "breakwater-vm" or "audit_" in control}
    failed = {control for (control, _name), status in statuses("after").items() if status in {"fail", "error"}}
    # no role makes a file system where there is no other disk
    assert {control for control in failed & of_kernel if control.startswith(("host_", "audit_"))} <= {
        "host_data_root_own_filesystem",
    }


def test_the_host_was_booted(host: Any) -> None:
    assert host.check_output("cat /proc/sys/kernel/random/boot_id") != host.check_output("cat /root/boot_id")


def test_kernel_is_as_the_profile_says(host: Any) -> None:
    assert "lockdown=integrity" in host.check_output("cat /proc/cmdline").split()
    names = "kernel.kptr_restrict kernel.io_uring_disabled kernel.yama.ptrace_scope net.core.bpf_jit_harden"
    assert host.check_output(f"sysctl -n {names}").split() == ["2", "2", "1", "2"]


def test_modules_can_not_be_loaded(host: Any) -> None:
    assert host.run("modinfo -n af_alg sctp").rc == 0, "the kernel has them"
    assert host.run("modprobe af_alg").rc != 0
    assert host.run("modprobe sctp").rc != 0
    opened = host.run(f"python3 -c '{AF_ALG}'")
    assert "not supported by protocol" in opened.stderr


def test_audit_rules_are_locked_and_record(host: Any) -> None:
    assert "enabled 2" in host.check_output("auditctl -s")
    assert host.run("auditctl -D || exit 1").rc == 1  # its own 255 would look like ssh's
    search = "ausearch --input-logs --interpret --key docker --file /etc/docker"
    assert "comm=touch" in host.check_output(f"{search}/touched"), "before the reboot"
    host.check_output("cp /etc/hostname /etc/docker/copied && rm /etc/docker/copied && sleep 2")
    assert "comm=cp" in host.check_output(f"{search}/copied"), "after it"


def test_containers_return_by_their_policies(host: Any) -> None:
    assert host.check_output("docker ps -a --format '{{.Names}} {{.State}}' | sort").split("\n") == [
        "confined running",
        "ended exited",
        "ordinary running",
        "returning running",
    ]


def test_container_is_held_by_apparmor_and_user_namespace(host: Any) -> None:
    pid = host.check_output("docker inspect -f '{{.State.Pid}}' returning")
    assert host.check_output(f"tr -d '\\0' </proc/{pid}/attr/current") == "docker-default (enforce)"
    assert int(host.check_output(f"cat /proc/{pid}/uid_map").split()[1]) >= 100000
    assert f"/system.slice/docker-{host.check_output(RETURNING)}.scope" in host.check_output(f"cat /proc/{pid}/cgroup")


def test_limits_are_enforced(host: Any) -> None:
    limits = f"/sys/fs/cgroup/system.slice/docker-$({RETURNING}).scope"
    assert host.check_output(f"cd {limits} && cat memory.max pids.max cpu.max").split() == [
        str(32 << 20),
        "20",
        "50000",
        "100000",
    ]
    hog = host.run("docker exec returning sh -c 'head -c 100m /dev/zero | tail >/dev/null'")
    assert hog.rc == 128 + 9, "the kernel kills what needs more"
    forks = host.run("docker exec returning sh -c 'for i in $(seq 30); do sleep 20 & done'")
    assert "fork" in forks.stderr


def test_selinux_beside_profiles_for_apparmor_is_refused(host: Any) -> None:
    before = host.check_output(FILES)
    with pytest.raises(RuntimeError, match=r"a kernel runs AppArmor or\s+SELinux, not both"):
        bed.play("breakwater.docker.harden", docker_hardening_areas=["selinux"])
    assert host.check_output(FILES) == before
    assert host.check_output("cat /sys/module/apparmor/parameters/enabled") == "Y"
