# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_LINE = re.compile(r'(# (HELP|TYPE) .+|\w+(\{(\w+="(\\\\|\\"|\\n|[^"\\\n])*",?)+\})? \d+)')


def metrics(directory: Path, *reports: HostReport, previous: Path | None = None) -> list[str]:
    factory.write_reports(directory, reports, "metrics", previous=previous)
    return (directory / "report.prom").read_text(encoding="utf-8").splitlines()


def test_every_line_is_in_the_text_format(tmp_path: Path) -> None:
    lines = metrics(tmp_path, *factory.fleet(9), factory.hostile_report())
    assert [line for line in lines if not _LINE.fullmatch(line)] == []


def test_a_host_that_was_not_assessed_has_no_numbers(tmp_path: Path) -> None:
    lines = metrics(tmp_path, HostReport.not_assessed("gone", "It is off."), factory.host_report("h1"))
    assert [line for line in lines if "gone" in line] == ['breakwater_docker_compliance_assessed{host="gone"} 0']
    assert 'breakwater_docker_compliance_assessed{host="h1"} 1' in lines


def test_each_host_says_when_it_was_seen(tmp_path: Path) -> None:
    lines = metrics(tmp_path, replace(factory.host_report("h1"), assessed_at="2026-11-24T00:00:00Z"))
    assert 'breakwater_docker_compliance_assessed_timestamp_seconds{host="h1"} 1795478400' in lines


def test_drift_is_counted(tmp_path: Path) -> None:
    factory.write_reports(tmp_path, [factory.host_report("h1", trouble=0)], "json")
    worse = factory.host_report("h1", trouble=0.9)
    lines = metrics(tmp_path, worse, previous=tmp_path / "report.json")
    (new,) = [line for line in lines if 'change="new"' in line]
    assert int(new.split()[-1]) > 0
