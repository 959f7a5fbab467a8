# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import (
    DaemonSettings,
    parse_flags,
    read_settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import dockerd, write

SOCKET = "/var/run/docker.sock"


def settings(root: Path, socket: str = SOCKET) -> DaemonSettings:
    files = LocalFileSystem(str(root))
    return read_settings(files, scan(files), socket)


def config(root: Path, document: Any, path: str = "/etc/docker/daemon.json") -> Path:
    return write(root, path, document if isinstance(document, str) else json.dumps(document))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--icc=false"], {"icc": False}),
        (["--icc"], {"icc": True}),
        (["--iptables", "--log-level", "warn"], {"iptables": True, "log-level": "warn"}),
        (["-H", "fd://", "-Htcp://0.0.0.0:2375"], {"hosts": ["fd://", "tcp://0.0.0.0:2375"]}),
        (["-H=unix:///x", "--host", "tcp://h:1"], {"hosts": ["unix:///x", "tcp://h:1"]}),
        (["-D", "-l", "debug"], {"debug": True, "log-level": "debug"}),
        (["-D=false"], {"debug": False}),
        (["--log-opt", "max-size=10m", "--log-opt=tag=a=b"], {"log-opts": {"max-size": "10m", "tag": "a=b"}}),
        (["--insecure-registry=r:5000"], {"insecure-registries": ["r:5000"]}),
        (["--userns-remap"], {"userns-remap": ""}),
        (["--unknown", "value", "stray"], {"unknown": "value"}),
        (["--rootless", "--experimental"], {"rootless": True, "experimental": True}),
    ],
)
def test_flags_are_keys_of_the_file(arguments: list[str], expected: dict[str, Any]) -> None:
    assert parse_flags(arguments) == expected


def test_flag_beats_file_beats_environment(tmp_path: Path) -> None:
    dockerd(tmp_path, "--log-level=warn", environment="HTTP_PROXY=http://env\0https_proxy=http://lower")
    config(tmp_path, {"log-level": "debug", "icc": False, "proxies": {"http-proxy": "http://file"}})
    found = settings(tmp_path)
    assert found.get("log-level", "info") == "warn"
    assert found.get("icc", True) is False
    assert found.get("http-proxy", "") == "http://file"
    assert found.get("https-proxy", "") == "http://lower"
    assert found.get("iptables", True) is True
    assert found.clashes == ("log-level",)
    expected = {"log-level": "flag", "icc": "file", "http-proxy": "file", "https-proxy": "environment"}
    assert found.sources == expected


def test_another_file_may_be_named(tmp_path: Path) -> None:
    dockerd(tmp_path, "--config-file", "/srv/d.json")
    config(tmp_path, {"icc": True})
    changed = config(tmp_path, {"icc": False}, "/srv/d.json")
    os.utime(changed, (5, 5))
    found = settings(tmp_path)
    assert (found.config_path, found.config_changed, found.get("icc", True)) == ("/srv/d.json", 5, False)


class _Watched(LocalFileSystem):
    """A file system that keeps what was read."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.read: list[str] = []

    def read_text(self, path: str, limit: int = 1 << 20) -> str:
        self.read.append(path)
        return super().read_text(path, limit)


def test_file_of_a_dockerd_that_cannot_serve_the_socket_is_not_read(tmp_path: Path) -> None:
    write(tmp_path, "/run/docker.sock", "")
    dockerd(tmp_path, "--config-file=/home/mallory/x", pid=600, Uid=f"{os.getuid() + 1}\t0\t0\t0")
    config(tmp_path, {}, "/home/mallory/x")
    files = _Watched(str(tmp_path))
    assert read_settings(files, scan(files), "/run/docker.sock").process is None
    assert "/home/mallory/x" not in files.read


def test_dockerd_of_a_user_is_not_what_served_a_socket_that_is_gone(tmp_path: Path) -> None:
    dockerd(tmp_path, "-H", f"unix://{SOCKET}", Uid=f"{os.geteuid() + 1}\t0\t0\t0")
    assert settings(tmp_path).process is None


@pytest.mark.parametrize("text", ['{"icc": ', "[]", "null", "[" * 100_000])
def test_broken_file_makes_its_settings_unknown(tmp_path: Path, text: str) -> None:
    dockerd(tmp_path, "--icc=false")
    config(tmp_path, text)
    found = settings(tmp_path)
    assert found.get("icc", True) is False
    with pytest.raises(UnreadableError, match=r"daemon\.json"):
        found.get("iptables", True)


def test_wrong_type_in_the_file_is_unknown(tmp_path: Path) -> None:
    dockerd(tmp_path)
    config(tmp_path, {"icc": "false", "hosts": "tcp://x"})
    with pytest.raises(UnreadableError, match="wrong type"):
        settings(tmp_path).get("icc", True)


def test_empty_and_missing_files_are_defaults(tmp_path: Path) -> None:
    dockerd(tmp_path)
    assert settings(tmp_path).config_changed is None
    config(tmp_path, " \n")
    found = settings(tmp_path)
    assert found.config_error == ""
    assert found.config_changed is not None


def test_daemon_is_found_by_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # whose socket one is that is not there
    dockerd(tmp_path, pid=10)
    environment = "XDG_RUNTIME_DIR=/run/user/1000\0HOME=/home/deploy\0"
    dockerd(tmp_path, pid=11, environment=environment, Uid="1000\t1000\t1000\t1000")
    dockerd(tmp_path, "-H", "unix:///srv/other.sock", pid=12)
    found = {
        path: settings(tmp_path, path) for path in ("/run/docker.sock", "/run/user/1000/docker.sock", "/srv/other.sock")
    }
    assert [one.process.pid for one in found.values() if one.process] == [10, 11, 12]
    assert found["/run/user/1000/docker.sock"].config_path == "/home/deploy/.config/docker/daemon.json"
    unknown = settings(tmp_path, "/somewhere/else.sock")
    assert unknown.process is None
    with pytest.raises(UnreadableError, match="no dockerd"):
        unknown.get("icc", True)


def test_only_daemon_serves_a_socket_of_systemd(tmp_path: Path) -> None:
    dockerd(tmp_path, "-H", "fd://")
    found = settings(tmp_path, "/srv/docker.sock")
    assert found.process is not None


def test_tls_files_have_defaults(tmp_path: Path) -> None:
    dockerd(tmp_path, "--tlsverify", "--tlscert=/tls/server.pem", environment="HOME=/root\0")
    expected = {"tlscacert": "/root/.docker/ca.pem", "tlscert": "/tls/server.pem", "tlskey": "/root/.docker/key.pem"}
    assert settings(tmp_path).tls_files() == expected


@pytest.mark.parametrize(
    ("document", "used"),
    [
        ({}, False),
        ({"tls": False}, False),
        ({"tlscert": "/c"}, False),
        ({"tls": True}, True),
        ({"tlsverify": True}, True),
        ({"tlsverify": False}, True),
    ],
)
def test_tls_is_used_where_the_daemon_uses_it(tmp_path: Path, document: dict[str, Any], used: bool) -> None:
    dockerd(tmp_path)
    config(tmp_path, document)
    assert (settings(tmp_path).tls_files() != {}) is used
