# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

Visit = Callable[..., Page]
_OPEN_ALL = "for (const item of document.querySelectorAll('details')) item.open = true"


def shown(page: Page, selector: str) -> int:
    return page.locator(f"{selector}:not([hidden])").count()


def test_the_page_is_whole(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    expect(page).to_have_title(re.compile(r"Docker compliance: 9 hosts, score \d+"))
    assert (shown(page, ".host"), shown(page, ".control")) == (9, 26)
    assert page.locator(".matrix td").count() == 9 * 26


def test_search_finds_hosts(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.fill("#query", "APP-005")
    expect(page.locator("#shown")).to_have_text(re.compile(r"\d+ of 26 controls, 1 of 9 hosts"))
    assert page.locator(".host:not([hidden]) .name").first.text_content() == "app-005.example.net"
    visible = page.locator(".matrix thead th:visible")
    assert visible.all_text_contents()[1:] == ["app-005.example.net"]


def test_search_finds_containers_and_the_controls_they_fail(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.fill("#query", "cache-0")
    expect(page.locator("#shown")).not_to_be_empty()
    page.evaluate(_OPEN_ALL)
    findings = page.locator(".findings > li:visible")
    assert findings.count() > 0
    assert all("cache-0" in text for text in findings.all_text_contents())


@pytest.mark.parametrize("query", ["CIS 5.29", "container_pids_limited", "number of processes"])
def test_search_finds_controls(visit: Visit, fleet: Path, query: str) -> None:
    page = visit(fleet)
    page.fill("#query", query)
    expect(page.locator("#shown")).to_have_text(re.compile("^1 of 26 controls"))
    assert page.locator(".control:not([hidden])").get_attribute("id") is not None
    assert page.locator(".matrix tbody tr:visible").count() == 1


def test_search_for_nothing_known_shows_nothing(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.fill("#query", "no such thing")
    expect(page.locator("#shown")).to_have_text("0 of 26 controls, 0 of 9 hosts")
    assert page.locator(".matrix:visible").count() == 0


def test_filters_combine_and_reset(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.select_option("#severity", "critical")
    page.select_option("#scope", "daemon")
    page.select_option("#status", "fail")
    expect(page.locator("#shown")).to_have_text(re.compile("^1 of 26 controls"))
    page.evaluate(_OPEN_ALL)
    titles = page.locator(".findings > li:visible a").all_text_contents()
    assert set(titles) == {"The daemon's API on TCP needs a client certificate"}
    page.click("button[type=reset]")
    expect(page.locator("#shown")).to_have_text("26 of 26 controls, 9 of 9 hosts")


def test_a_status_filter_keeps_the_hosts_that_have_it(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.select_option("#status", "waived")
    expect(page.locator("#shown")).to_have_text(re.compile("^1 of 26 controls"))
    page.evaluate(_OPEN_ALL)
    assert set(page.locator(".findings > li:visible .state").all_text_contents()) <= {"waived", "new"}


def test_new_failures_can_be_shown_alone(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.check("#new")
    expect(page.locator("#shown")).not_to_be_empty()
    page.evaluate(_OPEN_ALL)
    findings = page.locator(".findings > li:visible")
    assert findings.count() == page.locator(".findings > li[data-new]").count() > 0


def test_links_open_what_they_lead_to(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    link = page.locator("#overview .list a").first
    link.click()
    target = page.locator(str(link.get_attribute("href")))
    expect(target).to_have_attribute("open", "")
    expect(target).to_be_in_viewport()
    target.locator("summary").click()
    link.click()
    expect(target).to_have_attribute("open", "")


def test_a_link_opens_what_the_filter_hides(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.fill("#query", "no such thing")
    expect(page.locator("#shown")).to_have_text(re.compile("^0 of"))
    link = page.locator("#overview .list a").first
    link.click()
    expect(page.locator(str(link.get_attribute("href")))).to_be_visible()


def test_the_keyboard_is_enough(visit: Visit, fleet: Path) -> None:
    page = visit(fleet)
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("/")
    expect(page.locator("#query")).to_be_focused()
    page.keyboard.type("app-001")
    expect(page.locator("#shown")).to_have_text(re.compile("1 of 9 hosts"))
    summary = page.locator(".host:not([hidden]) summary")
    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".host:not([hidden])")).to_have_attribute("open", "")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_everything_can_be_read_without_javascript(visit: Visit, fleet: Path) -> None:
    page = visit(fleet, java_script_enabled=False)
    expect(page.locator("#filter")).to_be_hidden()
    host = page.locator(".host").nth(1)
    host.locator("summary").click()
    expect(host.locator(".findings > li").first).to_be_visible()
    control = page.locator(".control").first
    control.locator("summary").click()
    expect(control.locator(".place").first).to_be_visible()


def test_proof_is_a_table_of_threats_by_host(visit: Visit, proven: Path) -> None:
    page = visit(proven, java_script_enabled=False)
    page.locator("nav a", has_text="Proof").click()
    table = page.locator(".proof")
    expect(table).to_be_in_viewport()
    rows = [row.split("\t") for row in table.locator("tbody tr").all_inner_texts()]
    told = {row[-9].strip(): row[-8:] for row in rows if len(row) >= 9}
    assert told["docker run"] == ["contained", "contained", *["not testable"] * 3, "exposed", *["not testable"] * 2]
    assert told["docker_workload"][5] == "contained"
    assert told["running"][0] == "1 of 2"
    assert "In check mode no container is started" in table.inner_text()
    attempts = page.locator("#proof details").first
    attempts.locator("summary").click()
    expect(attempts.locator("tbody th").first).to_contain_text("Reach another container")
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0


def test_proof_says_what_was_otherwise_before(visit: Visit, mended: Path) -> None:
    page = visit(mended, java_script_enabled=False)
    changed = page.locator(".proof td", has_text="was")
    assert [" ".join(text.split()) for text in changed.all_inner_texts()] == ["contained was exposed", "0 of 2 was 1"]
    expect(changed.first).to_have_class("pass")


def test_hostile_names_stay_text(visit: Visit, hostile: Path) -> None:
    page = visit(hostile)
    expect(page).to_have_title(re.compile("^Docker compliance"))
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    assert page.locator(".host .name").first.text_content() == factory.HOSTILE
    page.fill("#query", "<script>")
    expect(page.locator("#shown")).to_have_text(re.compile("1 of 1 hosts"))


def test_the_policy_would_stop_a_script_that_got_in(visit: Visit, single: Path, trouble: list[str]) -> None:
    page = visit(single)
    injected = """() => {
      const stopped = [];
      document.addEventListener("securitypolicyviolation", (event) => stopped.push(event.effectiveDirective));
      const script = document.createElement("script");
      script.textContent = "document.title = 'owned'";
      document.body.append(script);
      return new Promise((done) => setTimeout(() => done(stopped), 200));
    }"""
    assert page.evaluate(injected) == ["script-src-elem"]
    assert "violates the following Content Security Policy" in trouble.pop()
    expect(page).to_have_title(re.compile("^Docker compliance"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("kind", ["fleet", "single", "proven", "mended"])
def test_axe_finds_no_barrier(visit: Visit, request: pytest.FixtureRequest, scheme: str, width: int, kind: str) -> None:
    size = {"width": width, "height": 900}
    page = visit(request.getfixturevalue(kind), color_scheme=scheme, viewport=size, bypass_csp=True)
    page.evaluate(_OPEN_ALL)
    found: Any = Axe().run(page)
    assert [(rule["id"], rule["nodes"][0]["html"]) for rule in found.response["violations"]] == []


@pytest.mark.parametrize("kind", ["fleet", "single", "hostile", "proven", "mended"])
def test_a_narrow_screen_needs_no_sideways_scrolling(visit: Visit, request: pytest.FixtureRequest, kind: str) -> None:
    page = visit(request.getfixturevalue(kind), viewport={"width": 360, "height": 800})
    page.evaluate(_OPEN_ALL)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_print_shows_what_is_folded_and_no_controls_of_the_screen(visit: Visit, fleet: Path) -> None:
    page = visit(fleet, color_scheme="dark")
    page.emulate_media(media="print")
    expect(page.locator(".host .findings > li").first).to_be_visible()
    expect(page.locator("#filter")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_paper_has_no_matrix_that_it_would_cut(visit: Visit, fleet: Path, wide: Path) -> None:
    small, large = visit(fleet), visit(wide)
    for page in (small, large):
        page.emulate_media(media="print")
    expect(small.locator("#matrix .legend")).to_be_visible()
    expect(small.locator(".on-paper")).to_have_count(0)
    expect(large.locator("#matrix .on-paper")).to_be_visible()
    expect(large.locator("#matrix .block").first).to_be_hidden()


def test_a_thousand_hosts_open_and_filter_within_seconds(visit: Visit, thousand: Path) -> None:
    started = time.monotonic()
    page = visit(thousand)
    page.screenshot()
    opened = time.monotonic() - started
    # By script: a driver that walks 800,000 elements for each step would be measured in place of the page.
    searched = page.evaluate("""async () => {
      const started = performance.now();
      document.getElementById("query").value = "site-12-web-016";
      document.getElementById("filter").dispatchEvent(new Event("change"));
      await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
      return (performance.now() - started) / 1000;
    }""")
    assert "1 of 1000 hosts" in page.evaluate("document.getElementById('shown').value")
    print(f"1,000 hosts, {thousand.stat().st_size / 1e6:.0f} MB: open {opened:.1f} s, first search {searched:.1f} s")
    # Some 3 s and 1 s on an idle machine; the limits leave room for a busy one.
    assert opened < 20
    assert searched < 10
