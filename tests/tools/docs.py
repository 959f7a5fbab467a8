# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write every page that is made from data; a unit test tells when one is stale."""

from __future__ import annotations

from pathlib import Path

import engine_options
import probes
import readme
import reference
import role_readmes


def pages() -> dict[Path, str]:
    """Return the text of each generated page by its path."""
    return {**engine_options.pages(), **probes.pages(), **readme.pages(), **reference.pages(), **role_readmes.pages()}


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
