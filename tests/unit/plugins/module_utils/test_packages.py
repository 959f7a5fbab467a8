# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import Apt
from ansible_collections.breakwater.docker.plugins.module_utils.packages import (
    Removal,
    missing,
    refuse_to_displace,
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


def test_installation_that_removes_packages_is_refused() -> None:
    simulated = CommandResult(0, "Remv docker-ce [5:28.0]\nInst docker.io (26.1)\n", "")
    with pytest.raises(InputError, match=r"To install docker\.io, docker-ce would be removed: .* Nothing was changed"):
        refuse_to_displace({"docker.io": None}, Apt(Commands(simulated)))
    refuse_to_displace({"docker.io": None}, Apt(Commands(simulated)), going=["docker-ce"])
    refuse_to_displace({}, Apt(Commands()))


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
