# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import STATUSES, HostReport
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def written(directory: Path, *reports: HostReport, **options: Any) -> Any:
    factory.write_reports(directory, reports, "json", **options)
    return json.loads((directory / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("number", [1, 9])
def test_a_report_is_what_the_schema_says_and_has_every_finding(tmp_path: Path, number: int) -> None:
    reports = list(factory.fleet(number))
    content = written(tmp_path, *reports)
    jsonschema.Draft202012Validator(_SCHEMA).validate(content)
    reports.sort(key=lambda report: report.host)
    assert [host["findings"] for host in content["hosts"]] == json.loads(
        json.dumps([[finding.to_dict() for finding in report.findings] for report in reports])
    )
    scores = [report.score for report in reports if report.score is not None]
    assert content["summary"] == {status: sum(report.summary[status] for report in reports) for status in STATUSES}
    assert content["score"] == sum(scores) // len(scores)


def test_a_report_with_drift_is_what_the_schema_says(tmp_path: Path) -> None:
    written(tmp_path, *factory.fleet(9))
    better = [factory.host_report(report.host, trouble=0.1) for report in factory.fleet(9)]
    content = written(tmp_path, *better, previous=tmp_path / "report.json", at="2026-11-25T00:00:00Z")
    jsonschema.Draft202012Validator(_SCHEMA).validate(content)
    drift = content["drift"]
    assert drift["previous"] == factory.AT
    assert drift["summary"] == {name: len(drift[name]) for name in ("new", "fixed", "still_failing", "undecided")}
    assert drift["fixed"]


def test_what_probes_had_proved_before_is_told(tmp_path: Path) -> None:
    factory.write_proof(tmp_path, "web")
    written(tmp_path, factory.host_report("web"), factory.host_report("db"))
    factory.write_proof(tmp_path, "web", mended=True)
    content = written(tmp_path, factory.host_report("web"), previous=tmp_path / "report.json")
    jsonschema.Draft202012Validator(_SCHEMA).validate(content)
    assert content["hosts"][0]["proof"]["threats"] == factory.proof(mended=True)["threats"]
    assert content["drift"]["threats_before"] == {"web": factory.proof()["threats"]}


def test_hostile_names_are_kept_as_they_are(tmp_path: Path) -> None:
    content = written(tmp_path, factory.hostile_report())
    assert content["hosts"][0]["host"] == factory.HOSTILE
    jsonschema.Draft202012Validator(_SCHEMA).validate(content)


def test_a_hosts_report_has_one_line(tmp_path: Path) -> None:
    written(tmp_path, *factory.fleet(3))
    lines = (tmp_path / "report.json").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith('{"host"') for line in lines) == 3
