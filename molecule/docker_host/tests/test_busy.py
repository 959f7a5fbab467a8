# A host that was in use, and hardened by its own benchmark, before Docker's roles came.

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path
from typing import Any, Iterator

import bed
import pytest
import testinfra

EPHEMERAL = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"])
ROLE = str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "files/host.yml")
NAME = "breakwater-host-busy"
#: Controls that a hardened container host passes and a careless one does not; the kernel's belong to the machine.
CLOSED = (
    "file_containerd_socket_mode",
    "file_daemon_config_mode",
    "file_docker_defaults_owner",
    "file_docker_directory_mode",
    "file_docker_service_unit_mode",
    "file_registry_certificate_mode",
    "file_registry_key_mode",
    "host_source_routes_refused",
)

testinfra_hosts = bed.hosts("busy")


def run(
    playbook: str, *arguments: str, inventory: str = os.environ["MOLECULE_INVENTORY_FILE"], **variables: Any
) -> Any:
    """Run a playbook against the host with variables; the result's output is uncoloured."""
    return subprocess.run(
        [
            "ansible-playbook",
            playbook,
            "-i",
            inventory,
            "-e",
            json.dumps({"docker_hosts": NAME, **variables}),
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOST_KEY_CHECKING": "false"},
    )


def changed(done: Any) -> int:
    """Return how many tasks changed something; AssertionError when the run failed."""
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    [line] = [line for line in done.stdout.splitlines() if line.startswith(NAME) and "changed=" in line]
    return int(line.split("changed=")[1].split()[0])


def assert_refused(done: Any, reason: str) -> None:
    assert done.returncode == 2, done.stdout[-3000:]
    assert reason in " ".join((done.stdout + done.stderr).split())


def reaches_container() -> bool:
    """Tell whether another host reaches the published port."""
    other = testinfra.get_host("docker://breakwater-host-12")
    return other.run(f"curl -s -m 3 -o /dev/null -w '%{{http_code}}' http://{NAME}:8080/").stdout == "404"


def statuses(directory: Path) -> dict[str, set[str]]:
    report = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    for finding in report["hosts"][0]["findings"]:
        found.setdefault(finding["control"], set()).add(finding["status"])
    return found


def test_containers_are_the_processes_that_they_were(host: Any) -> None:
    now = host.check_output("docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' idle published")
    assert now == host.file("/root/processes").content_string.strip()


def test_docker_works(host: Any) -> None:
    assert reaches_container()
    fetched = host.run("docker run --rm --network web busybox:local wget -q -O - http://published/")
    assert "404" in fetched.stderr, "the container answers that it has no page"
    host.check_output(
        "printf 'FROM busybox:local\nRUN echo built >/built\n' | DOCKER_BUILDKIT=0 docker build -q -t built -"
    )
    assert host.check_output("docker run --rm built cat /built") == "built"


def test_audit_passes_what_it_failed_before() -> None:
    before = statuses(EPHEMERAL / "before")
    assert {control for control in CLOSED if "fail" in before[control]} == set(CLOSED)
    assert run("breakwater.docker.compliance", docker_compliance_report_dir=str(EPHEMERAL / "after")).returncode == 0
    after = statuses(EPHEMERAL / "after")
    # the link that somebody else can change is left to a person
    assert {control for control in CLOSED if after[control] != {"pass"}} == {"file_registry_certificate_mode"}


def test_file_behind_the_link_of_somebody_else_is_untouched(host: Any) -> None:
    assert host.file("/root/secret").mode == 0o644
    assert host.file("/etc/docker/certs.d/registry.example/ca.crt").mode == 0o444


def test_key_that_docker_shares_with_others_stays_theirs(host: Any) -> None:
    key, link = "/etc/ssl/private/host.key", "/etc/docker/server-key.pem"
    host.check_output(f"mkdir -p /etc/ssl/private; install -m 0640 -g games /dev/null {key}; ln -s {key} {link}")
    try:
        done = run(ROLE)
        assert changed(done) == 0
        assert f"it leads to {key}" in done.stdout
        assert (host.file(key).mode, host.file(key).group) == (0o640, "games")
    finally:
        host.check_output(f"rm {key} {link}")


def test_unneeded_services_are_masked_and_needed_ones_run(host: Any) -> None:
    assert host.service("cups.service").is_masked
    assert not host.service("cups.service").is_running
    assert host.service("avahi-daemon.service").is_running, "docker_host_units_needed"
    assert host.service("rpcbind.service").is_running, "our-nfs.service requires it"


def test_unneeded_packages_are_gone_and_needed_ones_stay(host: Any) -> None:
    installed = host.check_output("dpkg-query -W -f '${Package} ${db:Status-Status}\\n'").splitlines()
    assert "talkd installed" not in installed
    assert {"make installed", "our-dkms installed", "libgone installed"} <= set(installed)


def test_kernel_of_the_machine_is_left_alone(host: Any) -> None:
    keys = host.file("/root/machine").content_string.split()[::2]
    assert len(keys) > 5
    now = host.check_output("sysctl " + " ".join(shlex.quote(key) for key in keys)).replace(" =", "")
    assert now.split() == host.file("/root/machine").content_string.split()
    assert "\n-kernel.kptr_restrict = 2\n" in host.file("/etc/sysctl.d/zz-breakwater.conf").content_string


def test_own_network_is_hardened(host: Any) -> None:
    assert host.sysctl("net.ipv4.conf.all.accept_source_route") == 0
    assert host.sysctl("net.ipv4.ip_forward") == 1


def test_check_mode_predicts_what_a_run_does(host: Any) -> None:
    host.check_output("chmod 0666 /etc/default/docker; sysctl -w net.ipv4.tcp_syncookies=2")
    predicted = run(ROLE, "--check", "--diff")
    assert changed(predicted) == 2
    assert "/etc/default/docker root:root 0666" in predicted.stdout
    assert "net.ipv4.tcp_syncookies = 1" in predicted.stdout
    assert (host.file("/etc/default/docker").mode, host.sysctl("net.ipv4.tcp_syncookies")) == (0o666, 2)
    assert changed(run(ROLE)) == 2
    assert (host.file("/etc/default/docker").mode, host.sysctl("net.ipv4.tcp_syncookies")) == (0o644, 1)
    assert changed(run(ROLE)) == 0


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("/etc/sysctl.d/50-other.conf", "net.ipv4.ip_forward = 0", "50-other.conf has net.ipv4.ip_forward = 0"),
        ("/etc/sysctl.conf", "net.ipv4.ip_forward = 0", "/etc/sysctl.conf sets net.ipv4.ip_forward = 0"),
        ("/etc/modprobe.d/cis.conf", "install overlay /bin/false", "cis.conf forbids the module overlay"),
    ],
)
def test_what_breaks_docker_is_refused_before_anything_changes(host: Any, path: str, text: str, reason: str) -> None:
    host.check_output(
        f"cp -a {path} /root/kept 2>/dev/null || true; echo {text!r} >>{path}; chmod 0666 /etc/default/docker"
    )
    try:
        assert_refused(run(ROLE), reason)
        assert host.file("/etc/default/docker").mode == 0o666
    finally:
        host.check_output(f"rm {path}; test -e /root/kept && mv /root/kept {path}; chmod 0644 /etc/default/docker")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"docker_host_umask": 23}, "docker_host_umask is 23, which is no umask: write three octal digits in quotes"),
        ({"docker_host_umask": "27"}, "docker_host_umask is 27, which is no umask"),
        ({"docker_host_files": [{"path": "/etc/docker", "mode": "0888"}]}, "'0888' is no mode for /etc/docker"),
        ({"docker_host_files": [{"path": "/etc/docker", "owner": "gone"}]}, "There is no owner gone for /etc/docker"),
        ({"docker_host_units_masked": ["docker.service"]}, "docker.service must not be masked"),
    ],
)
def test_wrong_input_is_refused_before_anything_changes(host: Any, variables: dict[str, Any], reason: str) -> None:
    host.check_output("sysctl -w net.ipv4.tcp_syncookies=2")
    try:
        assert_refused(run(ROLE, **variables), reason)
        assert host.sysctl("net.ipv4.tcp_syncookies") == 2
    finally:
        host.check_output("sysctl -w net.ipv4.tcp_syncookies=1")


def test_lost_routes_are_refused_or_restored(host: Any) -> None:
    host.check_output("sysctl -w net.ipv4.ip_forward=0")
    try:
        assert not reaches_container()
        assert_refused(run(ROLE), "the running kernel has net.ipv4.ip_forward = 0")
        assert changed(run(ROLE, docker_host_override_conflicts=True)) == 1
        assert reaches_container()
        text = host.file("/etc/sysctl.d/zz-breakwater.conf").content_string
        assert "# the running kernel has 0, by which containers reach nothing" in text
    finally:
        host.check_output("sysctl -w net.ipv4.ip_forward=1")
    assert changed(run(ROLE)) == 1, "without the conflict the file is as before"


@pytest.fixture(scope="module")
def keys() -> Path:
    """Return a private key with which root and admin may log in by ssh."""
    path = EPHEMERAL / "id_ed25519"
    if not path.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    busy = testinfra.get_host(f"docker://{NAME}")
    public = shlex.quote(path.with_suffix(".pub").read_text())
    for user, home in (("root", "/root"), ("admin", "/home/admin")):
        busy.check_output(f"install -d -m 0700 -o {user} {home}/.ssh && echo {public} >{home}/.ssh/authorized_keys")
        busy.check_output(f"chown {user} {home}/.ssh/authorized_keys")
    return path


@pytest.fixture
def by_ssh(host: Any, keys: Path) -> Iterator[dict[str, str]]:
    """Return variables of an ssh connection to the host; its sshd is as before afterwards."""
    address = json.loads(subprocess.check_output(["docker", "inspect", NAME]))[0]["NetworkSettings"]["Networks"]
    [network] = address.values()
    yield {
        "ansible_connection": "ssh",
        "ansible_host": network["IPAddress"],
        "ansible_ssh_private_key_file": str(keys),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile=/dev/null -o ControlPath={keys.parent}/%r",
        "ansible_user": "root",
    }
    host.check_output("rm -f /etc/ssh/sshd_config.d/00-breakwater.conf*; systemctl reload ssh")


def test_root_does_not_lock_himself_out(host: Any, by_ssh: dict[str, str]) -> None:
    done = run(ROLE, "--tags", "sshd", **by_ssh, docker_host_sshd=True, docker_host_sshd_root_login="no")
    assert_refused(done, "This connection is root's own")
    assert not host.file("/etc/ssh/sshd_config.d/00-breakwater.conf").exists


def test_administrator_closes_root_and_passwords(host: Any, by_ssh: dict[str, str]) -> None:
    admin = {**by_ssh, "ansible_user": "admin", "ansible_become": True}
    wanted = {"docker_host_sshd": True, "docker_host_sshd_root_login": "no"}
    assert changed(run(ROLE, "--tags", "sshd", **admin, **wanted)) == 2, "it is judged first"
    assert changed(run(ROLE, "--tags", "sshd", **admin, **wanted)) == 0
    options = ["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    login = ["ssh", *options, "-i", by_ssh["ansible_ssh_private_key_file"], f"root@{by_ssh['ansible_host']}", "true"]
    refused = subprocess.run(login, capture_output=True, text=True, timeout=30, check=False)
    assert "Permission denied (publickey)" in refused.stderr


def test_users_of_two_factors_are_not_locked_out(host: Any, by_ssh: dict[str, str]) -> None:
    other = "/etc/ssh/sshd_config.d/10-factors.conf"
    host.check_output(f"printf 'Match User games\\nAuthenticationMethods publickey,keyboard-interactive\\n' >{other}")
    try:
        assert_refused(run(ROLE, docker_host_sshd=True), f"{other} says AuthenticationMethods publickey,keyboard-inter")
        assert not host.file("/etc/ssh/sshd_config.d/00-breakwater.conf").exists
    finally:
        host.check_output(f"rm {other}")


def test_what_sshd_does_not_allow_stays_so(host: Any, by_ssh: dict[str, str]) -> None:
    other = "/etc/ssh/sshd_config.d/10-root.conf"
    host.check_output(f"echo PermitRootLogin no >{other}; systemctl reload ssh")
    try:
        assert changed(run(ROLE, "--tags", "sshd", docker_host_sshd=True)) == 2, "it is judged first"
        assert "permitrootlogin no" in host.check_output("sshd -T").lower().splitlines()
        assert changed(run(ROLE, "--tags", "sshd", docker_host_sshd=True)) == 0
    finally:
        host.check_output(f"rm {other}; systemctl reload ssh")


def test_password_of_a_user_without_a_key_stays(host: Any, by_ssh: dict[str, str]) -> None:
    admin = {**by_ssh, "ansible_user": "admin", "ansible_become": True}
    kept = "-kept -o ControlMaster=auto -o ControlPersist=60"
    persistent = {"ansible_ssh_common_args": by_ssh["ansible_ssh_common_args"] + kept}
    assert changed(run(ROLE, "--tags", "files", **{**admin, **persistent})) == 0
    host.check_output("mv /home/admin/.ssh/authorized_keys /root/")
    try:
        done = run(ROLE, "--tags", "sshd", **{**admin, **persistent}, docker_host_sshd=True)
        assert_refused(done, "admin, who is connected now, has no key in .ssh/authorized_keys")
    finally:
        host.check_output("mv /root/authorized_keys /home/admin/.ssh/")


def test_file_system_is_made_on_a_blank_device_only(host: Any) -> None:
    host.check_output("truncate -s 64M /root/disk")
    device = host.check_output("losetup --find --show /root/disk")
    given = {"docker_host_data_root": "/srv/docker", "docker_host_data_device": device}
    try:
        host.check_output(f"mkfs.ext4 -q {device}")
        assert_refused(run(ROLE, **given), f"{device} is not blank")
        host.check_output(f"wipefs -qa {device}; mkdir -p /srv/docker; touch /srv/docker/image")
        assert_refused(run(ROLE, **given), "/srv/docker is not empty")
        host.check_output("rm /srv/docker/image")
        unmountable = {**given, "docker_host_data_options": ["nodev", "prjquota"]}
        assert_refused(run(ROLE, "--tags", "data", **unmountable), f"{device} is blank again")
        assert "/srv/docker" not in host.file("/etc/fstab").content_string, "it would not boot"
        assert changed(run(ROLE, "--check", "--tags", "data", **given)) == 2, "it is judged first"
        assert not host.mount_point("/srv/docker").exists
        assert changed(run(ROLE, "--tags", "data", **given)) == 2
        mounted = host.mount_point("/srv/docker")
        assert (mounted.filesystem, mounted.device) == ("ext4", device)
        assert {"nodev", "nosuid"} <= set(mounted.options)
        assert changed(run(ROLE, "--tags", "data", **given)) == 0
        host.check_output("umount /srv/docker && mount /srv/docker")
    finally:
        host.run(f"umount /srv/docker; losetup --detach {device}; sed -i '\\#/srv/docker#d' /etc/fstab; rm /root/disk")
