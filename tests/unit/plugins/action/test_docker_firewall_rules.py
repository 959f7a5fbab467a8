# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The controller's part: rules are confirmed by a connection that was made after they were loaded.

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from ansible.errors import AnsibleConnectionFailure

from ansible_collections.breakwater.docker.plugins.action import docker_firewall_rules

LOADED = {"changed": True, "pending": "token"}
SILENCE = AnsibleConnectionFailure("no route")


def run(monkeypatch: pytest.MonkeyPatch, *answers: Any, **options: Any) -> tuple[dict[str, Any], list[str]]:
    """Run the action; return its result and what it did to the host, in order."""
    deeds: list[str] = []
    clock = [0.0]
    left = list(answers)

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    def execute(module_args: dict[str, Any] | None = None, **_rest: Any) -> dict[str, Any]:
        deeds.append(f"confirm {module_args['confirm']}" if module_args else "load")
        answer = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(docker_firewall_rules, "time", mock.Mock(monotonic=lambda: clock[0], sleep=sleep))
    task = mock.Mock(args=options, check_mode=False, async_val=0, diff=False)
    connection = mock.Mock(reset=lambda: deeds.append("reset"))
    action = docker_firewall_rules.ActionModule(task, connection, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    monkeypatch.setattr(action, "_execute_module", execute)
    return action.run(task_vars={}), deeds


def test_what_needs_no_confirmation_gets_none(monkeypatch: pytest.MonkeyPatch) -> None:
    result, deeds = run(monkeypatch, {"changed": False, "pending": ""})
    assert (result["changed"], deeds) == (False, ["load"])
    result, deeds = run(monkeypatch, {"failed": True, "msg": "no"})
    assert (result["msg"], deeds) == ("no", ["load"])


def test_rules_are_confirmed_by_a_new_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    result, deeds = run(monkeypatch, LOADED, SILENCE, {"changed": True})
    assert deeds == ["load", "reset", "confirm token", "reset", "confirm token"]
    assert (result["changed"], result["pending"], result.get("failed")) == (True, "", None)


def test_rules_that_were_taken_back_fail_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    result, _deeds = run(
        monkeypatch, LOADED, *[SILENCE] * 20, {"failed": True, "msg": "taken back"}, rollback_seconds=15
    )
    assert (result["failed"], result["changed"], result["msg"]) == (True, False, "taken back")


def test_host_that_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result, deeds = run(monkeypatch, LOADED, SILENCE, rollback_seconds=15)
    assert result["failed"]
    assert "look at it by its console" in result["msg"]
    assert len(deeds) > 2 * (15 + 30)
