# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import yaml
from ansible.errors import AnsibleActionFail
from ansible.utils.display import Display

from ansible_collections.breakwater.docker.plugins.action import docker_report
from ansible_collections.breakwater.docker.plugins.modules import docker_report as documentation
from ansible_collections.breakwater.docker.plugins.plugin_utils.ansible_run import collection, run_id
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory


def run(check: bool = False, **options: Any) -> dict[str, Any]:
    task = mock.Mock(args=options, check_mode=check, async_val=0, diff=False)
    connection = mock.Mock(_shell=mock.Mock(tmpdir=None))
    action = docker_report.ActionModule(task, connection, mock.Mock(), mock.Mock(), mock.Mock(), mock.Mock())
    return action.run(task_vars={})


@pytest.mark.parametrize("check", [False, True])
def test_reports_are_written_in_check_mode_too(tmp_path: Path, check: bool) -> None:
    names = factory.write_hosts(tmp_path, factory.fleet(9), run=run_id())
    result = run(check, report_dir=str(tmp_path), hosts=[*names, "gone"])
    assert result["changed"] is False
    assert result["hosts"] == 10
    assert set(result["not_assessed"]) == {"gone", names[7]}
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "report.html",
        "report.json",
        "report.junit.xml",
        "report.prom",
        "report.sarif",
    ]
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["collection"] == collection()
    assert (content["summary"], content["score"]) == (result["summary"], result["score"])


def test_the_summary_is_printed_with_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(Display, "display", lambda _self, line, *_more, **_options: told.append(line))
    factory.write_hosts(tmp_path, [factory.host_report("h1")])
    run(report_dir=str(tmp_path), formats=["json"])
    assert told[0].startswith("Docker compliance: score ")
    assert told[-1] == f"  json: {tmp_path}/report.json"


def test_no_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(report_dir="", hosts=["h1"])
    assert result["failed"]
    assert "report_dir is empty" in result["msg"]
    assert not list(tmp_path.iterdir())


def test_drift_is_returned(tmp_path: Path) -> None:
    factory.write_reports(tmp_path, [factory.host_report("h1", trouble=0)], "json")
    factory.write_hosts(tmp_path, [factory.host_report("h1", trouble=0.9)])
    drift = run(report_dir=str(tmp_path), previous=str(tmp_path / "report.json"))["drift"]
    assert drift["previous"] == factory.AT
    assert drift["new"] == sum(drift["new_by_severity"].values()) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hosts": []}, "No host was to be assessed"),
        ({"sources": ["nowhere"]}, "nowhere is not a report directory"),
        ({"sources": []}, "There is nothing to merge: `sources` is empty"),
        ({"previous": "nowhere.json"}, "The earlier report nowhere.json can't be read"),
        ({"fail_on_new": "low"}, "fail_on_new needs `previous`"),
    ],
)
def test_what_can_not_be_right_is_told(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    result = run(report_dir=str(tmp_path), **options)
    assert result["failed"]
    assert message in result["msg"]


@pytest.mark.parametrize("options", [{"formats": ["pdf"]}, {"hosts": ["a"], "sources": ["b"]}])
def test_wrong_options_are_refused(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(AnsibleActionFail):
        run(report_dir=str(tmp_path), **options)


def test_the_documented_options_are_those_of_the_action() -> None:
    documented = yaml.safe_load(documentation.DOCUMENTATION)["options"]
    keys = ("type", "elements", "choices", "default", "required")
    assert {name: {key: spec[key] for key in keys if key in spec} for name, spec in documented.items()} == (
        docker_report._OPTIONS
    )


@pytest.mark.parametrize(
    ("fail_on", "told"),
    [("none", ""), ("critical", "findings of severity critical or worse, on h1."), ("low", "low or worse, on h1.")],
)
def test_a_threshold_fails_the_task_after_the_reports(tmp_path: Path, fail_on: str, told: str) -> None:
    factory.write_hosts(tmp_path, [factory.host_report("h1", trouble=0.9), factory.host_report("h2", trouble=0)])
    result = run(report_dir=str(tmp_path), fail_on=fail_on)
    assert told in result.get("msg", "")
    assert bool(result.get("failed")) == bool(told)
    assert (tmp_path / "report.json").is_file()
    assert result["hosts"] == 2


def test_only_new_findings_count_for_fail_on_new(tmp_path: Path) -> None:
    before, earlier = factory.host_report("h1", trouble=0.9), tmp_path / "report.json"
    factory.write_reports(tmp_path, [before], "json")
    factory.write_hosts(tmp_path, [before])
    assert "failed" not in run(report_dir=str(tmp_path), previous=str(earlier), fail_on_new="low")
    factory.write_reports(tmp_path, [factory.host_report("h1", trouble=0)], "json")
    factory.write_hosts(tmp_path, [before])
    told = run(report_dir=str(tmp_path), previous=str(earlier), fail_on_new="low")["msg"]
    assert "new findings of severity low or worse" in told


def test_a_host_without_a_result_always_fails_the_task(tmp_path: Path) -> None:
    names = [f"gone{number:02d}" for number in range(30)]
    result = run(report_dir=str(tmp_path), hosts=names)
    assert result["failed"]
    assert "No result from gone00, " in result["msg"]
    assert "gone19 and 10 more" in result["msg"]


def test_a_host_that_was_not_assessed_fails_where_a_threshold_is_set(tmp_path: Path) -> None:
    stopped = HostReport.not_assessed("h1", "dockerd is stopped", {"status": "stopped"})
    factory.write_hosts(tmp_path, [stopped])
    assert "failed" not in run(report_dir=str(tmp_path))
    assert "Not assessed: h1" in run(report_dir=str(tmp_path), fail_on="critical")["msg"]


def test_a_host_of_which_nothing_is_known_always_fails(tmp_path: Path) -> None:
    factory.write_hosts(tmp_path, [HostReport.not_assessed("h1", "The collector failed on the host: no Python")])
    assert "No result from h1" in run(report_dir=str(tmp_path))["msg"]
