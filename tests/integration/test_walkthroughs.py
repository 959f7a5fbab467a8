# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The walk-throughs for contributors, followed line by line in a copy of the tree.

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import checkout
import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/contributing.md").read_text(encoding="utf-8")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the checkout, whose environment finds the collection in the copy."""
    tree = tmp_path / "tree"
    checkout.copy(tree)
    environment, collections = ROOT / ".venv", "collections/ansible_collections"
    (tree / ".venv" / collections / "breakwater").mkdir(parents=True)
    for path in environment.iterdir():
        if path.name != "collections":
            (tree / ".venv" / path.name).symlink_to(path)
    for path in (environment / collections).iterdir():
        if path.name != "breakwater":
            (tree / ".venv" / collections / path.name).symlink_to(path)
    (tree / ".venv" / collections / "breakwater/docker").symlink_to(tree)
    return tree


@pytest.mark.parametrize("title", ["Add a control", "Add a role"])
def test_walk_through_leads_to_its_end(copy: Path, title: str) -> None:
    section = GUIDE.partition(f"## {title}\n")[2].partition("\n## ")[0]
    steps = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(steps) > 1
    environment = {**os.environ, "PATH": f"{copy}/.venv/bin:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        ["sh", "-euc", "".join(steps)], cwd=copy, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
