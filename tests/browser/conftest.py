# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A real Chromium, and pages in it that notice every request, error and dialog.

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import writer
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path, "There is no Chromium on this machine; run tests/browser/install.sh."
    # Chromium refuses to sandbox itself for root, as which a container's tests run.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=arguments)
        yield started
        started.close()


@pytest.fixture
def trouble() -> Iterator[list[str]]:
    """Collect what a page asks for besides itself, and what goes wrong; at the end of a test there may be nothing."""
    seen: list[str] = []
    yield seen
    assert seen == []


@pytest.fixture
def visit(browser: Browser, trouble: list[str]) -> Iterator[Callable[..., Page]]:
    """Open a file in a context of the given options."""
    contexts = []

    def open_page(path: Path, **options: Any) -> Page:
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: request.url.startswith(path.as_uri()) or trouble.append(request.url))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on("console", lambda message: trouble.append(message.text))
        page.on("dialog", lambda dialog: (trouble.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of nine hosts of which one was not assessed, with a drift since a better day."""
    directory = tmp_path_factory.mktemp("fleet")
    before = [
        factory.host_report(report.host, seed=index, trouble=0.2) for index, report in enumerate(factory.fleet(9))
    ]
    factory.write_reports(directory, before, "json", at="2026-11-23T23:00:00Z")
    factory.write_reports(directory, factory.fleet(9), "html", previous=directory / "report.json")
    return directory / "report.html"


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of so many hosts that the matrix has a row for each, and a column for each of many controls."""
    directory = tmp_path_factory.mktemp("wide")
    factory.write_reports(directory, factory.fleet(20, containers=1, number=60), "html")
    return directory / "report.html"


@pytest.fixture(scope="session")
def single(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _page(tmp_path_factory.mktemp("single"), factory.host_report("h1.example.net"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _page(tmp_path_factory.mktemp("hostile"), factory.hostile_report())


@pytest.fixture(scope="session")
def proven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of two hosts, one with what probes proved and one on which none were run."""
    directory = tmp_path_factory.mktemp("proven")
    for host, kind in (("h1.example.net", {"text": factory.HOSTILE}), ("h2.example.net", {"started": False})):
        factory.write_proof(directory, host, **kind)
    factory.write_reports(
        directory, [factory.host_report(name) for name in ("h1.example.net", "h2.example.net")], "html"
    )
    return directory / "report.html"


@pytest.fixture(scope="session")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of a host on which probes prove more than they did by the report before."""
    directory = tmp_path_factory.mktemp("mended")
    host = [factory.host_report("h1.example.net")]
    factory.write_proof(directory, "h1.example.net")
    factory.write_reports(directory, host, "json")
    factory.write_proof(directory, "h1.example.net", mended=True)
    factory.write_reports(directory, host, "html", previous=directory / "report.json")
    return directory / "report.html"


@pytest.fixture(scope="session")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the page of 1,000 hosts with 20 containers and 130 controls: 1.4 million findings.

    Fifty hosts are made and each stands for twenty, since making them takes longer than reporting on them.
    """
    directory = tmp_path_factory.mktemp("thousand")
    made = list(factory.documents(factory.fleet(50, containers=20, number=130)))
    documents = (
        replace(document, report={**document.report, "host": f"site-{site:02}-{document.report['host']}"})
        for site in range(20)
        for document in made
    )
    writer.write(directory, ["html"], documents, Fleet(factory.AT, "breakwater.docker 1.2.3"))
    return directory / "report.html"


def _page(directory: Path, report: HostReport) -> Path:
    factory.write_reports(directory, [report], "html")
    return directory / "report.html"
