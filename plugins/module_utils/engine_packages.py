# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine's packages in a chosen version, held there and upgraded when told to.

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.package_managers import Manager


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
