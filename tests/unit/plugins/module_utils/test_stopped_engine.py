# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Nobody connects to the socket of an engine that the connection would start; tests/integration has it with systemd.

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import stopped_engine
from ansible_collections.breakwater.docker.plugins.module_utils.collector import collect
from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.surroundings import read_engine
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import (
    StoppedEngineError,
    is_stopped,
    refuse_to_start,
)
from ansible_collections.breakwater.docker.plugins.module_utils.workload.run import bring_about
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import read
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd
from ansible_collections.breakwater.docker.tests.unit.fakes.workloads import options

SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a systemd that tells the states in a file; at first the engine is stopped and its socket is not."""
    states = tmp_path / "states"
    states.write_text("inactive\nactive\n")
    (tmp_path / "bin").mkdir()
    systemctl = tmp_path / "bin/systemctl"
    systemctl.write_text(f'#!/bin/sh\n[ "$*" = "is-active docker.service docker.socket" ] && cat {states}\nexit 3\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(stopped_engine, "_SYSTEMD", str(tmp_path))
    return states


@pytest.mark.parametrize("path", SOCKETS)
def test_stopped_engine_is_not_started(units: Path, path: str) -> None:
    for states in ("inactive\nactive\n", "failed\nactive\n"):
        units.write_text(states)
        with pytest.raises(StoppedEngineError, match="would start it"):
            EngineApi(path).get("/info")
        assert is_stopped()


@pytest.mark.parametrize("states", ["active\nactive\n", "activating\nactive\n", "inactive\ninactive\n", ""])
def test_connection_that_starts_nothing_is_made(units: Path, states: str) -> None:
    units.write_text(states)
    for path in SOCKETS:
        refuse_to_start(path)
    assert not is_stopped()


def test_other_engines_are_asked(units: Path, tmp_path: Path) -> None:
    with FakeDockerd(tmp_path / "s", {"/info": {}}) as engine, EngineApi(engine.path) as api:
        assert api.get("/info") == {}


def test_host_without_systemd_has_nothing_that_starts(units: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopped_engine, "_SYSTEMD", "/nothing")
    refuse_to_start(SOCKETS[0])


def test_command_line_does_not_start_it_either(units: Path) -> None:
    commands = RecordedCommands()
    docker = Docker(commands)
    for call in (docker.call, docker.succeeds):
        with pytest.raises(StoppedEngineError):
            call("run", "image")
    assert docker.version() is None
    assert commands.asked == []


def test_audit_says_that_it_is_stopped(units: Path, tmp_path: Path) -> None:
    evidence = collect(EngineApi(SOCKETS[1]), LocalFileSystem(str(tmp_path)), RecordedCommands(), SOCKETS[1])
    assert evidence["engine"]["status"] == "stopped"


def test_what_is_there_is_not_taken_for_a_new_engine(units: Path) -> None:
    for reading in (read_engine, lambda api: read(api, [])):
        with pytest.raises(StoppedEngineError):
            reading(EngineApi(SOCKETS[0]))


def test_workload_is_predicted_with_a_warning_and_not_brought_about(units: Path) -> None:
    predicted = bring_about({**options({})}, EngineApi(SOCKETS[0]), check_mode=True)
    assert predicted["created"] == ["web"]
    [warning] = predicted["warnings"]
    assert "docker.service is stopped" in warning
    with pytest.raises(StoppedEngineError):
        bring_about(options({}), EngineApi(SOCKETS[0]), check_mode=False)
