# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# An update-grub, for hosts below a directory.

from __future__ import annotations

import re
from pathlib import Path
from typing import Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.kernel.boot import GENERATED
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult
from ansible_collections.breakwater.docker.tests.unit.fakes import proc


class Grub:
    """Passes what the drop-ins say, `without` a parameter of theirs."""

    def __init__(self, root: Path, without: str = "") -> None:
        self._root, self._without = root, without
        self.asked: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        """Write GRUB's configuration."""
        self.asked.append(" ".join(argv))
        drop_ins = sorted((self._root / "etc/default/grub.d").glob("*.cfg"))
        added = " ".join(found for path in drop_ins for found in re.findall(r'LINUX (.*)"', path.read_text()))
        line = f"\tlinux\t/vmlinuz root=/dev/vda quiet {added.replace(self._without, '')}\n"
        proc.write(self._root, GENERATED, f"menuentry 'Debian' {{\n{line}}}\n")
        return CommandResult(0, "", "")
