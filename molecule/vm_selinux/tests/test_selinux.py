# Containers on an enforcing host that was booted since: what they may, and what they may not though they are root.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bed
import pytest

testinfra_hosts = bed.hosts()
LAB = "--security-opt label=type:lab_t"
TENANT = "--security-opt label=level:s0:c100,c200"
REGISTRY = "10.0.2.15:5000"
CONTROLS = ("host_selinux_enforcing", "container_selinux_label", "container_kernel_agrees")
REGISTRY_CONTROLS = ("registry_tls", "registry_authenticates", "registry_files_private", "registry_confined")
FILES = "find /etc -type f -newer /root/boot_id | sort"
AF_ALG = 'python3 -c "import _socket; _socket.socket(_socket.AF_ALG, _socket.SOCK_SEQPACKET)"'


def run(host: Any, options: str, script: str) -> tuple[bool, str]:
    """Run a script as root in a container; return whether it succeeded, and what it or the engine said."""
    done = host.run(f"docker run --rm {options} busybox:local sh -c '{script}'")
    return done.rc == 0, (done.stdout + done.stderr).strip("\n\0 ")


def test_host_enforces_since_it_booted(host: Any) -> None:
    assert host.check_output("cat /sys/fs/selinux/enforce") == "1"
    assert "SELINUX=enforcing" in host.check_output("cat /etc/selinux/config")
    assert host.check_output("cat /proc/sys/kernel/random/boot_id") != host.check_output("cat /root/boot_id")
    assert "name=selinux" in host.check_output("docker info -f '{{.SecurityOptions}}'")
    daemon = host.check_output("tr -d '\\0' </proc/$(pidof dockerd)/attr/current")
    assert daemon == "system_u:system_r:dockerd_t:s0"


def test_containers_have_categories_of_their_own(host: Any) -> None:
    (first, label), (second, other) = (run(host, "", "cat /proc/self/attr/current") for _container in range(2))
    assert first
    assert second
    assert label.startswith("system_u:system_r:container_t:s0:c")
    assert other.startswith("system_u:system_r:container_t:s0:c")
    assert label != other


def test_declared_volumes_work_after_the_boot(host: Any) -> None:
    assert host.check_output("docker exec returning cat /shared/written /own/written") == "before\nbefore"
    host.check_output("docker exec returning sh -c 'echo after >/shared/written'")
    assert run(host, "-v /srv/shared:/volume:z", "cat /volume/written; echo x >/volume/new") == (True, "after")


def test_secret_from_before_selinux_is_its_containers_to_read_only(host: Any) -> None:
    assert host.check_output("docker exec keeper cat /run/secrets/token") == "of keeper"
    pid = host.check_output("docker inspect -f '{{.State.Pid}}' keeper")
    assert host.check_output(f"tr -d '\\0' </proc/{pid}/attr/current").startswith("system_u:system_r:container_t:s0:c")
    [secret] = host.check_output("find /var/lib/breakwater/secrets/keeper -type f ! -newer /root/boot_id").splitlines()
    assert host.check_output(f"stat -c %C {secret}") == "system_u:object_r:container_ro_file_t:s0"
    assert "container" not in host.check_output("stat -c %C /var/lib/breakwater/secrets/.key")


def test_undeclared_path_is_refused_though_its_mode_allows_it(host: Any) -> None:
    assert host.check_output("stat -c %a /srv/undeclared /srv/undeclared/file") == "777\n666"
    succeeded, complaint = run(host, "-v /srv/undeclared:/volume", "cat /volume/file")
    assert not succeeded
    assert "permission denied" in complaint.lower()


def test_volume_of_another_container_is_refused(host: Any) -> None:
    host.check_output("mkdir -p /srv/shared/private && echo mine >/srv/shared/private/file")
    host.check_output("docker run -d --name owner -v /srv/shared/private:/volume:Z busybox:local sleep 1000")
    try:
        assert host.check_output("docker exec owner cat /volume/file") == "mine"
        for script in ("cat /volume/file", "echo x >/volume/file"):
            succeeded, complaint = run(host, "-v /srv/shared/private:/volume", script)
            assert not succeeded
            assert "Permission denied" in complaint
    finally:
        host.check_output("docker rm -f owner")


@pytest.mark.parametrize(
    ("options", "script", "succeeds"),
    [
        ("-v /srv/settings:/volume", "cat /volume/file", True),
        ("-v /srv/settings:/volume", "echo x >/volume/file", False),
        (f"{TENANT} -v /srv/tenant:/volume", "cat /volume/file && echo x >/volume/new", True),
        ("-v /srv/tenant:/volume", "cat /volume/file", False),
        (f"{LAB} -v /srv/notes:/volume", "cat /volume/file", True),
        (f"{LAB} -v /srv/notes:/volume", "echo x >/volume/file", False),
        ("-v /srv/notes:/volume", "cat /volume/file", False),
        (LAB, "touch /file && chown 1 /file", True),
        ("", "touch /file && chown 1 /file", False),
        ("", "nc -l -p 80 & sleep 1; nc 127.0.0.1 80 </dev/null", True),
        (LAB, "nc -l -p 80", False),
    ],
)
def test_types_and_levels(host: Any, options: str, script: str, succeeds: bool) -> None:
    succeeded, said = run(host, options, script)
    assert succeeded is succeeds, said
    if not succeeds:
        assert "denied" in said.lower() or "not permitted" in said


@pytest.mark.parametrize(("workload", "type_name"), [("ordinary", "container_t"), ("confined", "lab_t")])
def test_kernel_holds_the_workload_by_its_type(host: Any, workload: str, type_name: str) -> None:
    pid = host.check_output(f"docker inspect -f '{{{{.State.Pid}}}}' {workload}")
    label = host.check_output(f"tr -d '\\0' </proc/{pid}/attr/current")
    assert label.startswith(f"system_u:system_r:{type_name}:s0:c")


@pytest.mark.parametrize(
    ("workload", "script", "succeeds"),
    [
        ("ordinary", "cat /notes/file", False),
        ("confined", "cat /notes/file", True),
        ("confined", "echo x >/notes/file", False),
        ("ordinary", "echo x >/data/file && cat /data/file", True),
        ("confined", "echo x >/data/file && cat /data/file", True),
        ("ordinary", "nc -l -p 8080 & sleep 1; nc 127.0.0.1 8080 </dev/null", True),
        ("confined", "nc -l -p 8080", False),
    ],
)
def test_workload_has_what_its_type_allows(host: Any, workload: str, script: str, succeeds: bool) -> None:
    done = host.run(f"docker exec {workload} sh -c '{script}'")
    assert (done.rc == 0) is succeeds, done.stderr
    if not succeeds:
        assert "permission denied" in done.stderr.lower()


def test_crypto_sockets_are_denied_to_every_container(host: Any) -> None:
    host.check_output(AF_ALG)  # the host itself may
    for options in ("", "--privileged"):
        done = host.run(f"docker run --rm {options} python:local {AF_ALG}")
        assert "Permission denied" in done.stderr, options


def test_policy_has_what_was_declared(host: Any) -> None:
    assert host.check_output("cat /sys/fs/selinux/booleans/container_manage_cgroup") == "1 1"
    assert "700" in host.check_output("semanage port --list --locallist --noheading")
    assert host.check_output("stat -c %C /data/docker/volumes") == "system_u:object_r:container_var_lib_t:s0"


def test_registry_serves_and_collects_garbage(host: Any) -> None:
    host.check_output(f"docker image rm {REGISTRY}/lab/before:1 && docker pull -q {REGISTRY}/lab/before:1")
    for tag in ("1", "2"):
        host.check_output(f"docker tag busybox:local {REGISTRY}/lab/after:{tag}")
        host.check_output(f"docker push -q {REGISTRY}/lab/after:{tag}")
        host.check_output("systemctl start docker-registry-gc.service")
        bed.wait_for_registry(host)
    host.check_output(f"docker image rm {REGISTRY}/lab/after:1 && docker pull -q {REGISTRY}/lab/after:1")


def test_registry_has_its_images_for_itself(host: Any) -> None:
    pid = host.check_output("docker inspect -f '{{.State.Pid}}' docker-registry")
    label = host.check_output(f"tr -d '\\0' </proc/{pid}/attr/current")
    assert label == "system_u:system_r:container_t:s0:c1022,c1023"
    images = host.check_output("stat -c %C /srv/registry $(find /srv/registry -name data -newer /root/boot_id)")
    assert set(images.splitlines()) == {"system_u:object_r:container_file_t:s0:c1022,c1023"}
    succeeded, complaint = run(host, "--user 65532 -v /srv/registry:/volume", "ls /volume/docker")
    assert not succeeded
    assert "Permission denied" in complaint
    denials = host.check_output("ausearch --input-logs --message AVC --start boot --raw").splitlines()
    assert [line for line in denials if "s0:c1022,c1023 tcontext=" in line] == []


def test_probes_prove_every_threat_contained(host: Any, tmp_path: Path) -> None:
    host.check_output("modprobe --all af_alg vsock")
    bed.play("breakwater.docker.prove", docker_compliance_report_dir=str(tmp_path))
    [proven] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["hosts"]
    proof = proven["proof"]
    assert {sums["hardened"] for sums in proof["threats"].values()} == {"contained"}
    verdicts = {probe["id"]: probe["hardened"]["verdict"] for probe in proof["probes"]}
    assert {verdicts[probe] for probe in ("sysrq", "kernel_memory", "kernel_module", "vsock")} == {"contained"}
    # control groups of version 2 have no release_agent, and the policy denies crypto sockets to the control as well
    untested = {probe for probe, found in verdicts.items() if found == "not_testable"}
    assert untested == {"control_group", "crypto_socket"}


def test_apparmor_profiles_are_not_applicable(host: Any) -> None:
    before = host.check_output(FILES)
    for arguments in (("--check", "--diff"), ()):
        done = bed.play(
            "breakwater.docker.harden",
            *arguments,
            docker_hardening_areas=["apparmor"],
            docker_apparmor_profiles=[{"name": "web"}],
        )
        assert "SELinux is the security module of this kernel" in done.stdout
        assert "changed=0" in done.stdout
    assert host.check_output(FILES) == before


def test_audit_reads_the_kernels_truth(host: Any, tmp_path: Path) -> None:
    host.check_output("docker run -d --name free --security-opt label=disable busybox:local sleep 1000")
    try:
        bed.play(
            "breakwater.docker.compliance",
            docker_compliance_report_dir=str(tmp_path),
            docker_compliance_controls=[*CONTROLS, *REGISTRY_CONTROLS],
        )
    finally:
        host.check_output("docker rm -f free")
    [audited] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["hosts"]
    statuses = {(found["control"], found["object"]["name"]): found["status"] for found in audited["findings"]}
    assert statuses["host_selinux_enforcing", "breakwater-selinux"] == "pass"
    for name in ("returning", "confined", "docker-registry"):
        assert statuses["container_selinux_label", name] == "pass"
        assert statuses["container_kernel_agrees", name] == "pass"
    assert {statuses[key] for key in statuses if key[0] in REGISTRY_CONTROLS} == {"pass"}
    assert statuses["container_selinux_label", "free"] == "fail"


def test_native_registry_serves_the_same_images(host: Any) -> None:
    bed.play("breakwater.docker.registry", docker_registry_state="absent")
    bed.play("breakwater.docker.registry", docker_registry_kind="native")
    bed.wait_for_registry(host)
    host.check_output(f"docker image rm {REGISTRY}/lab/after:2 && docker pull -q {REGISTRY}/lab/after:2")
    host.check_output(f"docker tag busybox:local {REGISTRY}/lab/native:1 && docker push -q {REGISTRY}/lab/native:1")
    # the policy has no type for it, so that its unit's sandbox alone confines it
    assert host.check_output("ps -o label= -C docker-registry") == "system_u:system_r:initrc_t:s0"
