# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from dataclasses import replace

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import summary
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory


def lines(*reports: HostReport) -> list[str]:
    fleet = Fleet(factory.AT, "breakwater.docker 1.2.3")
    for report in reports:
        fleet.add(report.to_dict())
    fleet.finish()
    return summary.lines(fleet)


def test_a_small_fleet_is_told_host_by_host() -> None:
    found = [factory.finding(factory.controls(1)[0], status, name) for status, name in (("fail", "a"), ("manual", "b"))]
    told = lines(HostReport.of("bad", found, {}), HostReport.not_assessed("gone", "It is off."))
    assert told == [
        "Docker compliance: score   0, 2 hosts, 1 not assessed",
        "  bad  score   0  1 critical (1 manual)",
        "  Worst findings:",
        "    critical  Container does not run privileged (container_not_privileged) on 1 host",
        "  Not assessed:",
        "    gone: It is off.",
    ]


def test_a_host_without_an_engine_is_not_told_to_be_fine() -> None:
    absent = HostReport.of(
        "bare", [factory.finding(factory.controls(1)[0], "not_applicable", "a")], {"status": "absent"}
    )
    assert lines(absent)[1] == "  bare  score   -  nothing decided"


def test_a_result_of_an_earlier_day_is_told_with_its_date() -> None:
    old = replace(factory.host_report("old"), assessed_at="2026-11-23T22:59:59Z")
    told = lines(old, replace(factory.host_report("young"), assessed_at="2026-11-23T23:00:00Z"))
    assert told[told.index("  Seen more than a day before:") + 1 :] == ["    old: 2026-11-23T22:59:59Z"]


def test_a_large_fleet_stays_terse() -> None:
    told = lines(*factory.fleet(300))
    assert len(told) < 40
    assert "  and 274 more hosts with a score as good or better" in told


def test_hostile_names_do_not_drive_the_terminal() -> None:
    hostile = HostReport.not_assessed("\x1b[2J\n\u202e" + "x" * 200, "\x07")
    told = lines(hostile, factory.hostile_report())
    assert all(line.isprintable() for line in told)
