# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Packages that must be there, and those that must not.

from __future__ import annotations

from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import Manager


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


def superfluous(patterns: Sequence[str], manager: Manager) -> Removal:
    """Choose from the installed packages that fit the patterns those that nothing else needs.

    BreakwaterError when the package manager can't say what a removal takes along.
    """
    names = manager.matching(patterns)
    if not names or manager.taken_along(names) <= names:
        return Removal(tuple(sorted(names)), {})
    removable: set[str] = set()
    refused = {}
    for name in sorted(names):
        # Asked together, since a package that needs one of several goes with the last of them.
        going = manager.taken_along({*removable, name})
        if going <= names:
            removable = going
        else:
            refused[name] = going
    kept = {name: tuple(sorted(going - removable - {name})) for name, going in refused.items()}
    return Removal(tuple(sorted(removable)), kept)
