# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Accepted failures. A waiver turns a failure into a waived finding until its date; it never hides one.

from __future__ import annotations

import re
from dataclasses import fields, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Collection, Iterable, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding, Waiver
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.findings import CONTROLS
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import load_list

_FIELDS = {item.name for item in fields(Waiver)} - {"source"}
_REQUIRED = ("control", "reason", "owner", "expires")
#: What a waiver may be about: failures, and what may be one.
_OPEN = ("fail", "error", "manual")
#: Ids of the catalogue; those that scanners use always have another character.
_CATALOGUE_ID = re.compile(r"[a-z][a-z0-9_]*")


def parse(raw: Any, source: str, known_controls: Collection[str] | None) -> Waiver:
    """Build a waiver from its YAML form; InputError says what is wrong, where, and what to write instead.

    Without known controls any id is taken: a scan does not know the controls of the user's rule files.
    """
    if not isinstance(raw, dict):
        raise InputError(f"{source}: a waiver is a mapping with {', '.join(_REQUIRED)}, not {raw!r}.")
    where = f"{source}: the waiver of {raw.get('control', '?')!r}"
    unknown = sorted(set(raw) - _FIELDS, key=str)
    if unknown:
        raise InputError(f"{where} has the unknown key {unknown[0]!r}; it knows {', '.join(sorted(_FIELDS))}.")
    # YAML reads an unquoted 2027-01-31 as a date
    values = {name: value.isoformat() if isinstance(value, date) else value for name, value in raw.items()}
    missing = [name for name in dict.fromkeys((*_REQUIRED, *values)) if not str(values.get(name) or "").strip()]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}; a waiver says why, who accepts it, and until when.")
    wrong = [name for name, value in values.items() if not isinstance(value, str)]
    if wrong:
        raise InputError(f"{where}: {wrong[0]} has to be text, not {values[wrong[0]]!r}.")
    if not _is_date(values["expires"]):
        raise InputError(f"{where}: expires is {values['expires']!r}; write a date such as 2027-01-31.")
    if known_controls is not None and values["control"] not in known_controls and not of_scans(values["control"]):
        raise InputError(f"{where} names no control; docs/controls.md lists every id.")
    return Waiver(source=source, **values)


def _is_date(text: str) -> bool:
    """Tell whether it is a date as `isoformat` writes it; Python 3.11 reads others too, which don't sort by time."""
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def of_scans(control: str) -> bool:
    """Tell whether it is the id of what a scanner finds (CVE-2026-0001) or of a control about scans."""
    return control in CONTROLS or not _CATALOGUE_ID.fullmatch(control)


def load(paths: Iterable[Path], known_controls: Collection[str] | None) -> list[Waiver]:
    """Read waiver files, each a YAML list; InputError for what can't be read or is wrong (see `parse`)."""
    return [
        parse(item, path.name, known_controls)
        for path in paths
        for item in load_list(path, "waivers", "docs/waivers.md")
    ]


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

    A waiver holds through its last day (UTC). A failure under an expired one stays a failure, and its message says so.
    What is not decided stays so as well; whether its waiver is needed, nobody knows, so that it counts as used.
    """
    used: set[Waiver] = set()
    marked = []
    for finding in findings:
        covering = [waiver for waiver in waivers if finding.status in _OPEN and _covers(waiver, finding, host)]
        used.update(covering)
        marked.append(_marked(finding, max(covering, key=lambda item: item.expires), today) if covering else finding)
    unused = [waiver for waiver in waivers if waiver not in used and fnmatchcase(host, waiver.hosts)]
    return marked, unused


def _marked(finding: Finding, waiver: Waiver, today: date) -> Finding:
    if finding.status != "fail":
        told = f"{finding.message} The waiver of {waiver.owner} accepts a failure only."
        return replace(finding, waiver=waiver, message=told)
    if date.fromisoformat(waiver.expires) < today:
        told = f"{finding.message} The waiver of {waiver.owner} expired on {waiver.expires}."
        return replace(finding, waiver=waiver, message=told)
    told = f"Accepted by {waiver.owner} until {waiver.expires}: {waiver.reason}"
    return replace(finding, status="waived", waiver=waiver, message=told)
