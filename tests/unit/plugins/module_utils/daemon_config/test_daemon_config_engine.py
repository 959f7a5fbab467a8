# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config import engine
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import (
    EngineHost,
    config_file_of,
    mismatches,
    without_config_file,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import dockerd

UNIT = """\
ExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// --config-file /etc/d.json ; ignore_errors=no ; }
LoadState=loaded
ActiveState=%s
"""
INFO = {
    "ContainersRunning": 2,
    "ContainersPaused": 1,
    "LiveRestoreEnabled": True,
    "Swarm": {"LocalNodeState": "inactive"},
    "Driver": "overlay2",
    "DockerRootDir": "/var/lib/docker",
    "LoggingDriver": "json-file",
}
BRIDGE = {"Options": {"com.docker.network.bridge.enable_icc": "false"}}


def shown(command: str) -> CommandResult:
    """Return what systemd says of a unit with that command."""
    return CommandResult(
        0, f"ExecStart={{ argv[]={command} ; ignore_errors=no ; }}\nLoadState=loaded\nActiveState=active\n", ""
    )


class Commands:
    """Answers by the first words of a command, and remembers all of them."""

    def __init__(self, **answers: CommandResult) -> None:
        self.answers = answers
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        line = " ".join(argv)
        self.seen.append(line)
        for words, answer in self.answers.items():
            if words.replace("_", " ") in line:
                return answer
        return CommandResult(0, "", "")


class Api:
    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents

    def get(self, path: str) -> Any:
        if path not in self.documents:
            raise EngineError("stopped", "Nobody listens.")
        return self.documents[path]


def make(
    root: Path,
    documents: dict[str, Any] | None = None,
    active: str = "active",
    systemd: bool = True,
    **answers: CommandResult,
) -> tuple[EngineHost, Commands, list[tuple[int, int]]]:
    if systemd:
        (root / "run/systemd/system").mkdir(parents=True)
    usual = {
        "show": CommandResult(0, UNIT % active, ""),
        "version": CommandResult(0, "Docker version 26.1.5+dfsg1, build 411e817\n", ""),
    }
    commands = Commands(**{**usual, **answers})
    signals: list[tuple[int, int]] = []

    @contextlib.contextmanager
    def connect(socket: str) -> Iterator[Api]:
        assert socket == "/run/docker.sock"
        yield Api(documents or {})

    host = EngineHost(LocalFileSystem(str(root)), commands, connect, lambda pid, number: signals.append((pid, number)))
    return host, commands, signals


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_SETTLE_SECONDS", 0.01)
    monkeypatch.setattr(engine, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(engine, "_RELOAD_SECONDS", 0.01)


def test_state_of_a_running_engine(tmp_path: Path) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/if_inet6").write_text("20010db8000000000000000000000003 1c 40 00 80     eth0\n")
    web = {"Names": ["/web"], "Ports": [{"IP": "::", "PublicPort": 8080}]}
    documents = {"/info": INFO, "/networks/bridge": BRIDGE, "/containers/json": [web]}
    host, _commands, _signals = make(tmp_path, documents)
    state = host.state("/run/docker.sock", None, {})
    assert state.ipv6_clients == {"web": False}
    assert (state.running, state.version, state.containers) == (True, "26.1.5+dfsg1", 3)
    assert (state.live_restore, state.swarm_active, state.storage_driver) == (True, False, "overlay2")
    assert (state.data_root, state.network) == ("/var/lib/docker", BRIDGE["Options"])
    assert host.answers("/run/docker.sock")


@pytest.mark.parametrize(
    ("options", "version", "more"),
    [
        (["name=seccomp,profile=builtin"], "26.0.2", {"userns-remap": None}),
        (["name=userns"], "26.1.5+dfsg1", {"no-new-privileges": False}),
        (["name=userns", "name=no-new-privileges"], "29.0.0-rc.1", {"no-new-privileges": True}),
        (["name=userns"], None, {}),
        (None, "26.1.5", {}),
    ],
)
def test_what_keys_have_come_to(options: Any, version: Any, more: dict[str, Any], tmp_path: Path) -> None:
    info = {**INFO, "SecurityOptions": options, "ServerVersion": version}
    host, _commands, _signals = make(tmp_path, {"/info": info})
    told = {"live-restore": True, "log-driver": "json-file", "storage-driver": "overlay2"}
    assert host.state("/run/docker.sock", None, {}).shown == {**told, **more}


def test_active_units_that_a_restart_takes_along_are_known(tmp_path: Path) -> None:
    shown = f"{UNIT % 'active'}RequiredBy=a.service b.service\nBoundBy=c.service\nConsistsOf=docker.socket d.service\n"
    answers = {
        "show": CommandResult(0, f"{shown}RequisiteOf=\nTriggeredBy=docker.socket\n", ""),
        "is-active": CommandResult(3, "active\ninactive\nactivating\nfailed\n", ""),
    }
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    commands = Commands(**answers)
    host = EngineHost(LocalFileSystem(str(tmp_path)), commands, lambda _: contextlib.nullcontext(Api({"/info": INFO})))
    assert host.state("/run/docker.sock", None, {}).dependents == ("a.service", "c.service")
    assert "systemctl is-active -- a.service b.service c.service d.service" in commands.seen


def test_state_of_an_engine_that_tells_little(tmp_path: Path) -> None:
    host, _commands, _signals = make(tmp_path, {"/info": {}, "/networks/bridge": ["not an object"]})
    state = host.state("/run/docker.sock", None, {})
    assert (state.running, state.containers, state.live_restore, state.swarm_active) == (True, 0, False, False)
    assert (state.storage_driver, state.data_root, state.network) == (None, None, {})


def test_engine_that_is_starting_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    documents: dict[str, Any] = {}
    host, _commands, _signals = make(tmp_path, documents, active="activating")
    assert not host.answers("/run/docker.sock")
    monkeypatch.setattr(engine, "_SETTLE_SECONDS", 60)
    monkeypatch.setattr(engine.time, "sleep", lambda _seconds: documents.update({"/info": INFO}))
    state = host.state("/run/docker.sock", None, {})
    assert (state.running, state.containers) == (True, 3)


@pytest.mark.parametrize("node", ["active", "pending", "locked", "error"])
def test_swarm_in_every_shape(node: str, tmp_path: Path) -> None:
    host, _commands, _signals = make(tmp_path, {"/info": {**INFO, "Swarm": {"LocalNodeState": node}}})
    assert host.state("/run/docker.sock", None, {}).swarm_active


@pytest.mark.parametrize("active", ["failed", "inactive", "activating"])
def test_engine_that_is_down(active: str, tmp_path: Path) -> None:
    host, _commands, _signals = make(tmp_path, active=active)
    assert not host.state("/run/docker.sock", None, {}).running


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, "var/lib/docker/swarm"),
        ({"data-root": "/data"}, "data/swarm"),
        ({"data-root": "/link"}, "data/swarm"),
        ({"userns-remap": "default"}, "var/lib/docker/165536.165536/swarm"),
    ],
)
def test_engine_that_is_down_is_in_the_swarm_that_it_keeps(document: dict[str, Any], path: str, tmp_path: Path) -> None:
    host, _commands, _signals = make(tmp_path, active="inactive")
    (tmp_path / "link").symlink_to("/data")
    (tmp_path / path).mkdir(parents=True)  # all that is left by `docker swarm leave`
    assert not host.state("/run/docker.sock", None, document).swarm_active
    (tmp_path / path / "docker-state.json").write_text("{}")
    assert host.state("/run/docker.sock", None, document).swarm_active


def test_data_is_where_unit_and_file_say(tmp_path: Path) -> None:
    remapped = {**INFO, "DockerRootDir": "/data/165536.165536"}
    host, _commands, _signals = make(tmp_path, {"/info": remapped})
    (tmp_path / "link").symlink_to("/data")
    state = host.state("/run/docker.sock", None, {})
    assert state.data_root == "/data"
    roots = {"/link/": "/data", "/srv": "/srv", "": "/var/lib/docker"}
    assert {told: state.root_of({"data-root": told}) for told in roots} == roots
    host, _commands, _signals = make(tmp_path / "b", {"/info": INFO}, show=shown("/usr/sbin/dockerd --data-root /opt"))
    assert host.state("/run/docker.sock", None, {}).root_of({"data-root": "/srv"}) == "/opt"
    host, _commands, _signals = make(tmp_path / "c", {"/info": INFO}, show=shown("/usr/bin/dockerd-rootless.sh"))
    assert host.state("/run/docker.sock", None, {}).root_of({}) == ""


def test_engine_that_runs_but_does_not_answer_is_left_alone(tmp_path: Path) -> None:
    host, _commands, _signals = make(tmp_path)
    with pytest.raises(EngineError, match=r"runs but can't be asked\. Nobody listens\. Nothing was changed") as told:
        host.state("/run/docker.sock", None, {})
    assert told.value.status == "unreadable"


def test_without_an_engine_the_candidate_is_assumed(tmp_path: Path) -> None:
    commands = Commands(version=CommandResult(None, "", "dockerd is not installed"))
    host = EngineHost(LocalFileSystem(str(tmp_path)), commands, lambda _socket: contextlib.nullcontext(Api({})))
    assert host.state("/run/docker.sock", "28.0.4-1", {}).version == "28.0.4-1"
    host.validate("/tmp/x", "28.0.4-1", {})
    assert not any("--validate" in line for line in commands.seen)


def test_dockerd_judges_with_the_options_of_its_unit(tmp_path: Path) -> None:
    refused = CommandResult(1, "", "warning\nunable to configure with file /tmp/c.json: no icc\n")
    host, commands, _signals = make(tmp_path, validate=refused)
    with pytest.raises(InputError, match=r"dockerd refuses .* with file daemon.json: no icc. Nothing was changed"):
        host.validate("/tmp/c.json", "26.1.5", {})
    host.validate("/tmp/c.json", "20.10.24", {})  # has no --validate
    host.validate("/tmp/c.json", None, {})
    assert [line for line in commands.seen if "--validate" in line] == [
        "/usr/sbin/dockerd -H fd:// --config-file /tmp/c.json --validate"
    ]


def test_restart_tells_the_journals_reason(tmp_path: Path) -> None:
    journal = 'level=info msg="x"\nfailed to start daemon: opening seccomp profile failed\nlevel=info msg="y"\n'
    host, commands, _signals = make(
        tmp_path,
        systemctl_restart=CommandResult(1, "", "Job for docker.service failed.\nSee ..."),
        journalctl=CommandResult(0, journal, ""),
    )
    with pytest.raises(BreakwaterError, match=r"^failed to start daemon: opening seccomp profile failed$"):
        host.restart(5)
    assert "systemctl reset-failed docker.service" in commands.seen
    assert commands.seen.index("systemctl daemon-reload") < commands.seen.index("systemctl restart docker.service")


def test_restart_without_a_reason_in_the_journal(tmp_path: Path) -> None:
    host, _commands, _signals = make(tmp_path, systemctl_restart=CommandResult(1, "", "Job failed.\nSee ..."))
    with pytest.raises(BreakwaterError, match=r"^Job failed.$"):
        host.restart(5)


def test_start_that_hangs_is_killed(tmp_path: Path) -> None:
    hangs = CommandResult(None, "", "systemctl did not end within 5 seconds")
    host, commands, _signals = make(tmp_path, systemctl_restart=hangs)
    with pytest.raises(BreakwaterError, match="did not end within 5 seconds"):
        host.restart(5)
    assert "systemctl kill --kill-who=main --signal=KILL docker.service" in commands.seen


def test_plugin_that_does_not_answer_is_the_reason(tmp_path: Path) -> None:
    journal = (
        'level=warning msg="Unable to locate plugin: x"\nfailed to validate authorization plugin: plugin "x" not found'
    )
    host, _commands, _signals = make(tmp_path, journalctl=CommandResult(0, journal, ""))
    assert host.journal_reason(0) == 'failed to validate authorization plugin: plugin "x" not found'


def test_journal_message_of_the_logger(tmp_path: Path) -> None:
    line = 'time="x" level=fatal msg="say \\"no\\"" module=y'
    host, _commands, _signals = make(tmp_path, journalctl=CommandResult(0, line, ""))
    assert host.journal_reason(0) == 'say \\"no\\"'


def test_reload_by_systemd_or_by_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host, commands, signals = make(tmp_path / "a", {"/info": INFO})
    host.reload()
    assert "systemctl kill --kill-who=main --signal=HUP docker.service" in commands.seen

    dockerd(tmp_path / "b", "--data-root=/home/u", pid=41, Uid="1000\t1000\t1000\t1000")
    dockerd(tmp_path / "b", "--debug", pid=42)
    host, commands, signals = make(tmp_path / "b", systemd=False)
    assert not host.can_restart
    assert host.unit.arguments(False) == ["--debug"]
    host.reload()
    host.daemon_reload()
    assert signals == [(42, signal.SIGHUP)]
    assert not any(line.startswith("systemctl") for line in commands.seen)


def test_reload_that_dockerd_refuses_is_noticed(tmp_path: Path) -> None:
    told = 'level=error msg="file configuration validation failed: invalid userland-proxy-path"\n'
    host, _commands, _signals = make(tmp_path, journalctl=CommandResult(0, told, ""))
    with pytest.raises(BreakwaterError, match="did not reload it: file configuration validation failed: invalid user"):
        host.reload()


def test_waiting_ends_with_what_is_wrong(tmp_path: Path) -> None:
    host, _commands, _signals = make(tmp_path, {"/info": INFO})
    host.wait_until("/run/docker.sock", {"live-restore": True, "icc": False}, 0.01)
    with pytest.raises(BreakwaterError, match="log-driver is 'json-file', not 'local'"):
        host.wait_until("/run/docker.sock", {"log-driver": "local"}, 0.01)
    host, _commands, _signals = make(tmp_path / "silent")
    with pytest.raises(BreakwaterError, match="the engine does not answer: Nobody listens"):
        host.wait_until("/run/docker.sock", {}, 0.01)


def test_mismatches() -> None:
    assert mismatches({}, None) == ["the engine does not answer"]
    assert mismatches({"debug": True}, {"Debug": False}) == ["debug is False, not True"]
    assert mismatches({"icc": False}, {}) == []


@pytest.mark.parametrize("arguments", [["-D", "--config-file", "/x"], ["--config-file=/x", "-D"]])
def test_config_file_of(arguments: list[str]) -> None:
    assert config_file_of(arguments) == "/x"
    assert without_config_file(arguments) == ["-D"]
    assert config_file_of(["-D"]) is None
