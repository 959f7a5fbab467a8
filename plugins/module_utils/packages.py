# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Debian packages by the tools that every Debian has. Sources: dpkg-query(1), apt-get(8), apt.conf(5).

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner

#: Seconds for a download over a slow line, and for apt-get to think on a busy host.
_TIMEOUT = 1800
_THINKING_TIMEOUT = 120
_APT = (
    *("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", "-y"),
    *("-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold"),
)
#: What is installed decides about a removal: the package lists, which take seconds to read, are left out. With empty
#: names of caches apt-get writes none.
_SIMULATE = (
    *("apt-get", "-q", "-s", "-o", "Dir::State::lists=/nonexistent"),
    *("-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),
)
#: The line of a simulated removal.
_REMOVED = re.compile(r"^(?:Remv|Purg) (\S+)", re.MULTILINE)


class Removal(NamedTuple):
    """Packages to remove, and those that are kept for others that need them."""

    remove: tuple[str, ...]
    kept: dict[str, tuple[str, ...]]


def missing(names: Sequence[str], commands: CommandRunner) -> list[str]:
    """Return the packages that are not installed, in the given order; InputError where there is no dpkg."""
    installed = _installed(names, commands)
    return [name for name in names if name not in installed]


def install(names: Sequence[str], commands: CommandRunner) -> None:
    """Install packages without those that they merely recommend, from fresh lists; BreakwaterError says why not."""
    _checked(commands.run((*_APT, "update"), timeout=_TIMEOUT))
    _checked(commands.run((*_APT, "--no-install-recommends", "install", *names), timeout=_TIMEOUT))


def superfluous(patterns: Sequence[str], commands: CommandRunner) -> Removal:
    """Choose from the installed packages that fit dpkg's `patterns` those that nothing else needs.

    InputError where there is no dpkg; BreakwaterError when apt-get can't say what a removal takes along.
    """
    names = _installed(patterns, commands)
    if not names or _taken_along(names, commands) <= names:
        return Removal(tuple(sorted(names)), {})
    closures = {name: _taken_along({name}, commands) for name in sorted(names)}
    removable = names
    while any(closures[name] - removable for name in removable):
        removable = {name for name in removable if closures[name] <= removable}
    kept = {name: tuple(sorted(closures[name] - removable - {name})) for name in closures if name not in removable}
    return Removal(tuple(sorted(removable)), kept)


def remove(names: Sequence[str], commands: CommandRunner) -> None:
    """Remove packages, leaving their configuration; BreakwaterError says why not."""
    _checked(commands.run((*_APT, "remove", *names), timeout=_TIMEOUT))


def orphaned(commands: CommandRunner) -> list[str]:
    """Return the packages that were installed for others which are gone, sorted; none where apt-get does not tell."""
    return sorted(_REMOVED.findall(commands.run((*_SIMULATE, "autoremove"), timeout=_THINKING_TIMEOUT).stdout))


def _installed(patterns: Sequence[str], commands: CommandRunner) -> set[str]:
    if not patterns:
        return set()
    shown = commands.run(("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *patterns))
    if shown.rc is None:
        raise InputError("This host has no dpkg: only Debian and its derivatives can be managed.")
    return {line.split()[0] for line in shown.stdout.splitlines() if line.endswith(" installed")}


def _taken_along(names: set[str], commands: CommandRunner) -> set[str]:
    """Return everything that goes when `names` are removed."""
    result = commands.run((*_SIMULATE, "remove", *sorted(names)), timeout=_THINKING_TIMEOUT)
    _checked(result)
    return {name.partition(":")[0] for name in _REMOVED.findall(result.stdout)}


def _checked(result: CommandResult) -> None:
    if result.rc != 0:
        errors = [line for line in result.stderr.splitlines() if line.startswith("E: ")]
        reason = " ".join(errors) or result.stderr.strip()[-500:]
        raise BreakwaterError(f"apt-get failed: {reason} Correct the package sources and run again.")
