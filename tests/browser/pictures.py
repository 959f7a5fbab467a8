# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make pictures`: the picture of the HTML report in docs, of a report on made-up hosts."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

PICTURE = Path(__file__).parents[2] / "docs/report.png"
LARGEST = 200_000


def main() -> None:
    """Write the picture; ends with a message where it is too large for a repository."""
    chromium = shutil.which("chromium")
    if not chromium:
        sys.exit("There is no Chromium on this machine; run tests/browser/install.sh.")
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        page_directory = Path(name)
        factory.write_reports(page_directory, factory.fleet(9), "html")
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        page = browser.new_page(viewport={"width": 1100, "height": 900}, color_scheme="light")
        page.goto((page_directory / "report.html").as_uri())
        page.screenshot(path=PICTURE)
        browser.close()
    if PICTURE.stat().st_size > LARGEST:
        sys.exit(f"{PICTURE} has {PICTURE.stat().st_size} bytes, more than {LARGEST}: make the page smaller.")


if __name__ == "__main__":
    main()
