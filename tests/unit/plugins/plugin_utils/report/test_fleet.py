# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import STATUSES, HostReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet, describe
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_FIRST, _SECOND = factory.controls(2)


def fleet_of(*reports: HostReport) -> Fleet:
    fleet = Fleet(factory.AT, "breakwater.docker 1.2.3")
    for report in reports:
        fleet.add(report.to_dict())
    fleet.finish()
    return fleet


def test_sums_are_those_of_the_model() -> None:
    reports = tuple(factory.fleet(60))
    fleet = fleet_of(*reports)
    scores = [report.score for report in reports if report.score is not None]
    assert fleet.summary == {status: sum(report.summary[status] for report in reports) for status in STATUSES}
    assert fleet.score == sum(scores) // len(scores)
    assert sum(fleet.failures.values()) == fleet.summary["fail"] + fleet.summary["error"]
    assert len(fleet.not_assessed) == 2


def test_a_control_stands_on_a_host_as_its_worst_object_does() -> None:
    statuses = ("not_applicable", "pass", "manual", "waived", "error", "fail")
    for number in range(1, len(statuses) + 1):
        found = [factory.finding(_FIRST, status, f"c{index}") for index, status in enumerate(statuses[:number])]
        fleet = fleet_of(HostReport.of("h1", found, {}))
        assert fleet.hosts[0].verdicts == {_FIRST[0]: statuses[number - 1]}


def test_objects_that_say_the_same_are_one_group() -> None:
    found = [factory.finding(_FIRST, "fail", name) for name in ("a", "b")]
    found.append(replace(found[0], object=replace(found[0].object, name="c"), evidence={"other": 1}))
    found.append(factory.finding(_FIRST, "pass", "d"))
    (host,) = fleet_of(HostReport.of("h1", found, {})).hosts
    assert [group.objects for group in host.groups] == [["a", "b"], ["c"]]


def test_the_worst_hosts_and_controls_come_first() -> None:
    good = HostReport.of("good", [factory.finding(_FIRST, "pass", "a"), factory.finding(_SECOND, "pass", "a")], {})
    bad = HostReport.of("bad", [factory.finding(_FIRST, "pass", "a"), factory.finding(_SECOND, "fail", "a")], {})
    fleet = fleet_of(good, bad, HostReport.not_assessed("gone", "It is off."))
    assert [host.name for host in fleet.hosts] == ["gone", "bad", "good"]
    assert [control.id for control in fleet.controls.values()] == [_SECOND[0], _FIRST[0]]
    assert [control.id for control in fleet.failing_controls] == [_SECOND[0]]


def test_a_waiver_is_unused_where_no_host_needs_it() -> None:
    other = replace(factory.WAIVER, control="other")
    needs = HostReport.of("h1", [factory.finding(_FIRST, "waived", "a")], {}, [other])
    does_not = HostReport.of("h2", [factory.finding(_FIRST, "pass", "a")], {}, [factory.WAIVER, other])
    assert [waiver["control"] for waiver in fleet_of(needs, does_not).unused_waivers] == ["other"]


@pytest.mark.parametrize(
    ("evidence", "text"),
    [
        (None, ""),
        ({}, ""),
        ({"mode": 420, "owner": "root", "extra": [1, None]}, "mode: 420; owner: root; extra: [1, null]"),
        (["a", True], '["a", true]'),
        (False, "false"),
        ("text", "text"),
    ],
)
def test_evidence_is_told_in_one_line(evidence: Any, text: str) -> None:
    assert describe(evidence) == text


def test_very_long_evidence_is_cut_and_says_so(tmp_path: Path) -> None:
    assert describe({"list": "x" * 5000}).endswith("(cut; report.json has all of it)")
