# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What apt and dnf know of packages and can do to them, without their Python bindings.
# Sources: dpkg-query(1), apt-cache(8), apt-get(8), apt-mark(8); rpm(8), dnf(8) and its versionlock plugin.

from __future__ import annotations

import re
from typing import Callable, Mapping, Protocol, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner

#: Seconds for a download over a slow line, and for a question on a busy host.
TIMEOUT = 1800
ANSWER_TIMEOUT = 120


class Manager(Protocol):
    """A package manager: what it knows of packages, and what it can do to them."""

    def refresh(self) -> None:
        """Fetch the lists of packages."""

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the versions of those that are installed."""

    def available(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the versions that can be installed, the one that it would choose first."""

    def held(self) -> frozenset[str]:
        """Return the packages that are held."""

    def install(self, versions: Mapping[str, str | None], change_held: bool) -> None:
        """Install packages in these versions (None for its choice); whether held packages may change."""

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""


class Apt:
    """Debian's package manager."""

    GET = (
        *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends"),
        *("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"),
    )
    # Without these options apt-cache writes its own cache.
    _POLICY = ("apt-cache", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "policy")

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def refresh(self) -> None:
        """Fetch the lists of packages."""
        checked(self._commands.run((*self.GET, "update"), timeout=TIMEOUT))

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the versions of those that are installed."""
        form = "${Package} ${Version} ${db:Status-Status}\\n"
        shown = _answer(self._commands, "dpkg-query", "-W", "-f", form, *names)
        rows = [line.split() for line in shown.splitlines() if line.endswith(" installed")]
        return {name: version for name, version, _status in rows}

    def available(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the versions that can be installed, apt's candidate first."""
        shown = _answer(self._commands, *self._POLICY, *names)
        found = {}
        for name, text in re.findall(r"^(\S+):\n((?: .*\n?)*)", shown, re.MULTILINE):
            candidate = re.findall(r"^  Candidate: (\d\S*)", text, re.MULTILINE)
            table = re.findall(r"^ (?:\*\*\*|   ) (\d\S*) ", text, re.MULTILINE)
            found[name] = [*candidate, *(version for version in table if version not in candidate)]
        return found

    def held(self) -> frozenset[str]:
        """Return the packages that are held."""
        return frozenset(_answer(self._commands, "apt-mark", "showhold").split())

    def install(self, versions: Mapping[str, str | None], change_held: bool) -> None:
        """Install packages in these versions (None for apt's choice); whether held packages may change."""
        named = [f"{name}={version}" if version else name for name, version in versions.items()]
        options = ("--allow-change-held-packages",) if change_held else ()
        checked(self._commands.run((*self.GET, *options, "install", *named), timeout=TIMEOUT))

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""
        verb = "hold" if held else "unhold"
        checked(self._commands.run(("apt-mark", verb, *names), timeout=ANSWER_TIMEOUT))


class Dnf:
    """The package manager of the RHEL family; holding needs its versionlock plugin."""

    _DNF = ("dnf", "-q", "-y")

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def refresh(self) -> None:
        """Fetch the lists of packages."""
        checked(self._commands.run((*self._DNF, "makecache"), timeout=TIMEOUT))

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the versions of those that are installed."""
        shown = _answer(self._commands, "rpm", "-q", "--qf", "%{NAME} %{VERSION}-%{RELEASE}\\n", *names)
        rows = [line.split() for line in shown.splitlines()]
        return {row[0]: row[1] for row in rows if len(row) == 2}

    def available(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the versions that can be installed, the newest first."""
        found: dict[str, list[str]] = {}
        for option in ("--latest-limit=1", "--showduplicates"):
            asked = (*self._DNF, "-C", "repoquery", option, "--qf", "%{name} %{version}-%{release}\\n", *names)
            for row in map(str.split, _answer(self._commands, *asked).splitlines()):
                if len(row) == 2 and row[1] not in found.setdefault(row[0], []):
                    found[row[0]].append(row[1])
        return found

    def held(self) -> frozenset[str]:
        """Return the packages that are held."""
        shown = _answer(self._commands, *self._DNF, "versionlock", "list")
        return frozenset(match[1] for match in re.finditer(r"^(?:Package name: )?([\w.+-]+?)(?:-\d\S*)?$", shown, re.M))

    def install(self, versions: Mapping[str, str | None], change_held: bool) -> None:
        """Install packages in these versions (None for dnf's choice); whether held packages may change."""
        named = [f"{name}-{version}" if version else name for name, version in versions.items()]
        options = ("--setopt=install_weak_deps=False", *(("--disableplugin=versionlock",) if change_held else ()))
        checked(self._commands.run((*self._DNF, *options, "install", *named), timeout=TIMEOUT))

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""
        verb = "add" if held else "delete"
        checked(self._commands.run((*self._DNF, "versionlock", verb, *names), timeout=ANSWER_TIMEOUT))


#: The package managers by name, and the program that tells of each.
_MANAGERS: Mapping[str, tuple[str, Callable[[CommandRunner], Manager]]] = {
    "apt": ("dpkg-query", Apt),
    "dnf": ("rpm", Dnf),
}


def name_of(commands: CommandRunner) -> str:
    """Return the name of the host's package manager, apt or dnf; empty where it is neither."""
    for name, (program, _manager) in _MANAGERS.items():
        if commands.run((program, "--version")).rc is not None:
            return name
    return ""


def manager_of(commands: CommandRunner) -> Manager:
    """Return the host's package manager; InputError where it is neither apt nor dnf."""
    name = name_of(commands)
    if not name:
        raise InputError("This host has neither dpkg nor rpm: install what is needed by its own means, then run again.")
    return _MANAGERS[name][1](commands)


def _answer(commands: CommandRunner, *argv: str) -> str:
    """Return what a command tells, also of packages that are not there; BreakwaterError when it does not answer."""
    result = commands.run(argv, timeout=ANSWER_TIMEOUT)
    if result.rc is None:
        raise BreakwaterError(f"The packages can't be looked up: {result.stderr}. See to it, then run again.")
    return result.stdout


def checked(result: CommandResult) -> None:
    """Raise BreakwaterError with the package manager's reason when it failed."""
    if result.rc != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith(("E: ", "Error: "))]
        reason = " ".join(errors) or (result.stderr or result.stdout).strip()[-500:]
        raise BreakwaterError(f"The package manager failed: {reason} Correct the package sources and run again.")
