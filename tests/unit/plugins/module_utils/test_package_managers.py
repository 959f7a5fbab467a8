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


def test_apt_tells_what_an_installation_displaces() -> None:
    simulated = "Remv podman-docker [5.4.2+ds1-2+b2]\nInst docker.io (26.1.5 Debian:13.8/stable [amd64])\n"
    commands = Commands({"-s": CommandResult(0, simulated, "")})
    assert Apt(commands).displaced({"docker.io": "26.1.5", "docker-cli": None}) == ["podman-docker"]
    assert commands.seen[0].endswith(" install docker.io=26.1.5 docker-cli")
    unknown = Commands({"-s": CommandResult(100, "", "E: Unable to locate package docker.io")})
    assert Apt(unknown).displaced({"docker.io": None}) == []


def test_apt_removes() -> None:
    commands = Commands(
        {
            "dpkg-query -W": CommandResult(1, "gcc 4:14 installed\ntini 0.1 config-files\n", "no packages"),
            "autoremove": CommandResult(0, "Reading...\nRemv libgone [1]\nRemv cpp-14 [2] [libgone:amd64 ]\n", ""),
            "-s": CommandResult(0, "Remv dkms:amd64 [1]\nPurg gcc [2]\n", ""),
        }
    )
    apt = Apt(commands)
    assert apt.matching(["gcc*"]) == {"gcc"}
    assert apt.matching([]) == set()
    assert apt.taken_along({"gcc"}) == {"dkms", "gcc"}
    assert apt.orphaned() == ["cpp-14", "libgone"]
    apt.remove(["gcc"])
    assert commands.seen[-1].endswith(" remove gcc")
    assert "purge" not in commands.seen[-1]


#: What dnf 4.23 with rpm 4.20 and dnf 5.4 with rpm 6.1 said on hosts with the packages of Docker's repository.
DNF = [
    pytest.param(
        {
            "repoquery --qf": (
                "containerd.io 2.1.5-1.el10\n\ndocker-ce 3:26.1.5-1.el10\n\ndocker-ce 3:26.1.6-1.el10\n\n"
            ),
            "versionlock list": "docker-ce-3:26.1.5-1.el10.*\ndocker-ce-cli-1:26.1.5-1.el10.*\n",
            "--unneeded": "container-selinux\n\niptables-nft\n\n",
        },
        id="4",
    ),
    pytest.param(
        {
            "repoquery --qf": "containerd.io 2.1.5-1.el10\ndocker-ce 3:26.1.5-1.el10\ndocker-ce 3:26.1.6-1.el10\n",
            "versionlock list": (
                "# Added by 'versionlock add' command on 2026-11-26 05:55:05\n"
                "Package name: docker-ce\n"
                "evr = 3:26.1.5-1.el10\n\n"
                "# Added by 'versionlock add' command on 2026-11-26 05:55:05\n"
                "Package name: docker-ce-cli\n"
                "evr = 1:26.1.5-1.el10\n"
            ),
            "--unneeded": "container-selinux\niptables-nft\n",
        },
        id="5",
    ),
]
RPM = {
    "rpm -q ": "docker-ce 3:26.1.5-1.el10\ncontainerd.io 0:2.1.5-1.el10\nbash 5-1.el10\npackage nix is not installed\n",
    "rpm -qa": "docker-ce\ndocker-ce-cli\n",
}
NEEDED = """\
error: Failed dependencies:
\tdocker-ce-cli is needed by (installed) docker-ce-3:26.1.5-1.el10.x86_64
\tcontainerd.io is needed by (installed) docker-ce-3:26.1.5-1.el10.x86_64
"""


@pytest.mark.parametrize("said", DNF)
def test_dnf(said: Mapping[str, str]) -> None:
    commands = Commands({words: CommandResult(0, text, "") for words, text in {**said, **RPM}.items()})
    dnf = Dnf(commands)
    assert dnf.installed(NAMES) == {"docker-ce": "3:26.1.5-1.el10", "containerd.io": "2.1.5-1.el10", "bash": "5-1.el10"}
    assert dnf.available(NAMES) == {
        "docker-ce": ["3:26.1.6-1.el10", "3:26.1.5-1.el10"],
        "containerd.io": ["2.1.5-1.el10"],
    }
    assert dnf.held() == {"docker-ce", "docker-ce-cli"}
    assert dnf.matching(["docker-*"]) == {"docker-ce", "docker-ce-cli"}
    assert dnf.matching([]) == set()
    assert dnf.orphaned() == ["container-selinux", "iptables-nft"]
    dnf.refresh()
    dnf.install({"docker-ce": "3:26.1.5-1.el10", "tini": None}, change_held=False)
    dnf.hold(["docker-ce"], held=True)
    dnf.remove(["tini"])
    refreshed, installed, held, removed = commands.seen[-4:]
    assert refreshed.endswith(" makecache")
    assert installed.endswith("install_weak_deps=False install docker-ce-3:26.1.5-1.el10 tini")
    assert held.endswith(" versionlock add docker-ce")
    assert removed.endswith("clean_requirements_on_remove=False remove tini")


def test_dnf_asks_no_repository_for_what_is_installed() -> None:
    commands = Commands({})
    dnf = Dnf(commands)
    dnf.held()
    dnf.hold(["docker-ce"], held=False)
    dnf.orphaned()
    assert all(line.startswith("dnf -q -y -C --disablerepo=* ") for line in commands.seen)
    dnf.available(NAMES)
    assert commands.seen[-1].startswith("dnf -q -y -C repoquery ")


def test_dnf_changes_what_is_locked_without_the_lock() -> None:
    commands = Commands({"versionlock list": CommandResult(0, "docker-ce-3:26.1.5-1.el10.*\nnano-8-1.el10.*\n", "")})
    Dnf(commands).install({"docker-ce": "3:26.1.6-1.el10", "tini": None}, change_held=True)
    _listed, unlocked, installed = commands.seen
    assert unlocked.endswith(" versionlock delete docker-ce")
    assert installed.endswith(" install docker-ce-3:26.1.6-1.el10 tini")


def test_dnf_locks_again_what_it_could_not_change() -> None:
    commands = Commands(
        {
            "versionlock list": CommandResult(0, "docker-ce-3:26.1.5-1.el10.*\n", ""),
            " install ": CommandResult(1, "", "Error: Unable to find a match: docker-ce-9-1\n"),
        }
    )
    with pytest.raises(BreakwaterError, match="Unable to find a match"):
        Dnf(commands).install({"docker-ce": "9-1"}, change_held=True)
    assert commands.seen[-1].endswith(" versionlock add docker-ce")


def test_dnf_tells_what_a_removal_takes_along() -> None:
    class Rpm:
        def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
            return CommandResult(0, "", "") if "docker-ce" in argv else CommandResult(2, "", NEEDED)

    assert Dnf(Rpm()).taken_along({"docker-ce-cli"}) == {"docker-ce", "docker-ce-cli"}


def test_removal_that_rpm_can_not_judge_is_refused() -> None:
    commands = Commands({"rpm -e": CommandResult(1, "", "error: package nix is not installed\n")})
    with pytest.raises(BreakwaterError, match="package nix is not installed"):
        Dnf(commands).taken_along({"nix"})


@pytest.mark.parametrize(
    "ascending",
    [
        ["9.9-1", "10.0-1"],
        ["26.1.5-1", "26.1.10-1", "1:1-1"],
        ["28.0.0~rc.1-1", "28.0.0~rc.2-1", "28.0.0-1", "28.0.0^git1-1", "28.0.0a-1", "28.0.0.1-1"],
        ["1-1.el9", "1-1.el10", "1-2.el9"],
    ],
)
def test_versions_of_rpm_come_with_the_newest_first(ascending: list[str]) -> None:
    listed = "".join(f"docker-ce {version}\n" for version in sorted(ascending))
    available = Dnf(Commands({"repoquery": CommandResult(0, listed, "")})).available(NAMES)
    assert available == {"docker-ce": ascending[::-1]}


def test_manager_of_a_host() -> None:
    missing = CommandResult(None, "", "not installed")
    assert isinstance(manager_of(Commands({})), Apt)
    assert isinstance(manager_of(Commands({"dpkg-query": missing})), Dnf)
    with pytest.raises(InputError, match="neither dpkg nor rpm"):
        manager_of(Commands({"dpkg-query": missing, "rpm": missing}))


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("W: x\nE: no release file\n", "E: no release file"),
        (
            "Failed loading plugin\nError: \n Problem: conflicting requests\n  - nothing provides iptables\n",
            "Error: Problem: conflicting requests - nothing provides iptables",
        ),
        (
            "Failed to resolve the transaction:\nNo match for argument: nix",
            "Failed to resolve .*:\nNo match for .* nix",
        ),
    ],
)
def test_failure_tells_the_reason(stderr: str, reason: str) -> None:
    with pytest.raises(BreakwaterError, match=f"The package manager failed: {reason} Correct"):
        Apt(Commands({"update": CommandResult(100, "", stderr)})).refresh()


@pytest.mark.parametrize(
    "stderr",
    [
        "E: Conflicting values set for option Signed-By regarding source {}/debian x: /a.asc != /b.asc\n",
        "Error: Failed to download metadata for repo 'x': Curl error (6): Could not resolve host for {}/repomd.xml\n",
        "Failed to download metadata: {}/" + "x" * 478,  # what is told of it begins in the password
    ],
)
def test_failure_tells_no_password_of_a_source(stderr: str) -> None:
    told = stderr.format("http://ada:hunter2@mirror.example.org")
    with pytest.raises(BreakwaterError, match=r"mirror\.example\.org|x{400}") as failed:
        Apt(Commands({"update": CommandResult(100, "", told)})).refresh()
    assert "hunter2" not in str(failed.value)
    assert "r2@" not in str(failed.value)


def test_package_manager_that_does_not_answer_is_not_taken_for_one_without_packages() -> None:
    apt = Apt(Commands({"policy": CommandResult(None, "", "apt-cache took too long")}))
    with pytest.raises(BreakwaterError, match=r"can't be looked up: apt-cache took too long"):
        apt.available(NAMES)
