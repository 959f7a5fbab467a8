# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The catalogue: reads files of controls, merges the user's into the collection's, and selects among them.

from __future__ import annotations

import difflib
from functools import lru_cache
from pathlib import Path
from typing import Iterable, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.controls import (
    CompiledControl,
    compile_control,
    parse_control,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import PROFILES, Control
from ansible_collections.breakwater.docker.plugins.plugin_utils.rules import self_test
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import load_list

CATALOGUE_DIRECTORY = Path(__file__).parent / "catalogue"


def load_file(path: Path) -> list[tuple[Control, bool]]:
    """Read the controls of a file, each with its `override`; InputError for what can't be read or is wrong."""
    raw = load_list(path, "controls", "docs/writing_rules.md")
    return [(parse_control(item, path.name), isinstance(item, dict) and bool(item.get("override"))) for item in raw]


@lru_cache(maxsize=1)
def builtin() -> Mapping[str, CompiledControl]:
    """Return the collection's own controls by id, in the order of the files."""
    controls: dict[str, CompiledControl] = {}
    for path in sorted(CATALOGUE_DIRECTORY.glob("*.yml")):
        _merge(controls, path)
    return controls


def _merge(controls: dict[str, CompiledControl], path: Path) -> list[CompiledControl]:
    added = []
    for control, override in load_file(path):
        if control.id in controls and not override:
            raise InputError(
                f"{path.name}: control {control.id!r} exists already, in {controls[control.id].control.source}; "
                "give it another id, or say override: true to replace that one."
            )
        if override and control.id not in controls:
            raise InputError(f"{path.name}: control {control.id!r} overrides nothing; remove override or mend the id.")
        controls[control.id] = compile_control(control)
        added.append(controls[control.id])
    return added


def load(rule_files: Iterable[Path] = ()) -> Mapping[str, CompiledControl]:
    """Return the catalogue with the user's rule files merged in; their examples are run, InputError when one fails."""
    controls = dict(builtin())
    for path in rule_files:
        for compiled in _merge(controls, path):
            for complaint in self_test(compiled):
                raise InputError(f"{path.name}: {complaint}")
    return controls


def select(
    controls: Mapping[str, CompiledControl], profile: str, selectors: Sequence[str] = ()
) -> list[CompiledControl]:
    """Return the controls of a profile that any selector names, all of them when there are no selectors.

    A selector is a control id, a CIS number (`5.10`, `cis_5_10`; `cis_1_8:5.10` for one edition), a CIS section
    (`5`), a scope, a severity, or a threat (`T4`). InputError for one that names nothing in the whole catalogue.
    """
    if profile not in PROFILES:
        raise InputError(f"The profile {profile!r} is unknown; use one of {', '.join(PROFILES)}.")
    wanted = set(selectors)
    chosen: list[CompiledControl] = []
    used: set[str] = set()
    for compiled in controls.values():
        control = compiled.control
        sections = {number.split(".")[0] for name, number in control.refs.items() if name.startswith("cis_")}
        named = wanted & ({control.id} | control.tags | sections)
        used |= named
        # a control that is named by its own id is meant, whatever the profile
        if control.id in named or (profile in control.profiles and (named or not wanted)):
            chosen.append(compiled)
    for unknown in sorted(wanted - used):
        known = {name for item in controls.values() for name in {item.control.id} | item.control.tags}
        near = difflib.get_close_matches(unknown, known, 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "docs/controls.md lists every id."
        raise InputError(f"No control is named {unknown!r}; {hint}")
    return chosen
