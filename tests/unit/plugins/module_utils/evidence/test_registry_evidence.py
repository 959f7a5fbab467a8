# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.evidence import registry
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import process, write
from ansible_collections.breakwater.docker.tests.unit.fakes.server import serving

ID = "c" * 64
SECRET = "planted-9f2b"
CONFIG = f"""\
version: 0.1
storage:
  s3: {{region: eu, bucket: images, accesskey: AKIA, secretkey: {SECRET}, skipverify: true}}
  delete: {{enabled: true}}
http:
  addr: :PORT
  secret: {SECRET}
  debug: {{addr: ":5001"}}
auth:
  htpasswd: {{realm: registry, path: /etc/htpasswd}}
"""
ANSWER = b"HTTP/1.0 401 Unauthorized\r\n\r\n"
Put = Callable[..., Path]


def run(
    root: Path, config: str = CONFIG, environment: str = "", port: int = 5000, address: str = "00000000", **status: str
) -> None:
    """Start a registry of the host, or with `cgroup` one of a container."""
    gid = os.getgid()
    directory = process(root, 800, "registry", **{"Gid": f"{gid}\t{gid}", **status})
    write(root, "/proc/800/cmdline", "/bin/registry\0serve\0/etc/config.yml\0")
    write(root, "/proc/800/environ", environment)
    write(root, "/proc/800/root/etc/config.yml", config.replace("PORT", str(port))).chmod(0o600)
    write(root, "/proc/800/root/etc/htpasswd", "a:b\n").chmod(0o600)
    write(root, "/proc/800/mountinfo", "22 1 8:1 / / ro - ext4 /dev/sda1 rw\n")
    row = "   {n}: {address}:{port:04X} 00000000:0000 0A 0:0 00:0 0 0 0 {inode} 1\n"
    rows = [row.format(n=n, address=address, port=each, inode=900 + n) for n, each in enumerate((port, 5001))]
    write(root, "/proc/800/net/tcp", "head\n" + "".join(rows))
    (directory / "fd").mkdir()
    for number in range(2):
        (directory / "fd" / str(number)).symlink_to(f"socket:[{900 + number}]")


def container(**changes: Any) -> dict[str, Any]:
    return {
        "Id": ID,
        "Name": "/registry",
        "Args": ["serve", "/etc/config.yml"],
        "Config": {"Labels": {}},
        "HostConfig": {"NetworkMode": "net"},
        "NetworkSettings": {"Ports": {}, "Networks": {"net": {"IPAddress": "127.0.0.1"}}},
        **changes,
    }


def collect(root: Path, *containers: dict[str, Any], driver: str = "bridge") -> dict[str, Any]:
    files = LocalFileSystem(str(root))
    [found] = registry.collect(files, scan(files), containers, [{"Name": "net", "Driver": driver}])
    return found


def test_native_registry(tmp_path: Path) -> None:
    with serving(ANSWER) as port:
        run(tmp_path, port=port, cgroup="/system.slice/docker-registry.service", address="0100007F")
        found = collect(tmp_path)
    assert found.pop("capabilities")
    assert found == {
        **{"id": "docker-registry.service", "name": "docker-registry.service", "kind": "native"},
        **{"config_file": "/etc/config.yml", "address": f":{port}", "exposed": False},
        **{"tls": False, "old_tls": False, "anonymous": False, "authentication": "htpasswd"},
        **{"http_secret": True, "debug_address": ":5001", "debug_exposed": False},
        **{"storage": "s3", "storage_weaknesses": ["skipverify: true trusts any server"]},
        **{"delete_enabled": True, "pull_through_cache": False, "garbage_collected": False, "exposed_files": []},
        **{"user_is_root": True, "no_new_privileges": False, "seccomp": "filter", "root_read_only": True},
        "unreadable": {},
    }
    assert SECRET not in json.dumps(found)
    assert {*found, "capabilities"} == {*scope_schema("registry").fields, "unreadable"}


def test_every_address_is_exposed(tmp_path: Path) -> None:
    with serving(ANSWER) as port:
        run(tmp_path, port=port)
        found = collect(tmp_path)
    assert (found["exposed"], found["debug_exposed"], found["name"]) == (True, True, "registry")


@pytest.mark.parametrize(
    ("host_address", "driver", "labels", "exposed"),
    [
        *[("0.0.0.0", "bridge", {}, True), ("127.0.0.1", "bridge", {}, False), (None, "bridge", {}, False)],
        *[(None, "macvlan", {}, True), (None, "overlay", {"com.docker.swarm.service.id": "x"}, True)],
    ],
)
def test_container_is_exposed_by_what_is_published(
    tmp_path: Path, host_address: str | None, driver: str, labels: dict[str, str], exposed: bool
) -> None:
    with serving(ANSWER) as port:
        run(tmp_path, port=port, cgroup=f"/docker/{ID}", NSpid="800\t1")
        networks = {"net": {"IPAddress": "192.0.2.2" if driver == "macvlan" else "127.0.0.1"}}
        ports = {f"{port}/tcp": [{"HostIp": host_address, "HostPort": str(port)}]} if host_address else {}
        document = container(NetworkSettings={"Ports": ports, "Networks": networks}, Config={"Labels": labels})
        found = collect(tmp_path, document, driver=driver)
    assert (found["kind"], found["name"], found["exposed"]) == ("container", "registry", exposed)
    # the debug listener's port is published nowhere, and an address of a private segment is private
    assert found["debug_exposed"] is (driver == "overlay")


def test_registry_of_another_engine_is_left_out(tmp_path: Path) -> None:
    run(tmp_path, cgroup=f"/docker/{ID}", NSpid="800\t1")
    files = LocalFileSystem(str(tmp_path))
    assert registry.collect(files, scan(files)) == []


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    variables = {
        **{"REGISTRY_HTTP_ADDR": "127.0.0.1:7000", "REGISTRY_HTTP_SECRET": "''", "REGISTRY_STORAGE": "filesystem"},
        **{"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/x", "REGISTRY_AUTH": "silly", "HOME": "/root"},
        **{"REGISTRY_AUTH_SILLY_REALM": "r", "REGISTRY_STORAGE_DELETE_ENABLED": "false"},
        "REGISTRY_PROXY_REMOTEURL": f"https://u:{SECRET}@hub.example.org",
    }
    run(tmp_path, environment="".join(f"{name}={value}\0" for name, value in variables.items()))
    found = collect(tmp_path)
    shown = ("address", "http_secret", "storage", "authentication", "delete_enabled", "pull_through_cache")
    assert [found[name] for name in shown] == ["127.0.0.1:7000", False, "filesystem", "silly", False, True]
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize(
    ("path", "mode", "exposed"),
    [
        *[("config.yml", 0o644, True), ("config.yml", 0o640, False), ("htpasswd", 0o604, True)],
        *[("htpasswd", 0o660, True), ("htpasswd", 0o400, False)],
    ],
)
def test_files_with_secrets(tmp_path: Path, path: str, mode: int, exposed: bool) -> None:
    run(tmp_path)
    (tmp_path / "proc/800/root/etc" / path).chmod(mode)
    assert collect(tmp_path)["exposed_files"] == ([f"/etc/{path}"] if exposed else [])


def test_file_of_another_group_may_not_be_read_by_it(tmp_path: Path) -> None:
    run(tmp_path, Gid="4242\t4242")
    (tmp_path / "proc/800/root/etc/config.yml").chmod(0o640)
    assert collect(tmp_path)["exposed_files"] == ["/etc/config.yml"]


def test_configuration_without_secrets_may_be_read(tmp_path: Path) -> None:
    config = "version: 0.1\nstorage: {filesystem: {rootdirectory: /x}}\nhttp: {addr: ':5000'}\n"
    run(tmp_path, config)
    (tmp_path / "proc/800/root/etc/config.yml").chmod(0o644)
    assert collect(tmp_path)["exposed_files"] == []


@pytest.mark.parametrize("config", ["a: |\n  x\n", "- a\n", "storage: [", "http: x\nstorage: {a: {}, b: {}}\n"])
def test_configuration_that_is_not_understood_decides_nothing(tmp_path: Path, config: str) -> None:
    run(tmp_path, config)
    found = collect(tmp_path)
    assert {"storage", "http_secret", "exposed", "tls", "anonymous", "exposed_files"} <= found["unreadable"].keys()


def timer(put: Put, command: str, service: str = "gc", unit: str = "") -> None:
    put("/etc/systemd/system/timers.target.wants/gc.timer", f"[Timer]\nOnCalendar=daily\n{unit}")
    put(f"/etc/systemd/system/{service}.service", f"[Service]\nExecStart={command}\n")


@pytest.mark.parametrize(
    ("arrange", "collected"),
    [
        (lambda put: timer(put, "/usr/bin/docker-registry garbage-collect /etc/c.yml"), True),
        (lambda put: timer(put, "registry garbage-collect c.yml", "other", "Unit=other.service\n"), True),
        (lambda put: timer(put, "/usr/bin/docker start --attach registry-gc"), True),
        (lambda put: timer(put, "/usr/bin/docker start --attach registry-gc-other"), False),
        (lambda put: put("/etc/systemd/system/gc.service", "ExecStart=registry garbage-collect c.yml"), False),
        (lambda put: put("/etc/cron.d/gc", "0 3 * * 0 root registry garbage-collect /etc/c.yml"), True),
        (lambda put: put("/etc/crontab", "0 3 * * 0 root docker exec r registry garbage-collect c"), True),
        (lambda put: None, False),
    ],
)
def test_garbage_is_collected(tmp_path: Path, put: Put, arrange: Callable[[Put], Any], collected: bool) -> None:
    run(tmp_path)
    arrange(put)
    gatherer = container(Id="d" * 64, Name="/registry-gc", Args=["garbage-collect", "/etc/config.yml"])
    assert collect(tmp_path, gatherer)["garbage_collected"] is collected
