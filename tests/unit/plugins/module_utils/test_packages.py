# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.packages import install, missing
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult


class Commands:
    def __init__(self, *results: CommandResult) -> None:
        self.results = list(results)
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        self.seen.append(" ".join(argv))
        return self.results.pop(0)


def test_missing_packages_in_their_order() -> None:
    shown = "containerd installed\ndocker.io config-files\ndocker-cli installed\n"
    commands = Commands(CommandResult(1, shown, "dpkg-query: no packages found matching tini\n"))
    assert missing(["tini", "docker-cli", "docker.io"], commands) == ["tini", "docker.io"]


def test_host_without_dpkg() -> None:
    with pytest.raises(InputError, match="no dpkg: only Debian"):
        missing(["docker.io"], Commands(CommandResult(None, "", "dpkg-query is not installed")))


def test_install_refreshes_the_lists_first() -> None:
    done = CommandResult(0, "", "")
    commands = Commands(done, done)
    install(["docker.io", "docker-cli"], commands)
    assert commands.seen[0].endswith(" update")
    assert commands.seen[1].endswith(" --no-install-recommends install docker.io docker-cli")


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [("W: x\nE: Unable to locate package docker.io\n", "E: Unable to locate package docker.io Correct"), ("no", "no")],
)
def test_failure_tells_apts_reason(stderr: str, reason: str) -> None:
    with pytest.raises(BreakwaterError, match=f"apt-get failed: {reason}"):
        install(["docker.io"], Commands(CommandResult(100, "", stderr)))
