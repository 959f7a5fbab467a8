# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""`make site`: the guides and the reference of all plugins and roles as HTML, with every link inside of it checked."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "SECURITY.md", "LICENSE")
#: Where the repository has a file for which the site has a page of the reference.
MOVED = {
    r"\((?:\.\./)?roles/(\w+)/(?:README\.md|meta/argument_specs\.yml)\)": r"(/reference/\1_role.rst)",
    r"\((?:\.\./)?plugins/modules/(\w+)\.py\)": r"(/reference/\1_module.rst)",
}
CONTENTS = """
```{{toctree}}
:hidden:
:caption: {caption}

{entries}
```
"""
SETTINGS = """\
project = "breakwater.docker"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
root_doc = "README"
html_theme = "sphinx_ansible_theme"
html_copy_source = False
html_show_sphinx = False
myst_heading_anchors = 4
pygments_style = "ansible"
# mermaid has no lexer here; labels of Ansible's own pages are elsewhere, and `make lint` checks those of the collection
suppress_warnings = ["misc.highlighting_failure", "ref.ref"]
"""


class Page(HTMLParser):
    """The links of a page, and the names in it that links can lead to."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep a tag's link and names."""
        for name, value in attrs:
            if value and (name == "id" or (tag == "a" and name == "name")):
                self.names.add(value)
            elif value and name in ("href", "src"):
                self.links.append(value)


def prepare(source: Path) -> None:
    """Write what Sphinx reads: the reference, the guides, and a table of both."""
    shutil.rmtree(source, ignore_errors=True)
    (source / "reference").mkdir(mode=0o755, parents=True)
    command = ["antsibull-docs", "collection", "--use-current", "--squash-hierarchy", "--fail-on-error"]
    subprocess.run([*command, "--dest-dir", str(source / "reference"), "breakwater.docker"], check=True)
    shutil.copytree(ROOT / "docs", source / "docs", ignore=shutil.ignore_patterns("docsite"))
    for name in PAGES:
        shutil.copy(ROOT / name, source / name)
    for page in source.rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        for repository, site in MOVED.items():
            text = re.sub(repository, site, text)
        page.write_text(text, encoding="utf-8")
    guides = "\n".join(sorted(f"docs/{path.stem}" for path in (ROOT / "docs").glob("*.md")))
    contents = CONTENTS.format(caption="Guides", entries=guides + "\nSECURITY")
    contents += CONTENTS.format(caption="Reference", entries="reference/index")
    with (source / "README.md").open("a", encoding="utf-8") as front:
        front.write(contents)
    (source / "conf.py").write_text(SETTINGS, encoding="utf-8")


def broken(site: Path) -> list[str]:
    """Return, as PAGE: LINK, each link inside of the site that leads nowhere."""
    pages = {path.resolve(): Page(path) for path in site.rglob("*.html")}
    found = []
    for path, page in pages.items():
        for link in page.links:
            address, anchor = urldefrag(link)
            if urlsplit(link).scheme or link.startswith("//"):
                continue
            target = (path.parent / unquote(urlsplit(address).path)).resolve() if address else path
            known = pages[target].names if target in pages else None
            if not target.exists() or (anchor and known is not None and unquote(anchor) not in known):
                found.append(f"{path.relative_to(site.resolve())}: {link}")
    return sorted(found)


def main(source: Path, site: Path) -> None:
    """Build the site; ends with the links that lead nowhere."""
    prepare(source)
    shutil.rmtree(site, ignore_errors=True)
    subprocess.run(["sphinx-build", "-q", "-j", "2", "-W", "--keep-going", str(source), str(site)], check=True)
    lost = broken(site)
    if lost:
        sys.exit("Links that lead nowhere:\n" + "\n".join(lost))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
