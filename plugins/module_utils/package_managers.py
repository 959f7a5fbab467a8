# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What apt and dnf know of packages and can do to them, without their Python bindings.
# Sources: dpkg-query(1), apt-cache(8), apt-get(8), apt-mark(8); rpm(8), dnf(8) and its versionlock plugin.

from __future__ import annotations

import re
from typing import Callable, Collection, Mapping, Protocol, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner
from ansible_collections.breakwater.docker.plugins.module_utils.redact import text_without_credentials

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

    def displaced(self, versions: Mapping[str, str | None]) -> list[str]:
        """Return the packages that would go for these to be installed, sorted; none where nobody can tell."""

    def install(self, versions: Mapping[str, str | None], change_held: bool) -> None:
        """Install packages in these versions (None for its choice); whether held packages may change."""

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""

    def matching(self, patterns: Sequence[str]) -> set[str]:
        """Return the installed packages whose names fit the patterns, with the wildcards of a shell."""

    def taken_along(self, names: Collection[str]) -> set[str]:
        """Return everything that goes when `names`, which are installed, are removed."""

    def remove(self, names: Sequence[str]) -> None:
        """Remove packages, and none that were installed for them."""

    def orphaned(self) -> list[str]:
        """Return the packages that were installed for others which are gone, sorted; none where nobody can tell."""


class Apt:
    """Debian's package manager."""

    _GET = (
        *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends"),
        *("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"),
    )
    # Without these options apt writes its own cache.
    _UNCACHED = ("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=")
    # What is installed decides about a removal: the package lists, which take seconds to read, are left out.
    _SIMULATE = ("apt-get", "-q", "-s", "-o", "Dir::State::lists=/nonexistent", *_UNCACHED)
    #: The line of a simulated removal.
    _REMOVED = re.compile(r"^(?:Remv|Purg) ([^\s:]+)", re.MULTILINE)

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def refresh(self) -> None:
        """Fetch the lists of packages."""
        checked(self._commands.run((*self._GET, "update"), timeout=TIMEOUT))

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the versions of those that are installed."""
        form = "${Package} ${Version} ${db:Status-Status}\\n"
        shown = _answer(self._commands, "dpkg-query", "-W", "-f", form, *names)
        rows = [line.split() for line in shown.splitlines() if line.endswith(" installed")]
        return {name: version for name, version, _status in rows}

    def available(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the versions that can be installed, apt's candidate first."""
        shown = _answer(self._commands, "apt-cache", *self._UNCACHED, "policy", *names)
        found = {}
        for name, text in re.findall(r"^(\S+):\n((?: .*\n?)*)", shown, re.MULTILINE):
            candidate = re.findall(r"^  Candidate: (\d\S*)", text, re.MULTILINE)
            table = re.findall(r"^ (?:\*\*\*|   ) (\d\S*) ", text, re.MULTILINE)
            found[name] = [*candidate, *(version for version in table if version not in candidate)]
        return found

    def held(self) -> frozenset[str]:
        """Return the packages that are held."""
        return frozenset(_answer(self._commands, "apt-mark", "showhold").split())

    def displaced(self, versions: Mapping[str, str | None]) -> list[str]:
        """Return the packages that conflict with these, which apt would remove; none without the package lists."""
        options = ("--no-install-recommends", "--allow-change-held-packages", *self._UNCACHED)
        simulated = self._commands.run(
            ("apt-get", "-q", "-s", *options, "install", *_equated(versions)), timeout=ANSWER_TIMEOUT
        )
        return sorted(self._REMOVED.findall(simulated.stdout))

    def install(self, versions: Mapping[str, str | None], change_held: bool) -> None:
        """Install packages in these versions (None for apt's choice); whether held packages may change."""
        options = ("--allow-change-held-packages",) if change_held else ()
        checked(self._commands.run((*self._GET, *options, "install", *_equated(versions)), timeout=TIMEOUT))

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""
        verb = "hold" if held else "unhold"
        checked(self._commands.run(("apt-mark", verb, *names), timeout=ANSWER_TIMEOUT))

    def matching(self, patterns: Sequence[str]) -> set[str]:
        """Return the installed packages whose names fit the patterns of dpkg."""
        return set(self.installed(patterns)) if patterns else set()

    def taken_along(self, names: Collection[str]) -> set[str]:
        """Return everything that goes when `names`, which are installed, are removed."""
        simulated = self._commands.run((*self._SIMULATE, "remove", *sorted(names)), timeout=ANSWER_TIMEOUT)
        checked(simulated)
        return set(self._REMOVED.findall(simulated.stdout))

    def remove(self, names: Sequence[str]) -> None:
        """Remove packages, leaving their configuration."""
        checked(self._commands.run((*self._GET, "remove", *names), timeout=TIMEOUT))

    def orphaned(self) -> list[str]:
        """Return the packages that were installed for others which are gone, sorted; none where apt does not tell."""
        simulated = self._commands.run((*self._SIMULATE, "autoremove"), timeout=ANSWER_TIMEOUT)
        return sorted(self._REMOVED.findall(simulated.stdout))


class Dnf:
    """The package manager of the RHEL family, dnf 4 or dnf 5; holding needs the versionlock plugin of dnf 4."""

    _DNF = ("dnf", "-q", "-y")
    # What is about installed packages needs no repository, which dnf would otherwise fetch.
    _LOCAL = (*_DNF, "-C", "--disablerepo=*")
    _LOCK = (*_LOCAL, "versionlock")

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def refresh(self) -> None:
        """Fetch the lists of packages."""
        checked(self._commands.run((*self._DNF, "makecache"), timeout=TIMEOUT))

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        """Return the versions of those that are installed."""
        shown = _answer(self._commands, "rpm", "-q", "--qf", "%{NAME} %{EVR}\\n", *names)
        rows = [line.split() for line in shown.splitlines()]
        # dnf leaves this epoch out
        return {row[0]: re.sub("^0:", "", row[1]) for row in rows if len(row) == 2}

    def available(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        """Return the versions that can be installed, the newest first."""
        asked = (*self._DNF, "-C", "repoquery", "--qf", "%{name} %{evr}\\n", *names)
        found: dict[str, set[str]] = {}
        for row in map(str.split, _answer(self._commands, *asked).splitlines()):
            if len(row) == 2:
                found.setdefault(row[0], set()).add(row[1])
        return {name: sorted(versions, key=_age, reverse=True) for name, versions in found.items()}

    def held(self) -> frozenset[str]:
        """Return the packages that are held."""
        shown = _answer(self._commands, *self._LOCK, "list")
        return frozenset(match[1] for match in re.finditer(r"^(?:Package name: )?([\w.+-]+?)(?:-\d\S*)?$", shown, re.M))

    def displaced(self, versions: Mapping[str, str | None]) -> list[str]:
        """Return none: where packages conflict, dnf refuses to install."""
        return []

    def install(self, versions: Mapping[str, str | None], change_held: bool) -> None:
        """Install packages in these versions (None for dnf's choice); whether held packages may change.

        A lock is one on a version, so those of packages that change are taken off.
        """
        named = [f"{name}-{version}" if version else name for name, version in versions.items()]
        locked = sorted(self.held() & set(versions)) if change_held else []
        if locked:
            self.hold(locked, False)
        try:
            asked = (*self._DNF, "--setopt=install_weak_deps=False", "install", *named)
            checked(self._commands.run(asked, timeout=TIMEOUT))
        except BreakwaterError:
            if locked:
                self.hold(locked, True)
            raise

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""
        verb = "add" if held else "delete"
        checked(self._commands.run((*self._LOCK, verb, *names), timeout=ANSWER_TIMEOUT))

    def matching(self, patterns: Sequence[str]) -> set[str]:
        """Return the installed packages whose names fit the patterns of rpm."""
        listed = ("rpm", "-qa", "--qf", "%{NAME}\\n", *patterns)
        return set(_answer(self._commands, *listed).split()) if patterns else set()

    def taken_along(self, names: Collection[str]) -> set[str]:
        """Return everything that goes when `names`, which are installed, are removed."""
        gone: set[str] = set()
        needing = set(names)
        while needing:
            gone |= needing
            tried = self._commands.run(("rpm", "-e", "--test", "--allmatches", *sorted(gone)), timeout=ANSWER_TIMEOUT)
            # rpm names the version and the architecture too
            needing = {found.rsplit("-", 2)[0] for found in re.findall(r"by \(installed\) (\S+)", tried.stderr)} - gone
        checked(tried)
        return gone

    def remove(self, names: Sequence[str]) -> None:
        """Remove packages, and none that were installed for them."""
        asked = (*self._DNF, "--setopt=clean_requirements_on_remove=False", "remove", *names)
        checked(self._commands.run(asked, timeout=TIMEOUT))

    def orphaned(self) -> list[str]:
        """Return the packages that were installed for others which are gone, sorted; none where dnf does not tell."""
        asked = (*self._LOCAL, "repoquery", "--unneeded", "--qf", "%{name}\\n")
        return sorted(set(self._commands.run(asked, timeout=ANSWER_TIMEOUT).stdout.split()))


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


def _equated(versions: Mapping[str, str | None]) -> list[str]:
    """Return packages with their versions as apt takes them."""
    return [f"{name}={version}" if version else name for name, version in versions.items()]


def _answer(commands: CommandRunner, *argv: str) -> str:
    """Return what a command tells, also of packages that are not there; BreakwaterError when it does not answer."""
    result = commands.run(argv, timeout=ANSWER_TIMEOUT)
    if result.rc is None:
        raise BreakwaterError(f"The packages can't be looked up: {result.stderr}. See to it, then run again.")
    return result.stdout


def checked(result: CommandResult) -> None:
    """Raise BreakwaterError with the package manager's reason when it failed."""
    if result.rc != 0:
        # Both may name a source with the password in its address.
        told = text_without_credentials(result.stderr or result.stdout)
        # apt marks each line, dnf 4 the first one, dnf 5 none
        errors = re.findall(r"^(?:E: .*|Error: (?s:.*))", told, re.MULTILINE)
        reason = " ".join(" ".join(errors).split()) or told.strip()[-500:]
        raise BreakwaterError(f"The package manager failed: {reason} Correct the package sources and run again.")


#: What parts of a version are worth, and its end; rpm takes any other sign as one that parts them.
_AGES = {"~": 0, "": 1, "^": 2}


def _age(version: str) -> list[list[tuple[int, int, str]]]:
    """Return a key by which versions of rpm packages sort as rpm compares them, their epoch first."""
    epoch, _separator, rest = version.rpartition(":")
    return [
        [
            (4, int(part), "") if part.isdigit() else (_AGES.get(part, 3), 0, part)
            for part in (*re.findall(r"\d+|[A-Za-z]+|[~^]", field), "")
        ]
        for field in (epoch or "0", *rest.split("-"))
    ]
