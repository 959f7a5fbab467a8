# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import audit, file
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.host_paths import served_sockets
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import DaemonProcess
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

PROCESS = DaemonProcess(1, 0, ("dockerd",), {}, 0.0)


def collect(
    files: LocalFileSystem, commands: RecordedCommands, settings: DaemonSettings | None = None
) -> dict[str, list[dict[str, Any]]]:
    documents = EngineDocuments({}, {"DockerRootDir": "/var/lib/docker"}, [], [], [], [])
    known = settings or DaemonSettings(process=PROCESS)
    found: dict[str, list[dict[str, Any]]] = {}
    live_rules = Lazy(lambda: audit.live_rules(files, commands))
    served = served_sockets(files, known.process.pid) if known.process else []
    for item in file.collect(file.FileSources(files, known, "/var/run/docker.sock", documents, live_rules, served)):
        assert set(item) - {"unreadable"} == set(scope_schema("file").fields)
        found.setdefault(item["purpose"], []).append(item)
    return found


def test_an_empty_host_has_one_absent_file_of_each_purpose(files: LocalFileSystem, commands: RecordedCommands) -> None:
    found = collect(files, commands)
    assert {len(items) for items in found.values()} == {1}
    assert all(items[0]["exists"] is False and items[0]["unreadable"] == {} for items in found.values())
    assert found["daemon_config"][0]["path"] == "/etc/docker/daemon.json"
    assert "registry_certificate" not in found
    assert "tls_key" not in found


def test_modes_are_numbers_and_owners_names(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/etc/passwd", f"me:x:{os.getuid()}:{os.getgid()}::/:/bin/sh\n")
    put("/etc/group", f"us:x:{os.getgid()}:\n")
    put("/etc/docker/daemon.json", "{}", 0o606)
    item = collect(files, commands)["daemon_config"][0]
    assert (item["mode"], item["mode_octal"], item["kind"]) == (0o606, "0606", "file")
    assert (item["owner"], item["group"]) == ("me", "us")
    assert collect(files, commands)["docker_directory"][0]["kind"] == "directory"


def test_one_unit_behind_merged_directories_is_one_object(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path], tmp_path: Path
) -> None:
    put("/usr/lib/systemd/system/docker.service")
    (tmp_path / "lib").symlink_to("usr/lib")
    units = collect(files, commands)["docker_service_unit"]
    assert [unit["path"] for unit in units] == ["/usr/lib/systemd/system/docker.service"]


def test_the_unit_that_systemd_takes_is_judged(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/usr/lib/systemd/system/docker.service")
    put("/etc/systemd/system/docker.service")
    put("/etc/systemd/system/docker.service.d/10-x.conf")
    put("/etc/systemd/system/docker.service.d/notes.txt")
    found = collect(files, commands)
    assert [unit["path"] for unit in found["docker_service_unit"]] == ["/etc/systemd/system/docker.service"]
    assert [unit["path"] for unit in found["docker_unit_drop_in"]] == ["/etc/systemd/system/docker.service.d/10-x.conf"]


def test_a_masked_unit_does_not_exist(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path], tmp_path: Path
) -> None:
    put("/usr/lib/systemd/system/docker.socket")
    (tmp_path / "etc/systemd/system").mkdir(parents=True)
    (tmp_path / "etc/systemd/system/docker.socket").symlink_to("/dev/null")
    unit = collect(files, commands)["docker_socket_unit"][0]
    assert (unit["path"], unit["exists"]) == ("/etc/systemd/system/docker.socket", False)


def test_sockets_of_the_settings_are_found(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/run/other.sock")
    put("/run/c.sock")
    hosts = ["unix:///run/other.sock", "tcp://127.0.0.1:2376", 5]
    settings = DaemonSettings(process=PROCESS, values={"hosts": hosts, "containerd": "/run/c.sock"})
    found = collect(files, commands, settings)
    assert [item["path"] for item in found["docker_socket"]] == ["/run/other.sock"]
    assert [item["path"] for item in found["containerd_socket"]] == ["/run/c.sock"]
    put("/run/snap.docker/containerd/containerd.sock")
    found = collect(files, commands, DaemonSettings(process=PROCESS, values={"exec-root": "/run/snap.docker"}))
    assert [item["path"] for item in found["containerd_socket"]] == ["/run/snap.docker/containerd/containerd.sock"]


@pytest.mark.parametrize("deleted", ["", " (deleted)"])
def test_programs_beside_the_running_dockerd_are_found(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path], tmp_path: Path, deleted: str
) -> None:
    put("/opt/docker/dockerd", mode=0o777)
    put("/opt/docker/runc")
    put("/usr/bin/runc")
    put("/proc/1/x")
    (tmp_path / "proc/1/exe").symlink_to(f"/opt/docker/dockerd{deleted}")
    found = collect(files, commands)
    assert [(item["path"], item["mode_octal"]) for item in found["daemon_program"]] == [("/opt/docker/dockerd", "0777")]
    assert [item["path"] for item in found["runc_program"]] == ["/usr/bin/runc", "/opt/docker/runc"]
    assert found["containerd_program"][0]["exists"] is False
    (tmp_path / "proc/1/exe").unlink()
    unprivileged = DaemonSettings(process=PROCESS._replace(arguments=("/opt/docker/dockerd", "-D")))
    assert collect(files, commands, unprivileged)["daemon_program"][0]["path"] == "/opt/docker/dockerd"


def test_an_engine_without_root_has_its_users_directory(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/etc/docker/certs.d/registry.example.org/ca.crt")
    put("/home/ada/.config/docker/certs.d/registry.example.org/client.key", mode=0o666)
    process = DaemonProcess(1, 1000, ("dockerd",), {"HOME": "/home/ada"}, 0.0)
    found = collect(files, commands, DaemonSettings(process=process))
    assert [item["path"] for item in found["docker_directory"]] == ["/home/ada/.config/docker"]
    assert [item["mode_octal"] for item in found["registry_key"]] == ["0666"]
    assert "registry_certificate" not in found


def test_sockets_that_systemd_opened_are_found(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path], tmp_path: Path
) -> None:
    # of dockerd's own, which are no way to it, systemd knows nothing
    rows = ("11 /run/docker.sock", "12 /srv/ci.sock", "13 /run/docker/metrics.sock", "14 /run/dbus/system_bus_socket")
    table = "Num\n" + "".join(f"0: 2 0 00010000 0001 01 {row}\n" for row in rows)
    for pid, inodes in ((700, (11, 12, 13)), (1, (11, 12, 14))):
        put(f"/proc/{pid}/net/unix", table)
        (tmp_path / f"proc/{pid}/fd").mkdir()
        for inode in inodes:
            (tmp_path / f"proc/{pid}/fd/{inode}").symlink_to(f"socket:[{inode}]")
    put("/run/docker.sock")
    put("/srv/ci.sock")
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    found = collect(files, commands, DaemonSettings(process=PROCESS._replace(pid=700)))
    assert [item["path"] for item in found["docker_socket"]] == ["/run/docker.sock", "/srv/ci.sock"]


def test_tls_files_are_those_of_the_settings(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/etc/docker/tls/key.pem", mode=0o440)
    settings = DaemonSettings(process=PROCESS, values={"tlsverify": True, "tlskey": "/etc/docker/tls/key.pem"})
    found = collect(files, commands, settings)
    assert found["tls_key"][0]["mode"] == 0o440
    assert (found["tls_ca"][0]["path"], found["tls_ca"][0]["exists"]) == ("/root/.docker/ca.pem", False)


def test_unknown_settings_leave_the_tls_files_undetermined(files: LocalFileSystem, commands: RecordedCommands) -> None:
    settings = DaemonSettings(process=PROCESS, config_error="/etc/docker/daemon.json is not valid JSON")
    key = collect(files, commands, settings)["tls_key"][0]
    assert key["unreadable"]["exists"] == "/etc/docker/daemon.json is not valid JSON"


def test_certificates_and_keys_of_registries_are_told_apart(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    for name in ("ca.crt", "client.cert", "client.key"):
        put(f"/etc/docker/certs.d/registry.example.org:5000/{name}")
    found = collect(files, commands)
    assert len(found["registry_certificate"]) == 2
    assert found["registry_key"][0]["path"].endswith("client.key")


def test_audit_rules_are_matched_for_files_that_exist(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/usr/bin/runc")
    put("/etc/docker/x")
    put("/etc/audit/rules.d/docker.rules", "-w /etc -p wa\n")
    commands.answer("auditctl -l", "-w /usr/bin/runc -p x\n-a always,exit -F path=/etc/docker -F perm=wa\n")
    commands.answer("auditctl -s", "enabled 1\n")
    found = collect(files, commands)
    runc, directory = found["runc_program"][0], found["docker_directory"][0]
    assert (runc["audit_live"], runc["audit_persistent"]) == (True, False)
    assert (directory["audit_live"], directory["audit_persistent"]) == (False, True)


def test_closed_audit_rules_are_told_for_files_that_exist(
    files: LocalFileSystem, commands: RecordedCommands, put: Callable[..., Path]
) -> None:
    put("/etc/default/docker")
    commands.answer("auditctl", rc=4, stderr="You must be root to run this program.")
    found = collect(files, commands)
    assert "root" in found["docker_defaults"][0]["unreadable"]["audit_live"]
    assert found["docker_sysconfig"][0]["unreadable"] == {}


def test_what_may_not_be_looked_at_is_unreadable_and_not_absent(
    files: LocalFileSystem, commands: RecordedCommands, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str) -> Any:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(files, "stat", refuse)
    monkeypatch.setattr(files, "listdir", refuse)
    found = collect(files, commands)
    assert found["daemon_config"][0]["unreadable"]["exists"] == "/etc/docker/daemon.json: Permission denied"
    assert found["registry_certificate"][0]["unreadable"]["mode"].endswith("Permission denied")
