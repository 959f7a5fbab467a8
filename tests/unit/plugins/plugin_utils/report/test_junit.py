# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_CONTROL = factory.controls(1)[0]


def suites(directory: Path, *reports: HostReport) -> list[ElementTree.Element]:
    factory.write_reports(directory, reports, "junit")
    return list(ElementTree.parse(directory / "report.junit.xml").getroot())


def test_counts_of_a_suite_are_those_of_its_cases(tmp_path: Path) -> None:
    reports = list(factory.fleet(9))
    for suite in suites(tmp_path, *reports):
        for attribute, element in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(suite.attrib[attribute]) == len(suite.findall(f"testcase/{element}"))
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))


@pytest.mark.parametrize(
    ("status", "element"),
    [
        ("fail", "failure"),
        ("error", "error"),
        ("waived", "skipped"),
        ("manual", "skipped"),
        ("not_applicable", "skipped"),
        ("pass", None),
    ],
)
def test_a_status_has_its_element(tmp_path: Path, status: str, element: str | None) -> None:
    report = HostReport.of("h1", [factory.finding(_CONTROL, status, "web")], {})
    (case,) = suites(tmp_path, report)[0]
    assert case.attrib["name"] == "container_not_privileged [web]"
    assert [child.tag for child in case] == ([element] if element else [])


def test_a_failure_says_how_to_fix_it(tmp_path: Path) -> None:
    icc = next(control for control in factory.controls(20) if control[0] == "daemon_icc_disabled")
    (case,) = suites(tmp_path, HostReport.of("h1", [factory.finding(icc, "fail", "daemon")], {}))[0]
    assert "Variable: docker_engine_config (role docker_engine)" in str(case[0].text)


def test_a_host_that_was_not_assessed_is_an_error(tmp_path: Path) -> None:
    (suite,) = suites(tmp_path, HostReport.not_assessed("gone", "It is off."))
    assert suite.attrib["errors"] == "1"
    assert suite[0][0].attrib["message"] == "Not assessed: It is off."


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    (suite,) = suites(tmp_path, factory.hostile_report())
    assert suite.attrib["name"] == factory.HOSTILE
    assert not list(suite.iter("script"))


def test_objects_of_one_name_are_cases_of_their_own(tmp_path: Path) -> None:
    network = ("network_icc_disabled", "Containers on a bridge can't reach each other", "network", "high", "2.2", "T6")
    both = [factory.finding(network, status, "web", identity) for status, identity in (("pass", "01"), ("fail", "02"))]
    (suite,) = suites(tmp_path, HostReport.of("h1", both, {}))
    assert [case.attrib["name"] for case in suite] == ["network_icc_disabled [web]", "network_icc_disabled [web] (2)"]
