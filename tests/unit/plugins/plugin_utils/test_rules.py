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
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding, ObjectRef
from ansible_collections.breakwater.docker.plugins.plugin_utils.rules import check_policy, evaluate, self_test
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


def test_an_object_is_told_by_its_name_or_else_its_id_and_a_host_by_the_inventorys_name() -> None:
    nameless = container(name="")
    about_host = control(scope="host", expect="kernel == '6.12'", evidence=None)
    found = judged(control(), container(), nameless)
    assert [item.object for item in found] == [
        ObjectRef("container", "c" * 64, "web"),
        ObjectRef("container", "c" * 64, "c" * 64),
    ]
    [found] = judged(about_host, host={**scope_schema("host").example_object(), "kernel": "6.12"})
    assert (found.object, found.status) == (ObjectRef("host", "host1", "host1"), "pass")
    about_daemon = control(scope="daemon", expect="`true` == `true`", evidence=None)
    [found] = judged(about_daemon, daemon=scope_schema("daemon").example_object())
    assert found.object == ObjectRef("daemon", "dockerd", "dockerd")
    [found] = judged(about_daemon)
    assert (found.object, found.status) == (ObjectRef("daemon", "daemon", "daemon"), "pass")


def test_the_host_of_a_remote_engine_is_not_judged_but_its_containers_are() -> None:
    of_host, of_file = (
        control(id=name, scope=name, expect="`true` == `true`", evidence=None) for name in ("host", "file")
    )
    engine = {**scope_schema("engine").example_object(), "status": "ok", "remote": True}
    document = {"schema": 1, "engine": engine, "containers": [container(privileged=False)], "host": {}, "files": [{}]}
    report = evaluate([of_host, of_file, control()], document, check_policy({}), "host1")
    told = [
        (item.control, item.status, item.object, "Audit that host itself" in item.message) for item in report.findings
    ]
    assert told == [
        ("host", "not_applicable", ObjectRef("host", "", "none"), True),
        ("file", "not_applicable", ObjectRef("file", "", "none"), True),
        ("not_privileged", "pass", ObjectRef("container", "c" * 64, "web"), False),
    ]


def test_a_report_names_its_host_its_engine_and_why_nothing_was_judged() -> None:
    policy = check_policy({})
    odd = evaluate([control()], {"schema": 2}, policy, "host1")
    assert (odd.host, odd.reason) == ("host1", "The host's evidence is not a document of schema 1.")
    stopped = evaluate([control()], {"schema": 1, "engine": {"status": "stopped"}}, policy, "host1")
    assert (stopped.host, stopped.reason) == ("host1", "The Docker Engine could not be examined.")
    absent = evaluate([control()], {"schema": 1, "engine": {"status": "absent"}}, policy, "host1")
    assert (absent.host, absent.findings[0].object) == ("host1", ObjectRef("host", "host1", "host1"))
    assert absent.findings[0].message == "There is no Docker Engine on this host."
    engine = {**scope_schema("engine").example_object(), "status": "ok"}
    fine = evaluate([control()], {"schema": 1, "engine": engine, "containers": []}, policy, "host1")
    assert fine.host == "host1"
    assert fine.findings[0].object == ObjectRef("container", "", "none")
    assert fine.findings[0].message == "There is no container on this host to which this applies."


def test_a_failure_shows_the_owners_reason_and_a_manual_control_at_least_its_remedy() -> None:
    reasoned = container(privileged=True, reasons={"not_privileged": "it loads a driver"})
    assert judged(control(), reasoned)[0].message.endswith("The owner's reason: it loads a driver")
    [asked] = judged(control(manual=True, expect=None, rationale=""), container())
    assert (asked.status, asked.message) == ("manual", "Drop --privileged.")
    for question in (
        control(manual=True, expect=None, rationale="Who knows."),
        control(manual="privileged", rationale="Who knows."),
    ):
        [asked] = judged(question, reasoned)
        assert (asked.status, asked.message) == ("manual", "Who knows. The owner's reason: it loads a driver")


def test_examples_that_do_not_come_out_as_they_say_are_told_one_by_one() -> None:
    examples = {"pass": [{"nosuch": 1}, {"privileged": True}], "fail": [{"name": "db"}]}
    assert self_test(control(select="name != 'db'", tests=examples)) == [
        "control 'not_privileged': an example has the unknown field 'nosuch'.",
        "control 'not_privileged': the example {'privileged': True} should be pass but is fail"
        " (Not so: Container is not privileged.).",
        "control 'not_privileged': the example {'name': 'db'} should be fail but is not selected.",
    ]
