# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Audits a real engine in a container host: good and bad containers by name, what the kernel says against what the
# engine says, wrong modes, dockerd with flags, and a swarm. And asks it which keys of daemon.json it knows. Needs the
# test bed (`make bed`).

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import KEYS
from ansible_collections.breakwater.docker.tests.integration import container_host

NAME = f"fuzz-engine-{os.getpid()}"
GOOD = (
    "--user 1000 --cap-drop ALL --read-only --security-opt no-new-privileges --memory 64m --memory-swap 64m --cpus 0.5"
    " --pids-limit 50 --restart on-failure:5 --health-cmd true --network own --log-opt max-size=1m --cgroupns private"
)
#: Engines from 27 on filter IPv6 without being told.
IPV6_FILTERED = "not_applicable" if container_host.DEBIAN == "debian13" else "pass"
#: Name, options.
CONTAINERS = {
    "good": GOOD,
    "plain": "",
    "privileged": "--privileged --network host --pid host --ipc host --uts host --restart always"
    " -v /var/run/docker.sock:/s -v /srv/s:/srv:shared -e DB_PASSWORD=hunter2-planted",
    "weak": "--cap-add SYS_PTRACE --cap-add DAC_READ_SEARCH --security-opt seccomp=unconfined -v /etc:/e:ro -p 80:80"
    " --security-opt no-new-privileges=false --security-opt systempaths=unconfined --device /dev/null:/dev/x"
    " --cgroup-parent /special --ulimit nofile=100 --memory 64m --pids-limit 50 --user 0:0",
    "nested": "-v /run:/host-run --volumes-from data --userns host --user 1000",
    "joined": "--network container:privileged --pid container:privileged --ipc container:privileged -v overlay:/o"
    " -v /srv/ci:/ci --user toor --cap-add ALL --cap-drop ALL",
}
#: The expected status of a control by container, in the order of CONTAINERS: pass, fail, manual or - (not applicable).
VERDICTS = {
    "container_capabilities_not_added": "pass pass pass fail pass fail",
    "container_not_privileged": "pass pass fail pass pass pass",
    "container_no_sensitive_mounts": "pass pass pass fail fail fail",
    "container_no_low_ports": "pass pass pass fail pass pass",
    "container_ports_needed": "- - - manual - -",
    "container_not_in_host_network": "pass pass fail pass pass fail",
    "container_memory_limited": "pass fail fail pass fail fail",
    "container_cpu_limited": "pass fail fail fail fail fail",
    "container_read_only": "pass fail fail fail fail fail",
    "container_ports_on_named_address": "- - - fail - -",
    "container_restarts_limited": "pass pass fail pass pass pass",
    "container_not_in_host_pid": "pass pass fail pass pass fail",
    "container_not_in_host_ipc": "pass pass fail pass pass fail",
    "container_no_devices": "pass pass pass fail pass pass",
    "container_ulimits_reviewed": "- - - manual - -",
    "container_no_shared_propagation": "pass pass fail pass pass pass",
    "container_not_in_host_uts": "pass pass fail pass pass pass",
    "container_seccomp_filtered": "pass pass fail fail pass pass",
    "container_default_cgroup": "pass pass pass fail pass pass",
    "container_no_new_privileges": "pass fail fail fail fail fail",
    "container_health_check": "pass fail fail fail fail fail",
    "container_image_current": "pass pass pass pass pass pass",
    "container_pids_limited": "pass fail fail pass fail fail",
    "container_not_on_default_bridge": "pass fail pass fail fail pass",
    "container_not_in_host_userns": "pass pass pass pass fail pass",
    "container_no_engine_socket": "pass pass fail pass fail pass",
    "container_no_dangerous_capabilities": "pass pass fail fail pass fail",
    "container_capabilities_dropped": "pass fail fail fail fail fail",
    "container_user_not_root": "pass fail fail fail pass fail",
    "container_kernel_agrees": "pass pass pass pass pass pass",
    "container_system_paths_masked": "pass pass fail fail pass pass",
    "container_no_secrets_in_environment": "pass pass fail pass pass pass",
    "container_logs_bounded": "pass fail fail fail fail fail",
    "container_volumes_separated": "pass pass pass pass fail pass",
    "container_no_ssh_server": "pass pass pass pass pass pass",
}


class Audit:
    """A report on the container host, with its evidence."""

    def __init__(self, directory: Path) -> None:
        variables = {"report_dir": str(directory), "profile": "strict", "keep_evidence": True}
        given = json.dumps({f"docker_compliance_{key}": value for key, value in variables.items()})
        container_host.playbook("breakwater.docker.compliance", NAME, "-e", given)
        self.findings = json.loads((directory / "report.json").read_text())["hosts"][0]["findings"]
        self.text = (directory / f"evidence/{NAME}.json").read_text()
        self.evidence = json.loads(self.text)

    def statuses(self, control: str) -> dict[str, str]:
        """Return the statuses of a control by its objects' names."""
        return {item["object"]["name"]: item["status"] for item in self.findings if item["control"] == control}

    def status(self, control: str) -> str:
        [status] = self.statuses(control).values()
        return status

    def containers(self) -> dict[str, dict[str, Any]]:
        return {item["name"]: item for item in self.evidence["containers"]}


@pytest.fixture(scope="module")
def host() -> Iterator[container_host.ContainerHost]:
    with container_host.started(NAME) as machine:
        machine.run("docker load -qi /usr/share/breakwater/busybox.tar && docker network create own")
        machine.run("mkdir /srv/s; mount -t tmpfs none /srv/s; mount --make-shared /srv/s")
        machine.run("docker create --name toor busybox:local; echo toor:x:0:0::/:/bin/sh > /srv/passwd")
        machine.run("docker cp /srv/passwd toor:/etc/passwd; docker commit toor busybox:local; docker rm toor")
        machine.run("docker volume create -o type=overlay -o device=overlay -o o=lowerdir=/srv/s:/etc overlay")
        machine.run("docker create --name data -v shared:/data busybox:local true")
        for name, options in CONTAINERS.items():
            machine.run(f"docker run -d --name {name} {options} busybox:local sleep 1000")
        machine.run("docker run -d --name failing --restart always -p 81:80 busybox:local false")
        yield machine


@pytest.fixture(scope="module")
def first(host: container_host.ContainerHost, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    return Audit(tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(first: Audit, host: container_host.ContainerHost, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """The host after somebody worked on it."""
    options = "-H fd:// -H tcp://127.0.0.1:2375 --log-level=warn --userland-proxy=false"
    unit = f"[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd {options}\n"
    host.run(
        f"mkdir -p /etc/systemd/system/docker.service.d; printf '{unit}' > /etc/systemd/system/docker.service.d/x.conf"
    )
    host.run('printf \'{"icc": false, "debug": true}\' > /etc/docker/daemon.json')
    socket = "[Socket]\nListenStream=/srv/ci/docker.sock\nListenStream=127.0.0.1:2380\n"
    host.run(
        f"mkdir /etc/systemd/system/docker.socket.d; printf '{socket}' > /etc/systemd/system/docker.socket.d/x.conf"
    )
    host.run("systemctl stop docker docker.socket; systemctl daemon-reload; systemctl start docker")
    host.run("docker swarm init --advertise-addr eth0 >/dev/null; docker network create -d overlay plain")
    host.run("docker service create --detach --name web -e API_TOKEN=hunter2-planted --replicas 0 busybox:local true")
    host.run("mkdir -p /etc/audit/rules.d; echo '-w /usr/sbin/dockerd-foo -p wa' > /etc/audit/rules.d/x.rules")
    host.run("echo '-w /etc/docker -p wa' >> /etc/audit/rules.d/x.rules")
    host.run("chmod 0606 /srv/ci/docker.sock; chmod 0747 /etc/docker; chmod 0622 /etc/docker/daemon.json")
    return Audit(tmp_path_factory.mktemp("second"))


@pytest.mark.parametrize("control", VERDICTS)
def test_containers(first: Audit, control: str) -> None:
    found = first.statuses(control)
    expected = VERDICTS[control].replace("-", "not_applicable").split()
    assert {name: found[name] for name in CONTAINERS} == dict(zip(CONTAINERS, expected, strict=True))


def test_every_failure_of_the_good_container_is_right(first: Audit) -> None:
    found = {
        item["control"]
        for item in first.findings
        if item["object"]["name"] == "good" and item["status"] not in ("pass", "not_applicable")
    }
    assert found == set()


@pytest.mark.parametrize("name", CONTAINERS)
def test_the_kernels_view_is_what_the_process_sees(first: Audit, host: container_host.ContainerHost, name: str) -> None:
    lines = host.run(f"cat /proc/$(docker inspect -f '{{{{.State.Pid}}}}' {name})/status").splitlines()
    status = {key: value.strip() for key, dummy, value in (line.partition(":") for line in lines)}
    found = first.containers()[name]
    assert found["kernel_uid"] == int(status["Uid"].split()[0])
    assert found["kernel_no_new_privileges"] == (status["NoNewPrivs"] == "1")
    assert found["kernel_seccomp"] == {"0": "disabled", "2": "filter"}[status["Seccomp"]]
    assert len(found["kernel_capabilities"]) == bin(int(status["CapBnd"], 16)).count("1")
    assert found["unreadable"] == {}


def test_a_container_that_does_not_run_is_judged_too(first: Audit) -> None:
    assert first.statuses("container_memory_limited")["data"] == "fail"
    assert first.statuses("container_kernel_agrees")["data"] == "not_applicable"


def test_a_container_that_starts_again_and_again_is_judged_by_what_it_will_publish(first: Audit) -> None:
    assert first.statuses("container_no_low_ports")["failing"] == "fail"
    assert first.statuses("container_ports_on_named_address")["failing"] == "fail"


@pytest.mark.parametrize(
    ("control", "before", "after"),
    [
        ("file_docker_directory_mode", "pass", "fail"),
        ("file_daemon_config_mode", "not_applicable", "fail"),
        ("daemon_icc_disabled", "fail", "pass"),
        ("daemon_log_level_info", "pass", "fail"),
        ("daemon_userland_proxy_disabled", "fail", "pass"),
        ("daemon_manages_iptables", "pass", "pass"),
        ("daemon_manages_ip6tables", IPV6_FILTERED, IPV6_FILTERED),
        ("daemon_tcp_verifies_clients", "not_applicable", "fail"),
        ("daemon_config_valid", "pass", "pass"),
        ("daemon_config_in_effect", "pass", "pass"),
        ("daemon_live_restore", "fail", "not_applicable"),
        ("daemon_swarm_inactive", "pass", "fail"),
        ("daemon_single", "pass", "pass"),
        ("swarm_managers_few_and_reachable", "not_applicable", "pass"),
        ("swarm_listens_on_one_address", "not_applicable", "fail"),
        ("swarm_overlay_networks_encrypted", "not_applicable", "fail"),
        ("swarm_secrets_used", "not_applicable", "fail"),
        ("swarm_managers_locked", "not_applicable", "fail"),
        ("swarm_unlock_key_rotated", "not_applicable", "not_applicable"),
        ("swarm_node_certificates_short_lived", "not_applicable", "pass"),
        ("swarm_ca_rotated", "not_applicable", "manual"),
        ("swarm_data_path_separate", "not_applicable", "fail"),
        ("host_docker_group_members", "pass", "pass"),
        ("engine_without_known_vulnerabilities", "fail", "fail"),
    ],
)
def test_the_host_before_and_after(first: Audit, second: Audit, control: str, before: str, after: str) -> None:
    assert (first.status(control), second.status(control)) == (before, after)


def test_a_directory_with_the_engines_second_socket_is_no_longer_harmless(first: Audit, second: Audit) -> None:
    found = [audit.statuses("container_no_engine_socket")["joined"] for audit in (first, second)]
    assert found == ["pass", "fail"]


def test_every_socket_that_systemd_opened_is_a_file_of_the_engine(first: Audit, second: Audit) -> None:
    assert first.statuses("file_docker_socket_mode") == {"/run/docker.sock": "pass"}
    assert second.statuses("file_docker_socket_mode") == {"/run/docker.sock": "pass", "/srv/ci/docker.sock": "fail"}
    assert set(second.statuses("file_docker_socket_owner").values()) == {"pass"}


def test_of_a_swarms_ports_those_of_the_api_are_asked(second: Audit, host: container_host.ContainerHost) -> None:
    # the first dockerd was told, the second systemd opened; on the others it serves the swarm
    assert [item["port"] for item in second.evidence["daemon"]["tcp_listeners"]] == [2375, 2380]
    host.run("ss -ltn | grep 2377 && ss -ltn | grep 7946")


def test_audit_rules_of_files_and_of_the_kernel_are_told_apart(second: Audit) -> None:
    found = {item["purpose"]: item for item in second.evidence["files"]}
    assert found["docker_directory"]["audit_persistent"] is True
    assert found["daemon_program"]["audit_persistent"] is False
    assert found["docker_directory"]["audit_live"] is not True


def test_engine_knows_the_keys_that_are_said_to_be_its_own(host: container_host.ContainerHost) -> None:
    version = host.run("docker version -f '{{.Server.Version}}'").strip()
    # one that is gone has a message of its own, and mappings are taken apart
    asked = {name for name, key in KEYS.items() if "_by_name" not in key.kind and name != "api-cors-header"}
    config = json.dumps(dict.fromkeys(asked, True))
    host.run(f"echo '{config}' > /root/keys.json")
    told = host.run("dockerd --validate --config-file /root/keys.json 2>&1 || true")
    unknown = set(told.strip().rpartition("configuration option: ")[2].split(", "))
    assert unknown == {name for name in asked if not KEYS[name].accepted_by(version)}


def test_no_secret_leaves_the_host(first: Audit, second: Audit) -> None:
    assert "hunter2-planted" not in first.text + second.text
    assert "DB_PASSWORD" in first.text
