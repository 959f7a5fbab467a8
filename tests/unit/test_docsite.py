# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# That the check of the site's links finds what leads nowhere, and only that.

from __future__ import annotations

from pathlib import Path

import docsite


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/a b.html").write_text('<h1 id="top">A</h1><a href="../index.html#here"></a><a href="#no"></a>')
    (tmp_path / "index.html").write_text(
        '<h1 id="here">I</h1><a href="docs/a%20b.html#top"></a><a href="docs/a%20b.html#nowhere"></a>'
        '<img src="gone.png"><a href="https://example.org/x"></a><a href="mailto:a@example.org"></a>'
    )
    assert docsite.broken(tmp_path) == [
        "docs/a b.html: #no",
        "index.html: docs/a%20b.html#nowhere",
        "index.html: gone.png",
    ]
