# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The transaction against an engine that behaves as dockerd 26.1.5 was measured to: what it stops, keeps and refuses.

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, cast

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.apply import (
    Consent,
    Transaction,
    UnitSettings,
    check_consent,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import EngineHost
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, parse, render
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import EngineState, Plan, make_plan
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.unit import Unit
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError

Document = dict[str, Any]
HARD = {"icc": False, "live-restore": True}
BROKEN = {"seccomp-profile": "/nonexistent", "live-restore": True}
HOSTS = {"hosts": ["fd://"], "live-restore": True}
TIMEOUT = 5
RELOADABLE = {"live-restore", "labels", "debug"}


class Killed(BaseException):
    """The run was killed here."""


class FakeEngine:
    """A dockerd under systemd: it reads its file when it is reloaded or started, and stops what it can't keep."""

    systemd = True
    can_restart = True

    def __init__(self, file: ConfigFile, drop_in: ConfigFile, containers: int = 2) -> None:
        self.file = file
        self.drop_in = drop_in
        self.containers = containers
        self.alive = True
        self.effective = parse(file.read() or "", "daemon.json")
        self.events: list[str] = []
        self.kill_at = 0
        self.starts_with: Callable[[Document], bool] = lambda document: "seccomp-profile" not in document
        command = ("/usr/sbin/dockerd", *(() if drop_in.read() else ("-H", "fd://")))
        self.starts = 1
        self.unit = Unit(loaded=True, active_state="active", command=command, environment={}, start="start 1")

    def event(self, name: str) -> None:
        self.events.append(name)
        if len(self.events) == self.kill_at:
            raise Killed

    def state(self) -> EngineState:
        if not self.alive:
            return EngineState(version="26.1.5")
        live = bool(self.effective.get("live-restore"))
        shown = {"live-restore": live}
        return EngineState(running=True, version="26.1.5", containers=self.containers, live_restore=live, shown=shown)

    def reload(self) -> None:
        self.event("reload")
        document = parse(self.file.read() or "", "daemon.json")
        if document.get("userland-proxy"):
            raise BreakwaterError("dockerd did not reload it: userland-proxy-path is not set")
        self.effective.update({key: value for key, value in document.items() if key in RELOADABLE})

    def daemon_reload(self) -> None:
        self.event("daemon-reload")

    def restart(self, timeout: float) -> None:
        assert timeout == TIMEOUT
        self.event("restart")
        if self.alive and not self.effective.get("live-restore"):
            self.containers = 0
        self.starts += 1
        self.unit = replace(self.unit, start=f"start {self.starts}")
        document = parse(self.file.read() or "", "daemon.json")
        self.alive = self.starts_with(document) and ("hosts" not in document or bool(self.drop_in.read()))
        if not self.alive:
            raise BreakwaterError("failed to start daemon: no")
        if not document.get("live-restore"):
            self.containers = 0
        self.effective = document
        self.event("restarted")

    def answers(self, socket: str) -> bool:
        assert socket == "/run/docker.sock"
        return self.alive

    def wait_until(self, socket: str, document: Document, timeout: float) -> None:
        assert (socket, timeout) == ("/run/docker.sock", TIMEOUT)
        if not self.alive:
            raise BreakwaterError("the engine does not answer")
        if document.get("live-restore", self.effective.get("live-restore")) != self.effective.get("live-restore"):
            raise BreakwaterError("live-restore is not what it should be")


class Host:
    """A host's files and engine, and the module's way to use them."""

    def __init__(self, root: Path, document: Document | None) -> None:
        self.file = ConfigFile(str(root / "daemon.json"))
        self.drop_in = ConfigFile(str(root / "unit.d/hosts.conf"))
        self.settings = ConfigFile(str(root / "unit.d/settings.conf"))
        if document is not None:
            self.file.write(render(document))
        self.engine = FakeEngine(self.file, self.drop_in)

    def transaction(self, config: Document, may_restart: bool = True, unit: str = "") -> Transaction:
        current = parse(self.file.read() or "", "daemon.json")
        unfinished = self.file.unfinished()
        running = current if unfinished is None else parse(unfinished, "daemon.json")
        state = self.engine.state()
        plan = make_plan(current, running, {}, config, state)
        engine = cast(EngineHost, self.engine)
        settings = UnitSettings(self.settings, self.settings.read() or "", unit)
        return Transaction(engine, self.file, self.drop_in, settings, running, state, plan, TIMEOUT, may_restart)

    def run(self, config: Document, may_restart: bool = True, unit: str = "") -> str:
        transaction = self.transaction(config, may_restart, unit)
        if transaction.plan.action != "none" or self.document != transaction.plan.document:
            transaction.apply()
        return transaction.plan.action

    @property
    def document(self) -> Document:
        return json.loads(self.file.read() or "{}")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, {"labels": ["a"]})


def test_first_hardening_keeps_the_containers(host: Host) -> None:
    assert host.run(HARD) == "restart"
    assert host.engine.containers == 2
    assert host.engine.effective == {"labels": ["a"], **HARD}
    assert host.engine.events == ["reload", "restart", "restarted"]
    assert host.run(HARD) == "none"


def test_file_that_dockerd_does_not_reload(tmp_path: Path) -> None:
    host = Host(tmp_path, {"userland-proxy": True})
    host.run(HARD)
    assert host.engine.containers == 2
    assert host.engine.effective == {"userland-proxy": True, **HARD}
    assert host.run({"labels": ["a"]}) == "restart"


def test_host_without_a_file(tmp_path: Path) -> None:
    host = Host(tmp_path, None)
    host.run(HARD)
    assert host.engine.containers == 2
    assert host.document == HARD


def test_reloadable_keys_are_reloaded(host: Host) -> None:
    assert host.run({"labels": ["b"]}) == "reload"
    assert host.engine.events == ["reload"]
    assert host.engine.effective == {"labels": ["b"]}


def test_engine_that_does_not_start_is_brought_back_with_its_containers(host: Host) -> None:
    with pytest.raises(BreakwaterError, match=r"taken back: failed to start daemon: no. .* the engine runs by"):
        host.run(BROKEN)
    assert host.document == {"labels": ["a"]}
    assert host.engine.alive
    assert host.engine.containers == 2
    assert host.file.unfinished() is None


def test_engine_that_does_not_come_back_is_said_so(host: Host) -> None:
    host.engine.starts_with = lambda _document: False
    with pytest.raises(BreakwaterError, match="as before, but the engine does not come back: failed to start"):
        host.run(HARD)
    assert host.document == {"labels": ["a"]}


def test_engine_that_does_not_take_back_its_file_is_not_given_up(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise BreakwaterError("dockerd did not reload it: no")

    monkeypatch.setattr(host.engine, "reload", refuse)
    with pytest.raises(BreakwaterError, match=r"did not reload it: no. .* is as before and the engine runs by it"):
        host.run(HARD)
    assert host.engine.alive
    assert host.engine.containers == 2


def test_reload_without_effect_never_leads_to_a_restart(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.engine, "reload", lambda: host.engine.event("reload"))
    with pytest.raises(BreakwaterError, match="live-restore is not what it should be"):
        host.run(HARD)
    assert "restart" not in host.engine.events
    assert host.engine.containers == 2
    assert host.document == {"labels": ["a"]}


def test_full_disk_changes_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_path: str, _text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(host.file, "_replace", full)
    with pytest.raises(BreakwaterError, match=r"No space left on device. .* as before and the engine runs by it"):
        host.run(HARD)
    assert host.document == {"labels": ["a"]}
    assert host.engine.containers == 2


def test_read_only_disk_changes_nothing(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(host.file, "_replace", refuse)
    monkeypatch.setattr("os.unlink", refuse)
    with pytest.raises(BreakwaterError, match=r"Read-only file system. .* as before and the engine runs by it"):
        host.run(HARD)
    assert host.document == {"labels": ["a"]}


def test_engine_that_was_down_is_not_tried_again(host: Host) -> None:
    host.engine.alive = False
    with pytest.raises(BreakwaterError, match="as before and the engine was down before as well"):
        host.run(BROKEN)
    assert host.engine.events == ["restart"]


def test_engine_that_was_down_is_started(host: Host) -> None:
    host.engine.alive = False
    host.run(HARD)
    assert host.engine.alive


def test_hosts_come_and_go_with_the_drop_in(host: Host) -> None:
    host.run(HOSTS)
    assert host.drop_in.read() is not None
    assert host.engine.containers == 2
    host.engine.unit = Unit(True, "active", ("/usr/sbin/dockerd",), {})
    assert host.run({**HOSTS, "icc": False}) == "restart"
    assert host.drop_in.read() is not None
    host.run({"hosts": None})
    assert host.drop_in.read() is None


def test_drop_in_is_taken_back_too(host: Host) -> None:
    with pytest.raises(BreakwaterError, match="taken back"):
        host.run({**BROKEN, **HOSTS})
    assert host.drop_in.read() is None
    assert host.engine.alive


@pytest.mark.parametrize("config", [HARD, HOSTS, {"labels": ["b"]}])
def test_run_after_a_killed_one_converges(config: Document, tmp_path: Path) -> None:
    for step in range(1, 12):
        host = Host(tmp_path / str(step), {"labels": ["a"]})
        host.engine.kill_at = step
        try:
            host.run(config)
        except Killed:
            pass
        else:
            break
        host.engine.kill_at = 0
        host.run(config)
        assert host.engine.effective == {"labels": ["a"], **config}, f"killed at {host.engine.events}"
        assert host.engine.containers == 2
        assert host.file.unfinished() is None
        assert host.run(config) == "none"
    assert step > 1


def test_engine_without_systemd_is_not_restarted(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.engine, "can_restart", False)
    host.transaction({"labels": ["b"]}).check()
    with pytest.raises(InputError, match=r"Changing icc, live-restore takes a restart .*nothing was changed"):
        host.transaction(HARD).check()
    host.engine.alive = False
    host.transaction(HARD).check()
    host.run(HARD)
    assert host.engine.events == []
    assert host.document["icc"] is False


def plan(action: str, document: Document) -> Plan:
    return Plan(document, action, ("icc",), (), (), (), ())


@pytest.mark.parametrize(
    ("action", "document", "containers", "consent", "sentence"),
    [
        ("data_move", {}, 0, Consent(), "allow_data_move: true"),
        ("data_move", HARD, 2, Consent(data_move=True), "allow_interruption: true"),
        ("restart", {}, 2, Consent(), "stops the 2 running containers"),
    ],
)
def test_consent_is_needed(action: str, document: Document, containers: int, consent: Consent, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_consent(plan(action, document), EngineState(running=True, containers=containers), consent)


def test_places_of_the_data_are_told() -> None:
    state = EngineState(running=True, data_root="/old")
    with pytest.raises(InputError, match=r"not be seen\. They are in /old, and it would look in /new\. Set allow"):
        check_consent(plan("data_move", {"data-root": "/new"}), state, Consent())
    with pytest.raises(InputError, match=r"not be seen\. Set allow"):
        check_consent(plan("data_move", {"userns-remap": "default"}), state, Consent())


@pytest.mark.parametrize("action", ["restart", "data_move"])
def test_units_that_would_be_restarted_too_are_named(action: str) -> None:
    state = EngineState(running=True, dependents=("a.service", "b.service"))
    with pytest.raises(InputError, match=r"restarts a\.service, b\.service too.* Nothing was changed"):
        check_consent(plan(action, HARD), state, Consent(data_move=True))
    check_consent(plan(action, HARD), state, Consent(data_move=True, interruption=True))
    check_consent(plan(action, HARD), state, Consent(data_move=True, restart=False))
    check_consent(plan("reload", HARD), state, Consent())


@pytest.mark.parametrize(
    ("action", "document", "containers", "consent"),
    [
        ("data_move", {}, 0, Consent(data_move=True)),
        ("data_move", {}, 2, Consent(data_move=True, interruption=True)),
        ("restart", {}, 0, Consent()),
        ("restart", HARD, 2, Consent()),
        ("restart", {}, 2, Consent(interruption=True)),
        ("restart", {}, 2, Consent(restart=False)),
        ("reload", {}, 2, Consent()),
    ],
)
def test_consent_is_not_asked_for_in_vain(action: str, document: Document, containers: int, consent: Consent) -> None:
    check_consent(plan(action, document), EngineState(running=True, containers=containers), consent)


def test_moving_data_stops_the_containers_in_order(host: Host) -> None:
    host.engine.effective["live-restore"] = True
    host.run({"userns-remap": "default", "live-restore": True})
    assert host.engine.events[0] == "reload"
    assert host.engine.containers == 0


def test_restart_that_is_not_allowed_is_left_to_later(host: Host) -> None:
    assert host.run({**HARD, "debug": True}, may_restart=False) == "restart"
    assert host.engine.events == ["reload"]
    assert host.engine.effective == {"labels": ["a"], "live-restore": True, "debug": True}
    assert host.document == {"labels": ["a"], "debug": True, **HARD}
    assert host.file.deferred() == "start 1"
    plan = host.transaction({**HARD, "debug": True}, may_restart=False).plan
    assert (plan.changed, plan.reloaded) == (("icc",), ())
    host.run({**HARD, "debug": True})
    assert host.engine.effective == {"labels": ["a"], "debug": True, **HARD}
    assert host.engine.containers == 2
    assert host.file.deferred() is host.file.unfinished() is None


def test_reload_before_a_later_restart_does_not_show_hosts_to_the_engine(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Document] = []
    monkeypatch.setattr(host.engine, "reload", lambda: seen.append(host.document))
    monkeypatch.setattr(host.engine, "wait_until", lambda *_arguments: None)
    host.run({**HOSTS, "debug": True}, may_restart=False)
    assert seen == [{"labels": ["a"], "live-restore": True, "debug": True}]
    assert host.drop_in.read() is not None


def test_refused_reload_takes_the_deferred_change_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.engine, "wait_until", refuse_live_restore)
    with pytest.raises(BreakwaterError, match="taken back: live-restore is not on"):
        host.run(HARD, may_restart=False)
    assert host.document == {"labels": ["a"]}
    assert host.file.deferred() is None
    assert "restart" not in host.engine.events


def refuse_live_restore(_socket: str, document: Document, _timeout: float) -> None:
    if document.get("live-restore"):
        raise BreakwaterError("live-restore is not on")


@pytest.mark.parametrize(
    "config", [{"userns-remap": "default"}, {"authorization-plugins": ["x"], "live-restore": True}]
)
def test_what_can_not_be_left_to_a_later_restart(host: Host, config: Document) -> None:
    with pytest.raises(InputError, match=r"can't be left to a later restart .*nothing was changed"):
        host.transaction(config, may_restart=False).check()
    host.transaction(config).check()
    host.engine.alive = False
    host.transaction(config, may_restart=False).check()


def test_settings_of_the_unit_come_with_the_restart_and_go_with_a_failed_one(host: Host) -> None:
    host.run(HARD, unit="[Service]\nLimitCORE=0\n")
    assert host.settings.read() == "[Service]\nLimitCORE=0\n"
    assert host.engine.events == ["reload", "daemon-reload", "restart", "restarted"]
    with pytest.raises(BreakwaterError, match="taken back"):
        host.run(BROKEN, unit="[Service]\nUMask=0777\n")
    assert host.settings.read() == "[Service]\nLimitCORE=0\n"
    assert host.engine.alive


def never_effective(key: str) -> Callable[..., None]:
    def wait_until(_socket: str, document: Document, _timeout: float) -> None:
        if key in document:
            raise BreakwaterError(f"{key} is not what it should be.")

    return wait_until


def test_reload_that_shows_no_effect_is_taken_back_by_another(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.engine, "wait_until", never_effective("debug"))
    with pytest.raises(BreakwaterError, match=r"taken back: debug is not what it should be\. /.* runs by it\.$"):
        host.run({"debug": True, "labels": ["b"]})
    assert host.engine.events == ["reload", "reload"]
    assert host.engine.effective["labels"] == ["a"]


@pytest.mark.parametrize("containers", [0, 2])
def test_restart_that_shows_no_effect_is_taken_back_by_another(
    host: Host, monkeypatch: pytest.MonkeyPatch, containers: int
) -> None:
    host.engine.containers = containers
    monkeypatch.setattr(host.engine, "wait_until", never_effective("icc"))
    with pytest.raises(BreakwaterError, match="taken back: icc is not what it should be"):
        host.run(HARD)
    assert host.engine.events.count("restart") == 2
    assert host.engine.containers == containers
    # The engine that keeps containers through its start needs live-restore for it; the next reload takes it away.
    assert host.engine.effective == {"labels": ["a"], **({"live-restore": True} if containers else {})}
    assert host.document == {"labels": ["a"]}


def test_moved_data_are_taken_back_without_live_restore(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host.engine, "wait_until", never_effective("userns-remap"))
    with pytest.raises(BreakwaterError, match="taken back"):
        host.run({"userns-remap": "default"})
    assert host.engine.effective == {"labels": ["a"]}


def test_drop_in_that_was_there_before_stays_when_a_change_is_taken_back(host: Host) -> None:
    host.run(HOSTS)
    before = host.drop_in.read()
    assert before
    with pytest.raises(BreakwaterError, match="taken back: failed to start daemon: no"):
        host.run({**HOSTS, **BROKEN})
    assert host.drop_in.read() == before
    assert host.engine.alive
    with pytest.raises(BreakwaterError, match="taken back: failed to start daemon: no"):
        host.run({**BROKEN, "hosts": None})
    assert host.drop_in.read() == before
    assert host.engine.alive
