# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine's packages in a chosen version, held there and upgraded when told to, by apt or dnf.
# Sources: dpkg-query(1), apt-cache(8), apt-get(8), apt-mark(8); rpm(8), dnf(8) and its versionlock plugin.

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Protocol, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner

#: Seconds for a download over a slow line, and for a question on a busy host.
_TIMEOUT = 1800
_ANSWER_TIMEOUT = 120


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


@dataclass(frozen=True)
class PackagePlan:
    """What to do: `install` in which version (None where it is not known yet), `hold` and `release`."""

    before: Mapping[str, str]
    install: Mapping[str, str | None]
    hold: tuple[str, ...]
    release: tuple[str, ...]
    outdated: tuple[str, ...]
    """Installed packages of another version than asked for, which only an upgrade may change."""


def present(names: Sequence[str], manager: Manager) -> list[str]:
    """Return those of the packages that are installed; InputError when the first is not among them."""
    found = [name for name in names if name in manager.installed(names)]
    if found[:1] != [names[0]]:
        raise InputError(
            f"{names[0]} is not what the engine here was installed by: name its packages. Nothing was changed."
        )
    return found


def make_plan(
    names: Sequence[str], version: str | None, upgrade: bool, hold: bool | None, manager: Manager
) -> PackagePlan:
    """Compare the packages with what is wanted of them.

    Those that are missing are installed, the others left alone unless `upgrade`. `version` is the first package's,
    whole or its beginning, and that of each other package that has it; None asks for the newest. `hold` None leaves
    holds alone. InputError when there is no such version.
    """
    before = manager.installed(names)
    available = manager.available(names)
    install: dict[str, str | None] = {}
    outdated = []
    for name in names:
        offered = available.get(name, ())
        fitting = [each for each in offered if version is None or _fits(each, version)]
        if offered and not fitting and name == names[0]:
            some = ", ".join(offered[:5])
            raise InputError(f"There is no version {version} of {name}, but {some}: correct it. Nothing was changed.")
        target = next(iter((*fitting, *offered)), None)
        if name not in before or (upgrade and target not in (None, before[name])):
            install[name] = target
        elif version and name == names[0] and not _fits(before[name], version):
            outdated.append(name)
    held = manager.held() if install or hold is not None else frozenset()
    # A package loses its hold when it is installed by its name.
    keep = {name for name in names if hold or (hold is None and name in held)}
    return PackagePlan(
        before,
        install,
        tuple(name for name in names if name in keep and (name not in held or name in install)),
        tuple(name for name in names if hold is False and name in held),
        tuple(outdated),
    )


def apply(plan: PackagePlan, manager: Manager) -> None:
    """Carry the plan out; BreakwaterError says why not."""
    if plan.install:
        manager.install(plan.install, any(name in plan.before for name in plan.install))
    if plan.hold:
        manager.hold(plan.hold, True)
    if plan.release:
        manager.hold(plan.release, False)


def _fits(version: str, wanted: str) -> bool:
    """Tell whether `wanted` is the version or its beginning, with or without the epoch: 28.0 fits 5:28.0.4-1."""
    bare = version.partition(":")[2] or version
    return any(text.startswith(wanted) and not re.match(r"\w", text[len(wanted) :]) for text in (version, bare))


class Apt:
    """Debian's package manager."""

    _GET = (
        *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y", "--no-install-recommends"),
        *("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"),
    )
    # Without these options apt-cache writes its own cache.
    _POLICY = ("apt-cache", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache=", "policy")

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def refresh(self) -> None:
        """Fetch the lists of packages."""
        _checked(self._commands.run((*self._GET, "update"), timeout=_TIMEOUT))

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
        _checked(self._commands.run((*self._GET, *options, "install", *named), timeout=_TIMEOUT))

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""
        verb = "hold" if held else "unhold"
        _checked(self._commands.run(("apt-mark", verb, *names), timeout=_ANSWER_TIMEOUT))


class Dnf:
    """The package manager of the RHEL family; holding needs its versionlock plugin."""

    _DNF = ("dnf", "-q", "-y")

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def refresh(self) -> None:
        """Fetch the lists of packages."""
        _checked(self._commands.run((*self._DNF, "makecache"), timeout=_TIMEOUT))

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
        _checked(self._commands.run((*self._DNF, *options, "install", *named), timeout=_TIMEOUT))

    def hold(self, names: Sequence[str], held: bool) -> None:
        """Hold packages, or let them go."""
        verb = "add" if held else "delete"
        _checked(self._commands.run((*self._DNF, "versionlock", verb, *names), timeout=_ANSWER_TIMEOUT))


def manager_of(commands: CommandRunner) -> Manager:
    """Return the host's package manager; InputError where it is neither apt nor dnf."""
    for program, manager in (("dpkg-query", Apt), ("rpm", Dnf)):
        if commands.run((program, "--version")).rc is not None:
            return manager(commands)
    raise InputError("This host has neither dpkg nor rpm: install the engine by its own means, then run again.")


def _answer(commands: CommandRunner, *argv: str) -> str:
    """Return what a command tells, also of packages that are not there; BreakwaterError when it does not answer."""
    result = commands.run(argv, timeout=_ANSWER_TIMEOUT)
    if result.rc is None:
        raise BreakwaterError(f"The packages can't be looked up: {result.stderr}. See to it, then run again.")
    return result.stdout


def _checked(result: CommandResult) -> None:
    if result.rc != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith(("E: ", "Error: "))]
        reason = " ".join(errors) or (result.stderr or result.stdout).strip()[-500:]
        raise BreakwaterError(f"The package manager failed: {reason} Correct the package sources and run again.")
