# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the renderers show of a fleet. Hosts are added one after another, in their JSON form, and only their sums and
# the findings that need a person are kept: a thousand hosts have more than a million findings.

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SEVERITIES, STATUSES, THREATS
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.drift import BAD, Drift, key_of
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import moment

#: Which status stands for a control that has several on a host, worst first.
VERDICTS = ("fail", "error", "waived", "manual", "pass", "not_applicable")
_RANK = {status: rank for rank, status in enumerate(VERDICTS)}
_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(SEVERITIES)}
_EVIDENCE_LIMIT = 600
_DAY = timedelta(days=1)


@dataclass
class ControlRow:
    """One control over the whole fleet."""

    index: int
    id: str
    title: str
    scope: str
    severity: str
    refs: Mapping[str, str]
    threats: tuple[str, ...]
    remediation: Mapping[str, Any]
    #: hosts by the control's verdict on them
    hosts: Counter[str] = field(default_factory=Counter)
    #: what was found, once for all hosts that say the same
    places: dict[tuple[str, str, str], list[Group]] = field(default_factory=dict)

    @property
    def failing(self) -> int:
        """Hosts on which the control fails or can't be decided."""
        return self.hosts["fail"] + self.hosts["error"]

    @property
    def rank(self) -> tuple[bool, int, int, str]:
        """Sort key: failing controls first, then by severity and by the number of failing hosts."""
        return (not self.failing, _SEVERITY_RANK[self.severity], -self.failing, self.id)


@dataclass
class Group:
    """The findings of one control on one host that say the same about several objects."""

    host: HostRow
    control: ControlRow
    status: str
    message: str
    evidence: str
    new: bool
    objects: list[str] = field(default_factory=list)

    @property
    def names(self) -> str:
        """The objects' names, unless the only one is the host or its daemon and says nothing."""
        return ", ".join(name for name in self.objects if name not in {self.host.name, self.control.scope})


@dataclass
class HostRow:
    """One host of the fleet."""

    name: str
    assessed: bool
    reason: str | None
    engine: str
    #: whether there is a result, be it that the host's engine can't be examined
    answered: bool
    score: int | None
    summary: Mapping[str, int]
    #: what probes proved in the same run
    proof: Mapping[str, Any] | None = None
    #: what they had proved of the threats by an earlier report
    threats_before: Mapping[str, Any] = field(default_factory=dict)
    #: when it was seen (UTC, ISO 8601); empty where its file does not say so
    assessed_at: str = ""
    index: int = 0
    #: failing findings by severity
    failures: Counter[str] = field(default_factory=Counter)
    #: verdict by control id
    verdicts: dict[str, str] = field(default_factory=dict)
    groups: list[Group] = field(default_factory=list)

    @property
    def rank(self) -> tuple[bool, int, tuple[int, ...], str]:
        """Sort key: hosts that were not assessed first, then the lowest score, then the gravest failures."""
        score = 101 if self.score is None else self.score
        return (self.assessed, score, tuple(-self.failures[severity] for severity in SEVERITIES), self.name)


@dataclass
class WaiverUse:
    """A waiver and the findings of the fleet that it names: accepted ones, and those that still fail or are open."""

    waiver: Mapping[str, Any]
    control: ControlRow
    findings: Counter[str] = field(default_factory=Counter)
    hosts: set[str] = field(default_factory=set)


class Fleet:
    """The sums of a report; `add` takes the hosts, `finish` sorts them worst first."""

    def __init__(self, generated_at: str, collection: str, drift: Drift | None = None) -> None:
        self.generated_at = generated_at
        self.collection = collection
        self.drift = drift
        self.hosts: list[HostRow] = []
        self.controls: dict[str, ControlRow] = {}
        self._unused: dict[str, Mapping[str, Any]] = {}
        self._used: dict[str, WaiverUse] = {}

    def add(self, report: Mapping[str, Any]) -> None:
        """Take a host's report in its JSON form."""
        new = self.drift.compare(report) if self.drift else frozenset()
        version = report["engine"].get("version")
        host = HostRow(
            *(report["host"], report["assessed"], report["reason"], str(version or "")),
            *(report["assessed"] or bool(report["engine"]), report["score"]),
            *(report["summary"], report.get("proof")),
            self.drift.threats_before.get(report["host"], {}) if self.drift else {},
            report.get("assessed_at", ""),
        )
        groups: dict[tuple[str, str, str, str, bool], Group] = {}
        for finding in report["findings"]:
            control, status = self._control(finding), finding["status"]
            known = host.verdicts.get(control.id)
            if known is None or _RANK[status] < _RANK[known]:
                host.verdicts[control.id] = status
            if status in BAD:
                host.failures[finding["severity"]] += 1
            if finding["waiver"]:
                use = self._used.setdefault(_text(finding["waiver"]), WaiverUse(finding["waiver"], control))
                use.findings[status] += 1
                use.hosts.add(host.name)
            if status in {"pass", "not_applicable"}:
                continue
            is_new = bool(new) and status in BAD and key_of(finding) in new
            identity = (control.id, status, finding["message"], describe(finding["evidence"]), is_new)
            if identity not in groups:
                groups[identity] = Group(host, control, *identity[1:])
            groups[identity].objects.append(finding["object"]["name"])
        host.groups = sorted(groups.values(), key=_group_rank)
        for group in host.groups:
            group.control.places.setdefault((group.status, group.message, group.evidence), []).append(group)
        for control_id, verdict in host.verdicts.items():
            self.controls[control_id].hosts[verdict] += 1
        self._unused.update((_text(waiver), waiver) for waiver in report.get("unused_waivers", ()))
        self.hosts.append(host)

    def finish(self) -> Fleet:
        """Sort hosts and controls worst first and number the hosts; the controls keep their own numbers."""
        if self.drift:
            self.drift.finish()
        self.hosts.sort(key=lambda host: host.rank)
        for index, host in enumerate(self.hosts):
            host.index = index
        self.controls = {control.id: control for control in sorted(self.controls.values(), key=lambda c: c.rank)}
        return self

    def _control(self, finding: Mapping[str, Any]) -> ControlRow:
        control = self.controls.get(finding["control"])
        if control is None:
            shared = {name: finding[name] for name in ("title", "scope", "severity", "refs", "remediation")}
            control = ControlRow(
                index=len(self.controls), id=finding["control"], threats=tuple(finding["threats"]), **shared
            )
            self.controls[control.id] = control
        return control

    @property
    def summary(self) -> dict[str, int]:
        """Findings of all hosts by status."""
        return {status: sum(host.summary[status] for host in self.hosts) for status in STATUSES}

    @property
    def score(self) -> int | None:
        """Mean of the hosts' scores, rounded down; None where no host has one."""
        scores = [host.score for host in self.hosts if host.score is not None]
        return sum(scores) // len(scores) if scores else None

    @property
    def failures(self) -> dict[str, int]:
        """Failing findings of all hosts by severity."""
        return {severity: sum(host.failures[severity] for host in self.hosts) for severity in SEVERITIES}

    @property
    def not_assessed(self) -> list[HostRow]:
        """The hosts about which nothing is known."""
        return [host for host in self.hosts if not host.assessed]

    @property
    def outdated(self) -> list[HostRow]:
        """The assessed hosts that were last seen more than a day before this report, the longest ago first."""
        made = moment(self.generated_at)
        old = [
            host for host in self.hosts if host.assessed and host.assessed_at and made - moment(host.assessed_at) > _DAY
        ]
        return sorted(old, key=lambda host: host.assessed_at)

    @property
    def proven(self) -> list[HostRow]:
        """The hosts on which probes were run or should have been."""
        return [host for host in self.hosts if host.proof]

    @property
    def failing_controls(self) -> list[ControlRow]:
        """Controls that fail somewhere, gravest first."""
        return sorted((c for c in self.controls.values() if c.failing), key=lambda control: control.rank)

    @property
    def waivers(self) -> list[WaiverUse]:
        """The waivers that name a finding, the first to expire first."""
        return sorted(self._used.values(), key=lambda use: (use.waiver["expires"], use.control.id))

    @property
    def unused_waivers(self) -> list[Mapping[str, Any]]:
        """Waivers that cover no failure of any host."""
        return [waiver for text, waiver in sorted(self._unused.items()) if text not in self._used]

    def threats(self) -> Iterator[tuple[str, int, int]]:
        """Yield each threat with the number of controls against it that fail somewhere and that are decided."""
        for threat in THREATS:
            against = [control for control in self.controls.values() if threat in control.threats]
            decided = [control for control in against if control.failing or control.hosts["pass"]]
            yield threat, sum(1 for control in decided if control.failing), len(decided)


def describe(evidence: Any) -> str:
    """Write evidence as one line for people, cut where it is very long; report.json has all of it."""
    if evidence is None:
        return ""
    if isinstance(evidence, dict):
        text = "; ".join(f"{name}: {_scalar(value)}" for name, value in evidence.items())
    else:
        text = _scalar(evidence)
    return text if len(text) <= _EVIDENCE_LIMIT else text[:_EVIDENCE_LIMIT] + " … (cut; report.json has all of it)"


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(waiver: Mapping[str, Any]) -> str:
    return json.dumps(waiver, sort_keys=True)


def _group_rank(group: Group) -> tuple[int, int, str]:
    return (_RANK[group.status], _SEVERITY_RANK[group.control.severity], group.control.id)
