# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding, HostReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import drift as drift_module
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.drift import Drift, Key
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_CONTROL = factory.controls(1)[0]


def host(name: str = "h1", **statuses: str) -> HostReport:
    """Make a host with one container for each keyword, judged as its value says."""
    return HostReport.of(name, [factory.finding(_CONTROL, status, box) for box, status in statuses.items()], {})


def compare(directory: Path, before: list[HostReport], now: list[HostReport]) -> Drift:
    factory.write_reports(directory, before, "json")
    drift = factory.write_reports(directory, now, "json", previous=directory / "report.json").drift
    assert drift
    return drift


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ("pass", "fail", "new"),
        ("waived", "fail", "new"),
        ("pass", "error", "new"),
        ("fail", "pass", "fixed"),
        ("error", "not_applicable", "fixed"),
        ("fail", "fail", "still_failing"),
        ("fail", "error", "still_failing"),
        ("fail", "waived", "still_failing"),
        ("fail", "manual", "undecided"),
        ("error", "manual", "undecided"),
        ("pass", "pass", None),
        ("waived", "waived", None),
        ("pass", "waived", None),
    ],
)
def test_a_change_is_of_its_kind(tmp_path: Path, before: str, now: str, kind: str | None) -> None:
    drift = compare(tmp_path, [host(web=before)], [host(web=now)])
    assert drift.summary == {name: int(name == kind) for name in ("new", "fixed", "still_failing", "undecided")}


def test_a_new_object_and_a_gone_one(tmp_path: Path) -> None:
    drift = compare(tmp_path, [host(old="fail")], [host(young="fail")])
    assert [change.key.name for change in drift.new] == ["young"]
    assert [(change.key.name, change.status) for change in drift.fixed] == [("old", None)]


def test_what_this_run_left_out_is_not_fixed(tmp_path: Path) -> None:
    other = HostReport.of("h1", [factory.finding(factory.controls(2)[1], "pass", "web")], {})
    drift = compare(tmp_path, [host(web="fail")], [other])
    assert drift.summary == {"new": 0, "fixed": 0, "still_failing": 0, "undecided": 1}
    assert [(change.key.name, change.status) for change in drift.undecided] == [("web", None)]


@pytest.mark.parametrize(
    ("scans", "kind"),
    [
        ({}, "undecided"),
        ({"web": "pass"}, "fixed"),
        ({"web": "error", "db": "pass"}, "undecided"),
        ({"db": "pass"}, "fixed"),  # the object is gone
    ],
)
def test_a_flaw_is_fixed_only_where_a_scan_no_longer_finds_it(tmp_path: Path, scans: dict[str, str], kind: str) -> None:
    def made(control: str, status: str, name: str) -> Finding:
        return factory.finding((control, *_CONTROL[1:]), status, name, source="scan")

    before = [made("CVE-2026-0001", "fail", "web"), made("scan_completed", "pass", "web")]
    now = [made("scan_completed", status, name) for name, status in scans.items()]
    drift = compare(tmp_path, [HostReport.of("h1", before, {})], [HostReport.of("h1", now, {})])
    assert [change.key.control for change in getattr(drift, kind)] == ["CVE-2026-0001"]


def test_a_new_host_is_new_and_one_that_is_unknown_now_is_not_fixed(tmp_path: Path) -> None:
    gone = HostReport.not_assessed("h2", "It is off.")
    drift = compare(tmp_path, [host("h2", web="fail"), host("h3", web="fail")], [host("h1", web="fail"), gone])
    assert [change.host for change in drift.new] == ["h1"]
    assert not drift.fixed
    assert drift.not_compared == {"h2", "h3"}


def test_new_failures_are_counted_by_severity(tmp_path: Path) -> None:
    drift = compare(tmp_path, [host(web="pass")], [host(web="fail", db="fail")])
    assert drift.new_by_severity == {"critical": 2, "high": 0, "medium": 0, "low": 0}


@pytest.mark.parametrize("chunk", [1024, 5000, 1 << 20])
@pytest.mark.parametrize("indent", [None, 2])
def test_any_layout_is_read_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int, indent: int | None
) -> None:
    reports = list(factory.fleet(5))
    factory.write_reports(tmp_path, reports, "json")
    path = tmp_path / "report.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=indent), encoding="utf-8")
    monkeypatch.setattr(drift_module, "_CHUNK", chunk)
    drift = Drift(path)
    for report in reports:
        raw = json.loads((tmp_path / "hosts" / f"{report.host}.json").read_text(encoding="utf-8"))
        assert drift.compare(raw) == frozenset()
    bad = sum(sum(report.failures.values()) for report in reports)
    assert drift.summary == {"new": 0, "fixed": 0, "still_failing": bad, "undecided": 0}


def test_the_name_of_an_object_identifies_it(tmp_path: Path) -> None:
    drift = compare(tmp_path, [host(web="fail")], [host(web="fail")])
    assert drift.still_failing[0].key == Key(_CONTROL[0], "container", "web")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"hosts": [',
        '{"schema": 2, "hosts": []}',
        '{"schema": 1, "generated_at": "x", "hosts": [{"a"',
        '{"schema": 1, "generated_at": "x", "hosts": [{"host": "a", "findings": [], "proof": {"threats": []}}]}',
        "\0",
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "report.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"is not a report.json of schema 1 .*; give the report.json"):
        Drift(path)


def test_a_missing_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"can't be read: No such file.*; leave .previous. out"):
        Drift(tmp_path / "report.json")


@pytest.mark.parametrize("task", ["web.2", "agent.0123456789abcdefghijklmno"])
def test_a_new_task_of_a_service_is_the_same_object(tmp_path: Path, task: str) -> None:
    before, now = (host(**{f"{task}.{number * 25}": "fail"}) for number in "ab")
    assert [change.key.name for change in compare(tmp_path, [before], [now]).still_failing] == [task]
