# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Packages that must be there, and on Debian those that must not, by the tools that every host has.
# Sources: dpkg-query(1), apt-get(8), apt.conf(5).

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import (
    ANSWER_TIMEOUT,
    TIMEOUT,
    Apt,
    Manager,
    checked,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner

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


def missing(names: Sequence[str], manager: Manager) -> list[str]:
    """Return the packages that are not installed, in the given order."""
    installed = manager.installed(names) if names else {}
    return [name for name in names if name not in installed]


def install(names: Sequence[str], manager: Manager) -> None:
    """Install packages without those that they merely recommend, from fresh lists; BreakwaterError says why not."""
    manager.refresh()
    manager.install(dict.fromkeys(names), change_held=False)


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
    checked(commands.run((*Apt.GET, "remove", *names), timeout=TIMEOUT))


def orphaned(commands: CommandRunner) -> list[str]:
    """Return the packages that were installed for others which are gone, sorted; none where apt-get does not tell."""
    return sorted(_REMOVED.findall(commands.run((*_SIMULATE, "autoremove"), timeout=ANSWER_TIMEOUT).stdout))


def _installed(patterns: Sequence[str], commands: CommandRunner) -> set[str]:
    if not patterns:
        return set()
    shown = commands.run(("dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n", *patterns))
    if shown.rc is None:
        raise InputError("This host has no dpkg: packages are removed on Debian and its derivatives only.")
    return {line.split()[0] for line in shown.stdout.splitlines() if line.endswith(" installed")}


def _taken_along(names: set[str], commands: CommandRunner) -> set[str]:
    """Return everything that goes when `names` are removed."""
    result = commands.run((*_SIMULATE, "remove", *sorted(names)), timeout=ANSWER_TIMEOUT)
    checked(result)
    return {name.partition(":")[0] for name in _REMOVED.findall(result.stdout)}
