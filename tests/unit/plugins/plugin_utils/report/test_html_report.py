# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_VOID = {"meta", "circle", "rect", "input"}
#: Elements whose end tags HTML lets a page omit, as this one does to save its nodes.
_OPEN_ENDED = {"li", "td", "p"}


class Page(HTMLParser):
    """Collects what the tests ask for and checks that elements are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.attributes: set[str] = set()
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes |= values.keys()
        if values.get("id"):
            self.ids.append(str(values["id"]))
        if tag == "a":
            self.links.append(str(values["href"]))
        if tag not in _VOID and tag not in _OPEN_ENDED:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _OPEN_ENDED and tag not in _VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def html(directory: Path, *reports: HostReport, previous: Path | None = None) -> str:
    factory.write_reports(directory, reports, "html", "json", previous=previous)
    return (directory / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("number", [1, 9, 30])
def test_a_page_is_well_formed_and_its_links_lead_somewhere(tmp_path: Path, number: int) -> None:
    page = Page(html(tmp_path, *factory.fleet(number)))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)


def test_a_page_says_what_probes_had_proved_before(tmp_path: Path) -> None:
    factory.write_proof(tmp_path, "web")
    factory.write_reports(tmp_path, [factory.host_report("web")], "json")
    factory.write_proof(tmp_path, "web", mended=True)
    reports = [factory.host_report("web"), factory.host_report("db")]
    factory.write_reports(tmp_path, reports, "html", previous=tmp_path / "report.json")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count('<span class="was">was exposed</span>') == 1
    assert page.count('<span class="was">was 1</span>') == 1
    assert page.count('<span class="was">') == 2
    assert f"What was otherwise at {factory.AT} is said beside it." in page


def test_a_page_with_proofs_is_well_formed(tmp_path: Path) -> None:
    factory.write_proof(tmp_path, "web")
    factory.write_proof(tmp_path, "db", started=False)
    page = Page(html(tmp_path, factory.host_report("web"), factory.host_report("db")))
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert "Proof" in page.text


def test_every_host_and_control_has_a_section_with_the_fix(tmp_path: Path) -> None:
    reports = list(factory.fleet(9))
    page = Page(html(tmp_path, *reports))
    for report in reports:
        assert report.host in page.text
    for control in factory.controls(26):
        assert control[0] in page.text
    assert "docker_engine_config" in page.text
    assert "CIS 1.8 2.2" in page.text


def test_nothing_of_a_report_is_markup(tmp_path: Path) -> None:
    page = Page(html(tmp_path, factory.hostile_report()))
    assert page.tags.count("script") == 1
    assert "img" not in page.tags
    assert factory.HOSTILE in page.text
    assert not {name for name in page.attributes if name.startswith("on") or name in {"style", "src"}}


def test_the_page_asks_for_nothing_from_the_network(tmp_path: Path) -> None:
    text = html(tmp_path, *factory.fleet(3))
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=\"(?!#)", text)
    assert "url(" not in text
    assert "@import" not in text


def test_drift_is_told(tmp_path: Path) -> None:
    html(tmp_path, factory.host_report("h1", trouble=0))
    page = Page(html(tmp_path, factory.host_report("h1", trouble=0.9), previous=tmp_path / "report.json"))
    assert "Since 2026-11-24 23:00:00 UTC" in page.text
    assert "data-new" in page.attributes


def test_drift_of_a_fleet_is_summed_by_control(tmp_path: Path) -> None:
    html(tmp_path, *(factory.host_report(f"h{number}", trouble=0) for number in range(12)))
    control = factory.controls(1)[0]
    worse = [HostReport.of(f"h{number}", [factory.finding(control, "fail", "web-0")], {}) for number in range(12)]
    page = Page(html(tmp_path, *worse, previous=tmp_path / "report.json"))
    assert "Container does not run privileged: 12 findings on 12 hosts" in page.text


def test_each_host_says_when_it_was_seen_and_old_results_stand_out(tmp_path: Path) -> None:
    seen = {"old": "2026-11-20T01:02:03Z", "young": "2026-11-24T22:00:00Z"}
    page = Page(html(tmp_path, *(replace(factory.host_report(host), assessed_at=seen[host]) for host in seen)))
    assert page.text.count("2026-11-24 22:00:00 UTC") == 1
    assert page.text.count("2026-11-20 01:02:03 UTC") == 2
    assert "Old results: 1 host" in page.text


def one_line(page: Page) -> str:
    return " ".join(page.text.split())


def test_waivers_are_listed_with_what_they_cover(tmp_path: Path) -> None:
    control = factory.controls(1)[0]
    old = replace(factory.WAIVER, control=control[0], owner="old-team", expires="2026-01-31")
    told = "Not so. The waiver of old-team expired on 2026-01-31."
    expired = factory.finding(control, "fail", "web", waiver=old, message=told)
    accepted = factory.finding(control, "waived", "db", waiver=replace(old, owner="ops", expires="2027-01-31"))
    page = Page(html(tmp_path, HostReport.of("h1", [expired, accepted], {}), HostReport.of("h2", [accepted], {})))
    text = one_line(page)
    assert text.index("1 fail, it has expired on 1 host") < text.index("2 waived on 2 hosts")
    assert f"ops: {factory.WAIVER.reason}" in text
    # At the control and at the host.
    assert text.count(told) == 2


def test_what_can_not_be_decided_is_not_called_failing(tmp_path: Path) -> None:
    first, second = factory.controls(2)
    both = [factory.finding(first, status, name) for status, name in (("fail", "web"), ("error", "db"))]
    unknown = factory.finding(second, "error", "web")
    text = one_line(Page(html(tmp_path, HostReport.of("h1", [*both, unknown], {}), HostReport.of("h2", [unknown], {}))))
    assert text.count("fails on 1 host") == 1
    assert "error on 2 hosts" in text
    assert "Failures and errors by severity" in text


def test_the_mean_is_of_the_hosts_that_have_a_score(tmp_path: Path) -> None:
    absent = HostReport.of("bare", [factory.finding(factory.controls(1)[0], "not_applicable", "a")], {})
    gone = HostReport.not_assessed("gone", "It is off.")
    text = one_line(Page(html(tmp_path, factory.host_report("h1"), absent, gone)))
    assert "of 26 controls in all; mean of 1 host with a score. 1 host not assessed." in text
    assert text.count("Tried 20") == 1


def test_unused_waivers_are_told(tmp_path: Path) -> None:
    report = HostReport.of("h1", factory.host_report("h1", trouble=0).findings, {}, [factory.WAIVER])
    page = Page(html(tmp_path, report))
    assert "Unused waivers" in page.text
    assert factory.WAIVER.owner in page.text


def test_a_fleet_without_any_result_has_a_page(tmp_path: Path) -> None:
    page = Page(html(tmp_path, HostReport.not_assessed("gone", "It is off.")))
    assert "It is off." in page.text
    assert "1 host not assessed" in page.text
