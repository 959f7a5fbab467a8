# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import read_settings
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import daemon
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import Answer
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import recorded
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import BOOT_TIME, dockerd, write

Evidence = dict[str, Any]


class Host:
    """A host whose engine says what was recorded, with changes, and whose files a test writes."""

    def __init__(self, root: Path, commands: RecordedCommands) -> None:
        self.root = root
        self.commands = commands
        self.recording = recorded("26.1-rootful")
        self.info: Evidence = self.recording["/info"]
        self.containers: list[Evidence] = []

    def config(self, document: Any, age: float = 0) -> None:
        """Write daemon.json; `age` is Unix time in seconds."""
        path = write(self.root, "/etc/docker/daemon.json", json.dumps(document))
        os.utime(path, (age, age))

    def evidence(self) -> Evidence:
        files = LocalFileSystem(str(self.root))
        processes = scan(files)
        version, networks = self.recording["/version"], self.recording["/networks"]
        documents = EngineDocuments(version, self.info, self.containers, [], networks, [])
        settings = read_settings(files, processes, "/run/docker.sock")
        return daemon.collect(documents, files, self.commands, processes, settings)


@pytest.fixture
def host(tmp_path: Path, commands: RecordedCommands) -> Host:
    for table in ("tcp", "tcp6"):
        write(tmp_path, f"/proc/700/net/{table}", "  sl  local_address\n")
    (tmp_path / "proc/700/fd").mkdir()
    return Host(tmp_path, commands)


def test_stock_daemon(host: Host) -> None:
    dockerd(host.root)
    write(host.root, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n")
    found = host.evidence()
    assert found["unreadable"] == {}
    expected = {
        "security_options": ["apparmor", "cgroupns", "seccomp"],
        "seccomp_profile": "builtin",
        "seccomp_dangerous_calls": [],
        "no_new_privileges": False,
        "icc": True,
        "bridge_filtered": True,
        "live_restore": False,
        "log_driver": "json-file",
        "log_level": "info",
        "storage_driver": "overlay2",
        "insecure_registries": [],
        "userland_proxy": True,
        "ip6tables": False,
        "default_ulimits": [],
        "tcp_listeners": [],
        "certificate_days_left": None,
        "config_newer": False,
        "swarm_active": False,
        "daemons": ["PID 700 of UID 0"],
    }
    assert {name: found[name] for name in expected} == expected


def test_settings_that_only_the_process_knows(host: Host) -> None:
    dockerd(host.root, "--iptables=false", "--log-opt=max-size=10m", "--log-opt", "env=SECRET", "--metrics-addr", ":1")
    limits = {"nproc": {"Name": "nproc", "Hard": 9, "Soft": 8}, "nofile": {"hard": 7, "soft": 6}}
    host.config({"userland-proxy": False, "default-ulimits": limits, "storage-opts": ["dm.basesize=9G"]})
    found = host.evidence()
    assert found["iptables"] is False
    assert found["userland_proxy"] is False
    assert found["default_ulimits"] == ["nofile=6:7", "nproc=8:9"]
    assert found["base_device_size"] is True
    assert found["log_options"] == {"max-size": "10m"}
    assert found["metrics_address"] == ":1"


@pytest.mark.parametrize(
    ("version", "options", "flag", "expected"),
    [
        ("26.1.5", ["name=no-new-privileges"], "false", True),
        ("26.1.5", [], "true", False),
        ("25.0.5", [], "true", True),
        ("20.10.24", None, "false", False),
    ],
)
def test_no_new_privileges_by_who_knows_it(
    host: Host, version: str, options: list[str] | None, flag: str, expected: bool
) -> None:
    dockerd(host.root, f"--no-new-privileges={flag}")
    host.recording["/version"]["Version"] = version
    host.info["SecurityOptions"] = options
    assert host.evidence()["no_new_privileges"] is expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["name=seccomp,profile=default"], "builtin"),
        (["name=seccomp,profile=builtin"], "builtin"),
        (["name=seccomp,profile=unconfined"], "unconfined"),
        (["name=seccomp,profile=/etc/docker/seccomp.json"], "/etc/docker/seccomp.json"),
        (["name=apparmor"], "unconfined"),
    ],
)
def test_seccomp_profile(host: Host, options: list[str], expected: str) -> None:
    host.info["SecurityOptions"] = options
    assert host.evidence()["seccomp_profile"] == expected


def test_daemons_own_profile_is_read(host: Host) -> None:
    host.info["SecurityOptions"] = ["name=seccomp,profile=/etc/docker/mine.json"]
    assert "/etc/docker/mine.json" in host.evidence()["unreadable"]["seccomp_dangerous_calls"]
    (host.root / "etc/docker").mkdir(parents=True, exist_ok=True)
    profile = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ALLOW"}]}
    (host.root / "etc/docker/mine.json").write_text(json.dumps(profile))
    assert host.evidence()["seccomp_dangerous_calls"] == ["bpf"]


def test_insecure_registries_without_loopback(host: Host) -> None:
    host.info["RegistryConfig"]["InsecureRegistryCIDRs"] = ["::1/128", "127.0.0.0/8", "10.0.0.0/8"]
    host.info["RegistryConfig"]["IndexConfigs"]["r:5000"] = {"Name": "r:5000", "Secure": False}
    host.info["RegistryConfig"]["Mirrors"] = ["http://mirror/", "https://good/"]
    found = host.evidence()
    assert found["insecure_registries"] == ["10.0.0.0/8", "r:5000"]
    assert found["plain_mirrors"] == ["http://mirror/"]
    host.info["RegistryConfig"]["IndexConfigs"] = {"r": {}}
    assert "insecure_registries" in host.evidence()["unreadable"]


def test_without_default_bridge_there_is_no_icc(host: Host) -> None:
    host.recording["/networks"] = [net for net in host.recording["/networks"] if net["Name"] != "bridge"]
    assert host.evidence()["icc"] is None


def test_default_address_is_what_docker0_has(host: Host) -> None:
    # as after a restart with live-restore, while a container keeps docker0 as it was
    dockerd(host.root)
    host.config({"ip": "127.0.0.1"})
    found = host.evidence()
    assert (found["default_address"], found["config_contradictions"]) == ("0.0.0.0", ["ip"])
    [bridge] = [net for net in host.recording["/networks"] if net["Name"] == "bridge"]
    bridge["Options"]["com.docker.network.bridge.host_binding_ipv4"] = "127.0.0.1"
    found = host.evidence()
    assert (found["default_address"], found["config_contradictions"]) == ("127.0.0.1", [])
    host.recording["/networks"].remove(bridge)
    assert host.evidence()["default_address"] == "127.0.0.1"


def test_unseen_process_makes_its_settings_unreadable(host: Host) -> None:
    found = host.evidence()
    assert {"log_level", "iptables", "tcp_listeners", "config_newer"} <= found["unreadable"].keys()
    assert found["live_restore"] is False


def test_credentials_of_proxies_are_told_without_them(host: Host) -> None:
    dockerd(host.root, environment="HTTPS_PROXY=http://ada:hunter2@proxy:3128\0HTTP_PROXY=http://proxy:3128\0")
    found = host.evidence()
    assert found["proxies_with_credentials"] == ["https-proxy"]
    assert "hunter2" not in str(found)


def test_proxy_shown_by_the_engine_counts_as_well(host: Host) -> None:
    dockerd(host.root)
    host.info["HttpProxy"] = "http://xxxxx:xxxxx@proxy:3128"
    assert host.evidence()["proxies_with_credentials"] == ["http-proxy"]


def test_config_newer_than_the_process(host: Host) -> None:
    dockerd(host.root, started=BOOT_TIME + 100)
    host.config({"icc": True}, BOOT_TIME + 101)
    assert host.evidence()["config_newer"] is False
    host.config({"icc": True}, BOOT_TIME + 103)
    found = host.evidence()
    assert (found["config_newer"], found["config_contradictions"]) == (True, [])


def test_config_that_is_not_in_effect(host: Host) -> None:
    dockerd(host.root, "--icc=true")
    host.config({"icc": False, "live-restore": True, "log-driver": "json-file", "no-new-privileges": True})
    found = host.evidence()
    assert found["config_contradictions"] == ["live-restore", "no-new-privileges"]
    assert found["config_clashes"] == ["icc"]


@pytest.mark.parametrize(
    ("told", "reported", "found"),
    [
        ("/data", "/data", []),
        ("/data/", "/data/165536.165536", []),
        ("/link", "/data", []),
        ("/new", "/data", ["data-root"]),
        (None, "/data", []),
    ],
)
def test_data_root_that_is_not_in_effect(host: Host, told: Any, reported: str, found: list[str]) -> None:
    dockerd(host.root)
    (host.root / "link").symlink_to("/data")
    host.config({"data-root": told})
    host.info["DockerRootDir"] = reported
    assert host.evidence()["config_contradictions"] == found


def test_broken_config(host: Host) -> None:
    dockerd(host.root)
    write(host.root, "/etc/docker/daemon.json", "{")
    found = host.evidence()
    assert "not valid JSON" in found["config_error"]
    assert "log_level" in found["unreadable"]


def test_ports_of_the_api_are_asked(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    dockerd(host.root, "--metrics-addr=127.0.0.1:9323")
    ports = [("0.0.0.0", 2375), ("::", 2377), ("127.0.0.1", 9323)]
    monkeypatch.setattr(daemon, "listening", lambda _files, pid: ports if pid == 700 else [])
    monkeypatch.setattr(daemon, "probe", lambda _address, _port: Answer(tls=True, client_verified=False))
    expected = [
        {"address": "0.0.0.0", "port": 2375, "tls": True, "client_verified": False},
        {"address": "::", "port": 2377, "tls": True, "client_verified": False},
    ]
    assert host.evidence()["tcp_listeners"] == expected


@pytest.mark.parametrize(
    ("told", "asked"),
    [
        ([], [2380]),
        (["fd://", "unix:///srv/docker.sock"], [2380]),
        (["tcp://0.0.0.0:2377"], [2377, 2380]),
        ([":8080"], [2380, 8080]),
        (["tcp://[::1]:8080/v1"], [2380, 8080]),
        (["tcp://127.0.0.1"], [2375, 2380]),
        (["tcp://[::]"], [2375, 2380]),
    ],
)
def test_in_a_swarm_only_the_ports_of_the_api_are_asked(
    host: Host, monkeypatch: pytest.MonkeyPatch, told: list[str], asked: list[int]
) -> None:
    host.info["Swarm"]["LocalNodeState"] = "active"
    dockerd(host.root, *(f"--host={address}" for address in told))
    # what a service publishes, its management, its gossip, and what systemd opened
    ports = [("::", port) for port in (2375, 2377, 2380, 7946, 8080)]
    opened = [("0.0.0.0", 22), ("::", 2380)]
    monkeypatch.setattr(daemon, "listening", lambda _files, pid: {700: ports, 1: opened}[pid])
    monkeypatch.setattr(daemon, "probe", lambda _address, _port: Answer(tls=False, client_verified=False))
    assert [item["port"] for item in host.evidence()["tcp_listeners"]] == asked


@pytest.mark.parametrize(("flags", "unsure"), [((), True), (("-H", "fd://"), False)])
def test_ports_of_a_swarm_are_unknown_where_the_file_may_have_named_others(
    host: Host, monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], unsure: bool
) -> None:
    host.info["Swarm"]["LocalNodeState"] = "active"
    dockerd(host.root, *flags, started=BOOT_TIME)
    host.config({}, BOOT_TIME + 10)
    monkeypatch.setattr(daemon, "listening", lambda _files, pid: [("::", 2375)] if pid == 700 else [])
    assert ("tcp_listeners" in host.evidence()["unreadable"]) is unsure


@pytest.mark.parametrize(("verified", "told"), [(False, True), (True, False)])
def test_port_that_does_not_answer_hides_no_open_one(
    host: Host, monkeypatch: pytest.MonkeyPatch, verified: bool, told: bool
) -> None:
    dockerd(host.root)

    def answer(_address: str, port: int) -> Answer:
        if port == 2375:
            raise UnreadableError("port 2375 does not answer")
        return Answer(tls=True, client_verified=verified)

    monkeypatch.setattr(daemon, "listening", lambda _files, _pid: [("::", 2375), ("::", 2376)])
    monkeypatch.setattr(daemon, "probe", answer)
    found = host.evidence()["tcp_listeners"]
    assert [item["port"] for item in found or []] == ([2376] if told else [])
    assert (found is not None) is told


def test_ports_that_dockerd_holds_for_containers_are_not_its_own(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    published = {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "90/tcp": None}
    host.containers = [{"NetworkSettings": {"Ports": published}}]
    dockerd(host.root)
    monkeypatch.setattr(daemon, "listening", lambda _files, _pid: [("0.0.0.0", 8080), ("127.0.0.1", 8080)])
    monkeypatch.setattr(daemon, "probe", lambda _address, _port: Answer(tls=False, client_verified=False))
    assert [item["address"] for item in host.evidence()["tcp_listeners"]] == ["127.0.0.1"]


def test_port_that_does_not_answer_is_unreadable(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    dockerd(host.root)

    def refuse(_address: str, _port: int) -> Answer:
        raise UnreadableError("port 2375 does not answer")

    monkeypatch.setattr(daemon, "listening", lambda _files, _pid: [("10.0.0.1", 2375)])
    monkeypatch.setattr(daemon, "probe", refuse)
    assert host.evidence()["unreadable"] == {"tcp_listeners": "port 2375 does not answer"}


def test_first_certificate_to_expire_counts(host: Host) -> None:
    dockerd(host.root, "--tlsverify", "--tlscacert=/ca", "--tlscert=/cert", "--tlskey=/key")
    for path, days in (("/ca", 100.5), ("/cert", 20.5)):
        end = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(time.time() + days * 86400))
        host.commands.answer(f"openssl x509 -noout -enddate -in {path}", f"notAfter={end}\n")
    assert host.evidence()["certificate_days_left"] == 20


def test_unknown_end_of_a_certificate_is_unreadable(host: Host) -> None:
    dockerd(host.root, "--tlsverify")
    host.commands.answer("openssl", rc=1, stderr="Could not open file")
    assert "Could not open file" in host.evidence()["unreadable"]["certificate_days_left"]


@pytest.mark.parametrize("name", ["LiveRestoreEnabled", "SecurityOptions", "RegistryConfig", "Swarm", "LoggingDriver"])
def test_garbage_from_the_engine_is_unreadable(host: Host, name: str) -> None:
    dockerd(host.root)
    host.info[name] = 7
    assert host.evidence()["unreadable"]
