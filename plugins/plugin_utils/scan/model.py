# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The one form into which the results of every scanner are brought. Nothing here knows Ansible or a scanner.

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

#: Bytes of a scanner's output, unpacked. OpenSCAP's results of a whole guide have 7 MB, a distribution's OVAL 60 MB.
MAX_BYTES = 128 << 20
#: Detections in one output; an image with more was not scanned by a scanner in order.
MAX_DETECTIONS = 20_000
_MAX_TEXT = 500
#: The words of the scanners for a severity. What nobody rated is taken as medium, since it may be anything.
_SEVERITIES = {
    "critical": "critical",
    "high": "high",
    "important": "high",
    "medium": "medium",
    "moderate": "medium",
    "low": "low",
    "minor": "low",
    "negligible": "low",
    "info": "low",
    "informational": "low",
    "none": "low",
}
_UNRATED = "medium"


class ScanError(InputError):
    """A scanner's output can't be read; the text says what is wrong with it."""


@dataclass(frozen=True)
class Detection:
    """What a scanner says about one flaw or one rule; `status` is one of the report's.

    `package`, `installed` and `fixed` are empty for a rule, `fixed` also where there is no fix yet.
    """

    id: str
    status: str
    severity: str
    title: str = ""
    package: str = ""
    installed: str = ""
    fixed: str = ""
    url: str = ""


@dataclass(frozen=True)
class ScanResult:
    """The output of one scanner about one object.

    `content` is what it compared with, and `content_date` its ISO date, empty where the output does not say.
    `vulnerabilities` is false for a guide's rules, which don't age as vulnerability data does. `counts` are the
    scanner's own verdicts, `platforms` what OVAL definitions say that they are about.
    """

    scanner: str
    version: str = ""
    content: str = ""
    content_date: str = ""
    vulnerabilities: bool = True
    detections: tuple[Detection, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()


def severity(word: Any) -> str:
    """Return the report's severity for a scanner's word."""
    return _SEVERITIES.get(str(word or "").strip().lower(), _UNRATED)


def text(value: Any) -> str:
    """Return what a scanner wrote as one line, cut where it is very long; empty for anything but text and numbers."""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return ""
    line = " ".join(str(value).split())
    return line if len(line) <= _MAX_TEXT else line[:_MAX_TEXT] + " …"


def iso_date(value: Any) -> str:
    """Return the date at the start of an ISO time stamp, else nothing."""
    found = text(value)[:10]
    parts = found.split("-")
    right = [len(part) for part in parts] == [4, 2, 2] and all(part.isdecimal() for part in parts)
    return found if right else ""
