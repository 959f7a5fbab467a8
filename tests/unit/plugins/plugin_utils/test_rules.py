# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader
from ansible_collections.breakwater.docker.plugins.plugin_utils.controls import (
    CompiledControl,
    compile_control,
    parse_control,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding
from ansible_collections.breakwater.docker.plugins.plugin_utils.rules import check_policy, evaluate
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema


def control(**changes: Any) -> CompiledControl:
    raw = {
        "id": "not_privileged",
        "title": "Container is not privileged",
        "scope": "container",
        "severity": "critical",
        "profiles": ["baseline"],
        "threats": ["T1"],
        "refs": {"cis_1_8": "5.5"},
        "expect": "privileged == `false`",
        "evidence": "{privileged: privileged}",
        "remediation": {"text": "Drop --privileged."},
        "tests": {"pass": [{}], "fail": [{}]},
    }
    return compile_control(parse_control({**raw, **changes}, "test.yml"))


def container(**changes: Any) -> dict[str, Any]:
    return {**scope_schema("container").example_object(), "id": "c" * 64, "name": "web", "unreadable": {}, **changes}


def judged(compiled: CompiledControl, *containers: Any, **evidence: Any) -> list[Finding]:
    engine = {**scope_schema("engine").example_object(), "status": "ok"}
    document = {"schema": 1, "engine": engine, "containers": list(containers), **evidence}
    return list(evaluate([compiled], document, check_policy({}), "host1").findings)


def test_one_finding_for_each_object() -> None:
    found = judged(control(), container(privileged=False), container(name="bad", privileged=True))
    assert [(item.object.name, item.status) for item in found] == [("web", "pass"), ("bad", "fail")]
    assert found[1].evidence == {"privileged": True}


def test_policy_of_a_playbook_is_understood() -> None:
    class TaggedStr(str):
        __slots__ = ()

    class TaggedList(list[Any]):
        pass

    allowing = control(expect="length(difference(cap_add, policy.allowed_capabilities)) == `0`")
    policy = check_policy({"allowed_capabilities": TaggedList([TaggedStr("NET_ADMIN")])})
    engine = {**scope_schema("engine").example_object(), "status": "ok"}
    document = {"schema": 1, "engine": engine, "containers": [container(cap_add=["NET_ADMIN"])]}
    assert [item.status for item in evaluate([allowing], document, policy, "host1").findings] == ["pass"]


def test_a_control_without_objects_does_not_disappear() -> None:
    assert [item.status for item in judged(control())] == ["not_applicable"]


def test_select_takes_objects_away_and_applies_does_not() -> None:
    away = judged(control(select="name == 'db'"), container())
    beside = judged(control(applies="name == 'db'", not_applicable="Only databases."), container())
    assert (away[0].object.name, away[0].status) == ("none", "not_applicable")
    assert (beside[0].object.name, beside[0].status, beside[0].message) == ("web", "not_applicable", "Only databases.")


@pytest.mark.parametrize("value", [None, "false", 0, [], {}])
def test_a_field_of_the_wrong_type_is_an_error_and_never_a_pass(value: Any) -> None:
    found = judged(control(), container(privileged=value))
    assert found[0].status == "error"
    assert "privileged" in found[0].message


def test_a_field_that_could_not_be_read_is_an_error_with_the_reason() -> None:
    found = judged(control(), container(privileged=None, unreadable={"privileged": "permission denied"}))
    assert found[0].status == "error"
    assert "permission denied" in found[0].message


def test_a_missing_field_is_an_error() -> None:
    broken = container()
    del broken["privileged"]
    assert judged(control(), broken)[0].status == "error"


def test_a_manual_control_asks_a_person() -> None:
    found = judged(control(manual="name == 'web'", rationale="Look at it."), container(), container(name="db"))
    assert [item.status for item in found] == ["manual", "pass"]
    assert found[0].message == "Look at it."


@pytest.mark.parametrize("status", ["stopped", "unreadable", "invalid", "nonsense", None])
def test_an_engine_that_can_not_be_examined_is_never_assessed(status: Any) -> None:
    document = {"schema": 1, "engine": {"status": status, "reason": "no answer"}, "containers": [container()]}
    report = evaluate([control()], document, check_policy({}), "host1")
    assert (report.assessed, report.reason, report.findings, report.score) == (False, "no answer", (), None)


@pytest.mark.parametrize("document", [{}, {"schema": 2}, {"schema": 1}, {"schema": 1, "engine": []}])
def test_evidence_of_another_shape_is_never_assessed(document: dict[str, Any]) -> None:
    assert not evaluate([control()], document, check_policy({}), "host1").assessed


def test_a_host_without_docker_has_nothing_that_applies() -> None:
    report = evaluate([control()], {"schema": 1, "engine": {"status": "absent"}}, check_policy({}), "host1")
    assert report.assessed
    assert report.score is None
    assert {item.status for item in report.findings} == {"not_applicable"}


def test_a_registry_is_judged_on_a_host_without_docker() -> None:
    registry = {**scope_schema("registry").example_object(), "anonymous": True}
    chosen = catalogue_loader.select(catalogue_loader.builtin(), "baseline", ["registry", "daemon"])
    document = {"schema": 1, "engine": {"status": "absent"}, "registries": [registry]}
    report = evaluate(chosen, document, check_policy({}), "host1")
    assert [item.control for item in report.findings if item.status in {"fail", "error"}] == ["registry_authenticates"]
    assert {item.status for item in report.findings if item.scope == "daemon"} == {"not_applicable"}
    assert sum(item.status == "pass" for item in report.findings) > 5


@pytest.mark.parametrize("containers", [None, "x", [None, "x"], {"a": 1}])
def test_garbage_in_place_of_objects_never_passes(containers: Any) -> None:
    engine = {**scope_schema("engine").example_object(), "status": "ok"}
    report = evaluate([control()], {"schema": 1, "engine": engine, "containers": containers}, check_policy({}), "h")
    assert report.summary["pass"] == 0


def test_the_policy_is_checked() -> None:
    with pytest.raises(InputError, match="has no 'docker_group'; it knows"):
        check_policy({"docker_group": []})
    with pytest.raises(InputError, match="'docker_group_members' has to be a list"):
        check_policy({"docker_group_members": "alice"})


@pytest.mark.parametrize("broken", [None, "web", 1, {}, ["web"], [None]])
def test_evidence_that_is_no_list_of_objects_is_an_error(broken: Any) -> None:
    [found] = judged(control(), containers=broken)
    assert found.status == "error"
    assert "privileged" in found.message


@pytest.mark.parametrize("engine", [{"rootless": None}, {"rootless": True, "unreadable": {"rootless": "no answer"}}])
def test_what_the_engine_does_not_tell_decides_nothing(engine: dict[str, Any]) -> None:
    rootful = control(applies="engine.rootless == `false`", not_applicable="Only with root.")
    told = {**scope_schema("engine").example_object(), "status": "ok", **engine}
    assert [item.status for item in judged(rootful, container(), engine=told)] == ["error"]
    assert [item.status for item in judged(control(), container(privileged=False), engine=told)] == ["pass"]
