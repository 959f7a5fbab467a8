# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Packages that must be there, and those that must not.

from __future__ import annotations

from typing import Collection, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import Manager


class Removal(NamedTuple):
    """Packages to remove, and those that are kept for others that need them."""

    remove: tuple[str, ...]
    kept: dict[str, tuple[str, ...]]


def missing(names: Sequence[str], manager: Manager) -> list[str]:
    """Return the packages that are not installed, in the given order."""
    installed = manager.installed(names) if names else {}
    return [name for name in names if name not in installed]


def refuse_to_displace(versions: Mapping[str, str | None], manager: Manager, going: Collection[str] = ()) -> None:
    """Raise InputError where an installation would remove packages other than those that are `going` anyway.

    Somebody may use what they run: to install docker.io, apt removes docker-ce, whose containers stop.
    """
    displaced = [name for name in manager.displaced(versions) if name not in going] if versions else []
    if displaced:
        raise InputError(
            f"To install {', '.join(versions)}, {', '.join(displaced)} would be removed: remove it yourself if"
            " nothing on this host needs it, then run again. Nothing was changed."
        )


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
