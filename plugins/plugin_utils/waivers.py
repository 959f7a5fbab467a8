# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Accepted failures. A waiver turns a failure into a waived finding until its date; it never hides one.

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Iterable, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding, Waiver
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.findings import CONTROLS
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import load_list

_FIELDS = {item.name for item in fields(Waiver)} - {"source"}
_REQUIRED = ("control", "reason", "owner", "expires")
#: Ids of the catalogue; those that scanners use always have another character.
_CATALOGUE_ID = re.compile(r"[a-z][a-z0-9_]*")


def parse(raw: Any, source: str, known_controls: Iterable[str]) -> Waiver:
    """Build a waiver from its YAML form; InputError says what is wrong, where, and what to write instead."""
    if not isinstance(raw, dict):
        raise InputError(f"{source}: a waiver is a mapping with {', '.join(_REQUIRED)}, not {raw!r}.")
    where = f"{source}: the waiver of {raw.get('control', '?')!r}"
    unknown = sorted(set(raw) - _FIELDS)
    if unknown:
        raise InputError(f"{where} has the unknown key {unknown[0]!r}; it knows {', '.join(sorted(_FIELDS))}.")
    # YAML reads an unquoted 2027-01-31 as a date
    values = {name: value.isoformat() if isinstance(value, date) else value for name, value in raw.items()}
    missing = [name for name in _REQUIRED if not values.get(name)]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}; a waiver says why, who accepts it, and until when.")
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise InputError(f"{where}: {wrong[0]} has to be text, not {values[wrong[0]]!r}.")
    try:
        date.fromisoformat(values["expires"])
    except ValueError:
        raise InputError(f"{where}: expires is {values['expires']!r}; write a date such as 2027-01-31.") from None
    if values["control"] not in known_controls and not of_scans(values["control"]):
        raise InputError(f"{where} names no control; docs/controls.md lists every id.")
    return Waiver(source=source, **values)


def of_scans(control: str) -> bool:
    """Tell whether it is the id of what a scanner finds (CVE-2026-0001) or of a control about scans."""
    return control in CONTROLS or not _CATALOGUE_ID.fullmatch(control)


def load(paths: Iterable[Path], known_controls: Iterable[str]) -> list[Waiver]:
    """Read waiver files, each a YAML list; InputError for what can't be read or is wrong."""
    known = set(known_controls)
    return [parse(item, path.name, known) for path in paths for item in load_list(path, "waivers", "docs/waivers.md")]


def _covers(waiver: Waiver, finding: Finding, host: str) -> bool:
    return (
        waiver.control == finding.control
        and fnmatchcase(host, waiver.hosts)
        and any(fnmatchcase(name, waiver.objects) for name in (finding.object.name, finding.object.id))
    )


def apply(
    waivers: Sequence[Waiver], findings: Iterable[Finding], host: str, today: date
) -> tuple[list[Finding], list[Waiver]]:
    """Mark the failures that a waiver covers; return the findings and the waivers for this host that cover nothing.

    A waiver holds through its last day. A failure under an expired one stays a failure, and its message says so.
    """
    used: set[Waiver] = set()
    marked = []
    for finding in findings:
        covering = [waiver for waiver in waivers if finding.status == "fail" and _covers(waiver, finding, host)]
        used.update(covering)
        if covering:
            waiver = max(covering, key=lambda item: item.expires)
            if date.fromisoformat(waiver.expires) >= today:
                told = f"Accepted by {waiver.owner} until {waiver.expires}: {waiver.reason}"
                marked.append(replace(finding, status="waived", waiver=waiver, message=told))
            else:
                told = f"{finding.message} The waiver of {waiver.owner} expired on {waiver.expires}."
                marked.append(replace(finding, waiver=waiver, message=told))
        else:
            marked.append(finding)
    unused = [waiver for waiver in waivers if waiver not in used and fnmatchcase(host, waiver.hosts)]
    return marked, unused
