# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Mapping, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import Apt, Dnf, manager_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult

POLICY = """\
docker-ce:
  Installed: 5:28.0.4-1~debian.12~bookworm
  Candidate: 5:29.1.0-1~debian.12~bookworm
  Version table:
     5:29.1.0-1~debian.12~bookworm 500
        500 https://download.docker.com/linux/debian bookworm/stable amd64 Packages
 *** 5:28.0.4-1~debian.12~bookworm 500
        500 https://download.docker.com/linux/debian bookworm/stable amd64 Packages
        100 /var/lib/dpkg/status
containerd.io:
  Installed: (none)
  Candidate: 2.1.5-1
  Version table:
     2.1.5-1 500
        500 https://download.docker.com/linux/debian bookworm/stable amd64 Packages
"""
NEW, OLD = "5:29.1.0-1~debian.12~bookworm", "5:28.0.4-1~debian.12~bookworm"
NAMES = ("docker-ce", "docker-ce-cli", "containerd.io")


class Commands:
    """Answers by words of a command, and remembers all of them."""

    def __init__(self, answers: Mapping[str, CommandResult]) -> None:
        self.answers = answers
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        line = " ".join(argv)
        self.seen.append(line)
        for words, answer in self.answers.items():
            if words in line:
                return answer
        return CommandResult(0, "", "")


def test_apt() -> None:
    commands = Commands(
        {
            "policy": CommandResult(0, POLICY, ""),
            "dpkg-query -W": CommandResult(1, f"docker-ce {OLD} installed\ntini 0.1 config-files\n", "no packages"),
            "showhold": CommandResult(0, "docker-ce\n", ""),
        }
    )
    apt = Apt(commands)
    assert apt.installed(NAMES) == {"docker-ce": OLD}
    assert apt.available(NAMES) == {"docker-ce": [NEW, OLD], "containerd.io": ["2.1.5-1"]}
    assert apt.held() == {"docker-ce"}
    apt.refresh()
    apt.install({"docker-ce": OLD, "tini": None}, change_held=True)
    apt.install({"tini": None}, change_held=False)
    apt.hold(["docker-ce"], held=False)
    assert commands.seen[-4].endswith(" update")
    assert commands.seen[-2].endswith("=--force-confold install tini")
    assert commands.seen[-3].endswith(f" --allow-change-held-packages install docker-ce={OLD} tini")
    assert commands.seen[-1] == "apt-mark unhold docker-ce"


def test_dnf() -> None:
    commands = Commands(
        {
            "rpm -q": CommandResult(1, "docker-ce 28.0.4-1.el9\npackage tini is not installed\n", ""),
            "--latest-limit=1": CommandResult(0, "docker-ce 29.1.0-1.el9\n\n", ""),
            "--showduplicates": CommandResult(0, "docker-ce 28.0.4-1.el9\n\ndocker-ce 29.1.0-1.el9\n", ""),
            "versionlock list": CommandResult(0, "docker-ce-3:28.0.4-1.el9.*\nPackage name: containerd.io\n", ""),
        }
    )
    dnf = Dnf(commands)
    assert dnf.installed(NAMES) == {"docker-ce": "28.0.4-1.el9"}
    assert dnf.available(NAMES) == {"docker-ce": ["29.1.0-1.el9", "28.0.4-1.el9"]}
    assert dnf.held() == {"docker-ce", "containerd.io"}
    dnf.refresh()
    dnf.install({"docker-ce": "28.0.4-1.el9", "tini": None}, change_held=True)
    dnf.hold(["docker-ce"], held=True)
    assert commands.seen[-3].endswith(" makecache")
    assert commands.seen[-2].endswith(" install docker-ce-28.0.4-1.el9 tini")
    assert commands.seen[-1] == "dnf -q -y versionlock add docker-ce"


def test_manager_of_a_host() -> None:
    missing = CommandResult(None, "", "not installed")
    assert isinstance(manager_of(Commands({})), Apt)
    assert isinstance(manager_of(Commands({"dpkg-query": missing})), Dnf)
    with pytest.raises(InputError, match="neither dpkg nor rpm"):
        manager_of(Commands({"dpkg-query": missing, "rpm": missing}))


def test_failure_tells_the_reason() -> None:
    apt = Apt(Commands({"update": CommandResult(100, "", "W: x\nE: no release file\n")}))
    with pytest.raises(BreakwaterError, match=r"The package manager failed: E: no release file Correct"):
        apt.refresh()


def test_package_manager_that_does_not_answer_is_not_taken_for_one_without_packages() -> None:
    apt = Apt(Commands({"policy": CommandResult(None, "", "apt-cache took too long")}))
    with pytest.raises(BreakwaterError, match=r"can't be looked up: apt-cache took too long"):
        apt.available(NAMES)
