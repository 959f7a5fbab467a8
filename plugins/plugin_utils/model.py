# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The nouns of an audit: control, finding, waiver, host report. Nothing here knows Ansible.

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping

SCHEMA_VERSION = 1
#: Every status that a finding can have, worst first.
STATUSES = ("fail", "error", "waived", "manual", "not_applicable", "pass")
#: Severities, worst first.
SEVERITIES = ("critical", "high", "medium", "low")
SCOPES = ("host", "daemon", "file", "image", "container", "network", "registry", "swarm")
PROFILES = ("baseline", "strict")
THREATS = ("T1", "T2", "T3", "T4", "T5", "T6", "T7", "T8")
#: Where a finding comes from: a control of the catalogue, or a scanner.
AUDIT, SCAN = "audit", "scan"
#: The name of a swarm task's container, and what is new in it for each task: service.slot.task or service.node.task.
_TASK = re.compile(r"(.+)\.[0-9a-z]{25}")


def lasting_name(subject: Mapping[str, str]) -> str:
    """Return the name by which an object is known over time: a service's container is named anew at each deployment."""
    task = _TASK.fullmatch(subject["name"]) if subject["type"] == "container" else None
    return task[1] if task else subject["name"]


@dataclass(frozen=True)
class Remediation:
    """How to make a control pass: prose, and the role input of this collection that does it (both or neither)."""

    text: str
    role: str | None = None
    variable: str | None = None


@dataclass(frozen=True)
class Control:
    """One rule of the catalogue; `select`, `applies`, `expect`, `evidence` and a textual `manual` are JMESPath source.

    `select` says which objects of the scope the control is about, `applies` whether such an object can be judged,
    `not_applicable` is the message where it can't.
    """

    id: str
    title: str
    scope: str
    severity: str
    profiles: tuple[str, ...]
    threats: tuple[str, ...]
    refs: Mapping[str, str]
    remediation: Remediation
    expect: str | None = None
    select: str | None = None
    applies: str | None = None
    not_applicable: str = ""
    manual: str | bool = False
    evidence: str | None = None
    rationale: str = ""
    tests: Mapping[str, list[dict[str, Any]]] = field(default_factory=dict)
    source: str = ""

    @property
    def tags(self) -> frozenset[str]:
        """Names by which a user may select the control, besides its id: scope, severity, threats, CIS ids."""
        names = {self.scope, self.severity, *self.threats}
        for edition, number in self.refs.items():
            names.add(f"{edition}:{number}")
            if edition.startswith("cis_"):
                names.update((number, "cis_" + number.replace(".", "_")))
        return frozenset(names)


@dataclass(frozen=True)
class ObjectRef:
    """What a finding is about: `type` is the control's scope, `name` what a person calls the object."""

    type: str
    id: str
    name: str


@dataclass(frozen=True)
class Waiver:
    """An accepted failure: control id, shell patterns for host and object, why, who, and until when (ISO date)."""

    control: str
    reason: str
    owner: str
    expires: str
    hosts: str = "*"
    objects: str = "*"
    source: str = ""


@dataclass(frozen=True)
class Finding:
    """One control applied to one object of one host; of a scanner's, `control` is the id of a flaw or rule."""

    control: str
    title: str
    scope: str
    severity: str
    status: str
    object: ObjectRef
    refs: Mapping[str, str]
    threats: tuple[str, ...]
    evidence: Any
    message: str
    remediation: Remediation
    waiver: Waiver | None = None
    source: str = AUDIT

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (report schema 1)."""
        # written out, since dataclasses.asdict copies deeply and a host can have ten thousand findings
        return {
            **vars(self),
            "object": vars(self.object),
            "refs": dict(self.refs),
            "remediation": vars(self.remediation),
            "waiver": vars(self.waiver) if self.waiver else None,
        }


def summarise(findings: Iterable[Finding]) -> dict[str, int]:
    """Count findings by status; every status is present, so that a consumer never meets a missing key."""
    counts = Counter(finding.status for finding in findings)
    return {status: counts.get(status, 0) for status in STATUSES}


def score(findings: Iterable[Finding]) -> int | None:
    """Percentage of decided controls that pass, rounded down; None where nothing was decided.

    A control passes when every object it was applied to passes; an error counts as not passing, and waived, manual
    and not applicable findings decide nothing. Rounding down keeps 100 for hosts without any failure. What scanners
    found is left out, since a flaw that nobody found is no control that passes.
    """
    decided: dict[str, bool] = {}
    for finding in findings:
        if finding.source == AUDIT and finding.status in {"pass", "fail", "error"}:
            decided[finding.control] = decided.get(finding.control, True) and finding.status == "pass"
    return 100 * sum(decided.values()) // len(decided) if decided else None


@dataclass(frozen=True)
class HostReport:
    """One host's part of a report; `assessed` is false when the host could not be examined, and `reason` says why."""

    host: str
    assessed: bool
    reason: str | None
    engine: Mapping[str, Any]
    summary: Mapping[str, int]
    score: int | None
    findings: tuple[Finding, ...]
    #: waivers that name this host and cover no failure of it
    unused_waivers: tuple[Waiver, ...] = ()
    #: the run that judged the host: how a later run knows a file that is not its own
    run: str = ""
    #: when the host was seen (UTC, ISO 8601); of saved evidence, when it was collected
    assessed_at: str = ""

    @classmethod
    def of(
        cls, host: str, findings: Iterable[Finding], engine: Mapping[str, Any], unused_waivers: Iterable[Waiver] = ()
    ) -> HostReport:
        """Build the report of a host that was examined."""
        listed = tuple(findings)
        return cls(host, True, None, dict(engine), summarise(listed), score(listed), listed, tuple(unused_waivers))

    @classmethod
    def not_assessed(cls, host: str, reason: str, engine: Mapping[str, Any] | None = None) -> HostReport:
        """Build the report of a host that could not be examined."""
        return cls(host, False, reason, dict(engine or {}), summarise(()), None, ())

    @property
    def failures(self) -> dict[str, int]:
        """Findings that are fail or error, by severity; every severity is present."""
        counts = Counter(finding.severity for finding in self.findings if finding.status in {"fail", "error"})
        return {severity: counts.get(severity, 0) for severity in SEVERITIES}

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (report schema 1)."""
        return {
            **vars(self),
            "findings": [finding.to_dict() for finding in self.findings],
            "unused_waivers": [vars(waiver) for waiver in self.unused_waivers],
        }
