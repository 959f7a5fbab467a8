# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What other auditors of Docker hosts are known to get wrong, decided here from the raw documents and files to the
# verdict. Verdicts that depend on the shell (docker-bench-security under dash) can't be: no shell is used.

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from ansible_collections.breakwater.docker.tests.fuzz.estate import Estate, statuses
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import dockerd, write


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    made = Estate(tmp_path, "26.1-rootful")
    made.documents["/info"]["Swarm"].update(LocalNodeState="active", ControlAvailable=True)
    return made


def verdict(estate: Estate, control: str, object_id: str = "", **documents: Any) -> str:
    """Return the status of a control; of one of its objects where `object_id` is given."""
    found = statuses(estate.evidence(documents))
    return {key[1] if object_id else "": status for key, status in found.items() if key[0] == control}[object_id]


@pytest.fixture
def hardened(estate: Estate) -> dict[str, Any]:
    [place] = [
        path for path, doc in estate.documents.items() if isinstance(doc, dict) and doc.get("Name") == "/hardened"
    ]
    return estate.documents[place]


@pytest.mark.parametrize(
    ("control", "path", "mode", "expected"),
    [
        ("file_docker_socket_mode", "run/docker.sock", 0o660, "pass"),
        ("file_docker_socket_mode", "run/docker.sock", 0o606, "fail"),  # as decimals 606 < 660
        ("file_docker_directory_mode", "etc/docker", 0o755, "pass"),
        ("file_docker_directory_mode", "etc/docker", 0o747, "fail"),
        ("file_daemon_config_mode", "etc/docker/daemon.json", 0o644, "pass"),
        ("file_daemon_config_mode", "etc/docker/daemon.json", 0o622, "fail"),
        ("file_daemon_config_mode", "etc/docker/daemon.json", 0o444, "pass"),
        ("file_docker_service_unit_mode", "usr/lib/systemd/system/docker.service", 0o607, "fail"),
    ],
)
def test_modes_are_sets_of_bits(estate: Estate, control: str, path: str, mode: int, expected: str) -> None:
    (estate.root / path).chmod(mode)
    assert verdict(estate, control) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["no-new-privileges"], "pass"),
        (["no-new-privileges=true"], "pass"),
        (["no-new-privileges:true"], "pass"),
        (["no-new-privileges=false"], "fail"),
        (["no-new-privileges:false"], "fail"),
        (["no-new-privileges", "no-new-privileges=false"], "fail"),
        ([], "fail"),
    ],
)
def test_no_new_privileges_can_be_given_as_false(
    estate: Estate, hardened: dict[str, Any], options: list[str], expected: str
) -> None:
    hardened["HostConfig"]["SecurityOpt"] = options
    assert verdict(estate, "container_no_new_privileges", hardened["Id"]) == expected


@pytest.mark.parametrize(
    ("name", "retries", "expected"),
    [
        *(("no", 0, "pass"), ("on-failure", 5, "pass"), ("on-failure", 0, "fail"), ("always", 0, "fail")),
        *(("unless-stopped", 0, "fail"), ("on-failure", 6, "fail")),
    ],
)
def test_a_policy_without_retries_is_not_a_limited_one(
    estate: Estate, hardened: dict[str, Any], name: str, retries: int, expected: str
) -> None:
    hardened["HostConfig"]["RestartPolicy"] = {"Name": name, "MaximumRetryCount": retries}
    assert verdict(estate, "container_restarts_limited", hardened["Id"]) == expected


def test_no_control_disappears_with_the_containers(estate: Estate) -> None:
    crowded = {control for control, _object in statuses(estate.evidence())}
    empty = statuses(estate.evidence({"/containers/json?all=1": [], "/images/json": []}))
    assert {control for control, _object in empty} == crowded
    assert {status for (control, _object), status in empty.items() if control.startswith("container_")} == {
        "not_applicable"
    }


@pytest.mark.parametrize(
    ("control", "rule", "expected"),
    [
        ("audit_daemon_program", "-w /usr/bin/dockerd -p wa -k docker", "pass"),
        ("audit_daemon_program", "-w /usr/bin/dockerd-foo -p wa -k docker", "fail"),
        ("audit_daemon_program", "-w /usr/bin -p wa", "pass"),
        ("audit_daemon_program", "-w /usr/bin/docker -p wa -k dockerd", "fail"),
        ("audit_daemon_program", "# -w /usr/bin/dockerd -p wa", "fail"),
        ("audit_docker_directory", "-w /etc/docker -p wa -k docker", "pass"),
        ("audit_docker_directory", "-w /etc/docker-old -p wa -k docker", "fail"),
        ("audit_docker_directory", "-w /etc/docker/daemon.json -p wa -k /etc/docker", "fail"),
        ("audit_docker_directory", "-a always,exit -F dir=/etc -F perm=wa", "pass"),
    ],
)
def test_audit_rules_are_about_paths_not_about_text(estate: Estate, control: str, rule: str, expected: str) -> None:
    write(estate.root, "/etc/audit/rules.d/docker.rules", rule + "\n")
    estate.commands.answer("auditctl -l", rule + "\n")
    assert verdict(estate, control) == expected


@pytest.mark.parametrize(("managers", "expected"), [(1, "pass"), (3, "pass"), (4, "fail"), (9, "fail")])
def test_managers_are_counted_not_leaders(estate: Estate, managers: int, expected: str) -> None:
    node = estate.documents["/nodes"][0]
    leader = {**node, "ManagerStatus": {"Leader": True, "Reachability": "reachable"}}
    worker = {**node, "Spec": {"Role": "worker"}, "ManagerStatus": None}
    nodes = [leader, *[node] * (managers - 1), worker, worker]
    assert verdict(estate, "swarm_managers_few_and_reachable", **{"/nodes": nodes}) == expected


@pytest.mark.parametrize(("version", "expected"), [("20.10.24+dfsg1", "fail"), ("28.5.1", "fail"), ("29.10.0", "pass")])
def test_an_old_engine_does_not_pass_for_a_current_one(estate: Estate, version: str, expected: str) -> None:
    told = {**estate.documents["/version"], "Version": version}
    assert verdict(estate, "engine_without_known_vulnerabilities", **{"/version": told}) == expected


@pytest.mark.parametrize(
    ("arguments", "config", "expected"),
    [
        ((), {}, {"iptables": True, "log_level": "info", "userland_proxy": True}),
        (("--iptables=false",), {}, {"iptables": False}),
        (("--iptables=true",), {}, {"iptables": True}),
        ((), {"iptables": False}, {"iptables": False}),
        (("--log-level", "warn"), {}, {"log_level": "warn"}),
        (("--log-level=error",), {}, {"log_level": "error"}),
        (("-l", "debug"), {}, {"log_level": "debug"}),
        ((), {"log-level": "warn", "userland-proxy": False}, {"log_level": "warn", "userland_proxy": False}),
        (
            ("--default-ulimit", "nofile=1:2", "--default-ulimit=nproc=3"),
            {},
            {"default_ulimits": ["nofile=1:2", "nproc=3:3"]},
        ),
        (("-H", "fd://", "-H=tcp://127.0.0.1:2375"), {}, {"hosts": ["fd://", "tcp://127.0.0.1:2375"]}),
        (
            (),
            {"hosts": ["unix:///run/docker.sock", "tcp://[::]:1"]},
            {"hosts": ["unix:///run/docker.sock", "tcp://[::]:1"]},
        ),
        ((), {"note": '"iptables": false', "iptables": True}, {"iptables": True}),
        (("--iptables=false",), {"iptables": True}, {"iptables": False, "config_clashes": ["iptables"]}),
    ],
)
def test_settings_are_read_where_the_daemon_reads_them(
    estate: Estate, arguments: tuple[str, ...], config: dict[str, Any], expected: dict[str, Any]
) -> None:
    dockerd(estate.root, *arguments)
    write(estate.root, "/etc/docker/daemon.json", json.dumps(config, indent=4))
    found = estate.evidence()["daemon"]
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("text", ['\ufeff{"iptables": false}', '{"iptables": true, "iptables": false}'])
def test_a_file_that_the_daemon_takes_is_read_as_it_reads_it(estate: Estate, text: str) -> None:
    dockerd(estate.root)
    write(estate.root, "/etc/docker/daemon.json", text)
    assert verdict(estate, "daemon_config_valid") == "pass"
    assert verdict(estate, "daemon_manages_iptables") == "fail"


@pytest.mark.parametrize("text", ['{"icc": false,}', '// no\n{"iptables": true}', "[]", '"text"', '{"iptables": tru'])
def test_a_file_that_the_daemon_can_not_read_decides_nothing(estate: Estate, text: str) -> None:
    dockerd(estate.root)
    write(estate.root, "/etc/docker/daemon.json", text)
    assert verdict(estate, "daemon_config_valid") == "fail"
    assert verdict(estate, "daemon_manages_iptables") == "error"
    assert verdict(estate, "daemon_icc_disabled") in ("pass", "fail")  # the engine itself tells


class Plain(BaseHTTPRequestHandler):
    """An engine's port without TLS."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_request(self, *_about: Any) -> None:
        """Say nothing."""


def test_every_listener_is_asked_not_only_the_first_one(estate: Estate) -> None:
    with HTTPServer(("127.0.0.1", 0), Plain) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_address[1]
        dockerd(estate.root, "-H", "fd://", "-H", f"tcp://127.0.0.1:{port}", "--tlsverify")
        row = f"0: 0100007F:{port:04X} 00000000:0000 0A 0:0 0:0 0 0 0 4711 1\n"
        write(estate.root, "/proc/700/net/tcp", f"sl local rem st\n{row}")
        (estate.root / "proc/700/fd/9").symlink_to("socket:[4711]")
        assert verdict(estate, "daemon_tcp_verifies_clients") == "fail"
        server.shutdown()


def test_the_shim_of_podman_is_not_an_engine(estate: Estate) -> None:
    podman = {**estate.documents["/version"], "Components": [{"Name": "Podman Engine", "Version": "5.0.0"}]}
    assert estate.evidence({"/version": podman})["engine"]["status"] == "absent"
