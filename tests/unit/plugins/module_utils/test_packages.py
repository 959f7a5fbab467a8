# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import Apt
from ansible_collections.breakwater.docker.plugins.module_utils.packages import (
    Removal,
    install,
    missing,
    superfluous,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult


class Commands:
    def __init__(self, *results: CommandResult) -> None:
        self.results = list(results)
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        self.seen.append(" ".join(argv))
        return self.results.pop(0)


def test_missing_packages_in_their_order() -> None:
    shown = "containerd 1.7 installed\ndocker.io 26.1 config-files\ndocker-cli 26.1 installed\n"
    commands = Commands(CommandResult(1, shown, "dpkg-query: no packages found matching tini\n"))
    assert missing(["tini", "docker-cli", "docker.io"], Apt(commands)) == ["tini", "docker.io"]


def test_nothing_is_missing_where_nothing_is_asked_for() -> None:
    assert missing([], Apt(Commands())) == []


def test_install_refreshes_the_lists_first() -> None:
    done = CommandResult(0, "", "")
    commands = Commands(done, done)
    install(["docker.io", "docker-cli"], Apt(commands))
    assert commands.seen[0].endswith(" update")
    assert commands.seen[1].endswith("=--force-confold install docker.io docker-cli")
    assert " --no-install-recommends " in commands.seen[1]


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [("W: x\nE: Unable to locate package docker.io\n", "E: Unable to locate package docker.io Correct"), ("no", "no")],
)
def test_failure_tells_apts_reason(stderr: str, reason: str) -> None:
    with pytest.raises(BreakwaterError, match=f"manager failed: {reason}"):
        install(["docker.io"], Apt(Commands(CommandResult(100, "", stderr))))


class Removals:
    """Knows what is installed, and what goes along with each package."""

    def __init__(self, **along: str) -> None:
        self.along = along

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        if argv[0] == "dpkg-query":
            return CommandResult(0, "".join(f"{name} 1 installed\n" for name in self.along), "")
        going = [*argv[argv.index("remove") + 1 :]]
        going += [other for name in going for other in self.along[name].split()]
        return CommandResult(0, "".join(f"Remv {name} [1]\n" for name in going), "")


@pytest.mark.parametrize(
    ("along", "removed", "kept"),
    [
        ({}, (), {}),
        ({"gcc": "", "make": ""}, ("gcc", "make"), {}),
        ({"cpp": "gcc", "gcc": ""}, ("cpp", "gcc"), {}),
        ({"gcc": "", "make": "dkms:amd64"}, ("gcc",), {"make": ("dkms",)}),
        # a package that must stay keeps those that it needs
        ({"cpp": "gcc dkms", "gcc": "dkms", "make": ""}, ("make",), {"cpp": ("dkms", "gcc"), "gcc": ("dkms",)}),
    ],
)
def test_what_others_need_is_kept(
    along: dict[str, str], removed: tuple[str, ...], kept: dict[str, tuple[str, ...]]
) -> None:
    assert superfluous(["x"], Apt(Removals(**along))) == Removal(removed, kept)


class Alternatives:
    """apt-get -s as Debian 13 answers it: coturn needs telnet | telnet-client, which both of the others provide."""

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        if argv[0] == "dpkg-query":
            return CommandResult(0, "".join(f"{name} 1 installed\n" for name in ("inetutils-telnet", "telnet-ssl")), "")
        going = argv[argv.index("remove") + 1 :]
        going = ["coturn", *going] if len(going) == 2 else going
        return CommandResult(0, "".join(f"Remv {name} [1]\n" for name in going), "")


def test_of_several_that_another_package_needs_the_last_is_kept() -> None:
    removal = superfluous(["inetutils-telnet", "telnet-ssl"], Apt(Alternatives()))
    assert removal == Removal(("inetutils-telnet",), {"telnet-ssl": ("coturn",)})


def test_nothing_to_remove_asks_nobody() -> None:
    assert superfluous([], Apt(Commands())) == Removal((), {})
