# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import tls_listener
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import EngineState
from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import DaemonProcess
from ansible_collections.breakwater.docker.plugins.module_utils.tls_listener import Endpoint, Plan
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import write

CERTIFICATES = tls_listener.certificate_paths("/etc/docker/tls")
TLS = {"tlsverify": True, **dict(zip(("tlscacert", "tlscert", "tlskey"), CERTIFICATES))}
ENDPOINT = Endpoint("", 2376)


class Systemd:
    """Says how many seconds ago dockerd was started."""

    def __init__(self, seconds_ago: float) -> None:
        self.started = int((time.monotonic() - seconds_ago) * 1e6)

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        return CommandResult(0, f"ExecMainStartTimestampMonotonic={self.started}\n", "")


class Host:
    def __init__(self, can_restart: bool = True) -> None:
        self.can_restart = can_restart


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host whose units are as they are to be, and whose certificates were installed 100 seconds ago."""
    for path, text in {**ENDPOINT.units(), **dict.fromkeys(CERTIFICATES, "pem")}.items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (time.time() - 100, time.time() - 100))
    write(tmp_path, "/etc/docker/daemon.json", json.dumps(TLS))
    (tmp_path / "proc/1/fd").mkdir(parents=True)
    (tmp_path / "proc/1/fd/3").symlink_to("socket:[4242]")
    listen(tmp_path, "0" * 32, 2376)
    return tmp_path


def listen(root: Path, address: str, port: int) -> None:
    """Have dockerd listen there; the address as the kernel shows it."""
    row = f"0: {address}:{port:04X} {'0' * len(address)}:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4242 1\n"
    write(root, "/proc/1/net/tcp6" if len(address) == 32 else "/proc/1/net/tcp", f"header\n{row}")


def plan(
    monkeypatch: pytest.MonkeyPatch, root: Path, started: float, endpoint: Endpoint = ENDPOINT, **values: Any
) -> Plan:
    process = DaemonProcess(1, 0, ("dockerd",), {}, 0.0)
    settings = DaemonSettings(process=process, values=values)
    monkeypatch.setattr(tls_listener, "read_settings", lambda *_arguments: settings)
    files = LocalFileSystem(str(root))
    return tls_listener.make_plan(files, Systemd(started), endpoint, CERTIFICATES, replaced=False)


def test_nothing_to_do(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    made = plan(monkeypatch, root, started=50, **TLS)
    assert (made.reasons, made.changed_units, made.opened) == ([], [], True)


def test_restart_keeps_containers_by_what_dockerd_will_be_started_with(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    assert plan(monkeypatch, root, started=200, **TLS, **{"live-restore": True}).live_restore
    assert not plan(monkeypatch, root, started=200, **TLS).live_restore


@pytest.mark.parametrize(
    ("endpoint", "address", "port", "reasons"),
    [
        (ENDPOINT, "0" * 32, 2376, []),
        (ENDPOINT, "0" * 32, 2377, ["its port is closed"]),
        (ENDPOINT, "010200C0", 2376, ["its port is closed"]),
        (ENDPOINT, "00000000", 2376, []),
        (Endpoint("192.0.2.1", 2376), "010200C0", 2376, []),
        (Endpoint("192.0.2.1", 2376), "00000000", 2376, ["its port is closed"]),
        (Endpoint("2001:DB8::1", 2376), "B80D0120000000000000000001000000", 2376, []),
    ],
)
def test_closed_port_takes_a_restart(
    monkeypatch: pytest.MonkeyPatch, root: Path, endpoint: Endpoint, address: str, port: int, reasons: list[str]
) -> None:
    for path, text in endpoint.units().items():
        write(root, path, text)
    (root / "proc/1/net/tcp6").unlink()
    listen(root, address, port)
    made = plan(monkeypatch, root, started=50, endpoint=endpoint, **TLS)
    assert (made.reasons, made.changed_units) == (reasons, [])


def test_port_that_the_drop_in_closes_is_not_expected(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    listen(root, "0" * 32, 2377)
    for document in ({}, {**TLS, "hosts": ["tcp://127.0.0.1:2378"]}):
        write(root, "/etc/docker/daemon.json", json.dumps(document))
        made = plan(monkeypatch, root, started=50, **TLS)
        assert (made.reasons, made.opened) == ([], False)


def test_newer_certificates_take_a_restart(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    assert plan(monkeypatch, root, started=200, **TLS).reasons == ["its certificates are newer than itself"]


@pytest.mark.parametrize("values", [{}, {**TLS, "tlsverify": False}, {**TLS, "tlscert": "/elsewhere.pem"}])
def test_engine_that_does_not_use_the_certificates_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, root: Path, values: dict[str, Any]
) -> None:
    made = plan(monkeypatch, root, started=200, endpoint=Endpoint("192.0.2.1", 2376), **values)
    assert (made.reasons, made.changed_units) == ([], [tls_listener.SOCKET_FILE])


def test_port_that_the_engine_opens_itself_is_not_expected(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    hosts = ["unix:///run/docker.sock", "tcp://0.0.0.0:2376"]
    made = plan(monkeypatch, root, started=50, endpoint=Endpoint("", 2377), hosts=hosts, **TLS)
    assert (made.reasons, made.opened) == ([], False)


def test_other_port_takes_a_restart(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    made = plan(monkeypatch, root, started=50, endpoint=Endpoint("", 2377), **TLS)
    assert made.reasons == ["its port is opened by systemd from now on"]


@pytest.mark.parametrize(
    ("endpoint", "stream"),
    [(ENDPOINT, "2376"), (Endpoint("192.0.2.1", 2376), "192.0.2.1:2376"), (Endpoint("::1", 9), "[::1]:9")],
)
def test_addresses(endpoint: Endpoint, stream: str) -> None:
    assert f"\nListenStream={stream}\n" in endpoint.units()[tls_listener.SOCKET_FILE]
    with pytest.raises(InputError, match=r"'docker\.example\.org' does not appear to be an IPv4 or IPv6 address"):
        Endpoint("docker.example.org", 2376)


def test_restart_that_would_stop_containers_is_refused() -> None:
    restart = Plan({}, {}, ["its certificates are newer than itself"])
    running = EngineState(running=True, containers=2)
    with pytest.raises(InputError, match="would stop its 2 running containers: turn live-restore on"):
        tls_listener.check(restart, Host(), running, {}, allow_interruption=False)
    tls_listener.check(restart, Host(), running, {}, allow_interruption=True)
    kept = EngineState(running=True, containers=2, live_restore=True)
    with pytest.raises(InputError, match="would stop its 2 running containers"):
        tls_listener.check(restart, Host(), kept, {}, allow_interruption=False)
    restart = replace(restart, live_restore=True)
    with pytest.raises(InputError, match="would stop its 2 running containers"):
        tls_listener.check(restart, Host(), running, {}, allow_interruption=False)
    swarm = replace(kept, swarm_active=True)
    with pytest.raises(InputError, match="in a swarm it does not start with live-restore: set it to false"):
        tls_listener.check(restart, Host(), swarm, {}, allow_interruption=True)
    tls_listener.check(restart, Host(), kept, {}, allow_interruption=False)
    required = EngineState(running=True, dependents=("a.service", "b.service"))
    with pytest.raises(InputError, match=r"systemd then restarts a\.service, b\.service too"):
        tls_listener.check(restart, Host(), required, {}, allow_interruption=False)
    tls_listener.check(restart, Host(), required, {}, allow_interruption=True)
    moved = replace(kept, data_root="/var/lib/docker")
    with pytest.raises(InputError, match=r"daemon\.json has data-root with which it does not run yet.*left as it is"):
        tls_listener.check(restart, Host(), moved, {"data-root": "/srv"}, allow_interruption=True)
    tls_listener.check(restart, Host(), moved, {"data-root": "/var/lib/docker"}, allow_interruption=False)
    with pytest.raises(InputError, match="systemd does not manage it"):
        tls_listener.check(restart, Host(can_restart=False), kept, {}, allow_interruption=False)
    tls_listener.check(Plan({}, {}), Host(can_restart=False), running, {}, allow_interruption=False)
