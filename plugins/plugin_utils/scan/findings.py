# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Scanners' results become findings of the report: one for each flaw or rule and object, whoever found it.

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Iterable, Iterator, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import (
    SCAN,
    SEVERITIES,
    STATUSES,
    Finding,
    ObjectRef,
    Remediation,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import Detection, ScanResult
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.platforms import System, fits

COMPLETED = "scan_completed"
CURRENT = "scan_data_current"
APPLIES = "scan_content_applies"
#: Our own controls about the scans themselves, by id: title, severity, and what to do.
_ABOUT: dict[str, tuple[str, str, str]] = {
    COMPLETED: ("Every scanner gave a result", "critical", "Mend what the message says and scan again."),
    CURRENT: (
        "The scanners compare with current vulnerability data",
        "high",
        "Fetch new data where there is a network, and hand it to the scanners.",
    ),
    APPLIES: (
        "The security guide is for this platform",
        "medium",
        "Choose the guide of this platform and release, docker_scan_guide.",
    ),
}
CONTROLS = tuple(_ABOUT)
_THREATS = {"host": ("T5",), "image": ("T7",), "container": ("T7",)}
_NAMED = 20


@dataclass(frozen=True)
class Scan:
    """One scanner's look at one object: what it gave, or the reason why it gave nothing.

    `no_guide` says that no security guide for the platform is installed, so that the scanner was not asked. `system` is
    what definitions were compared with; an imported report does not tell it.
    """

    subject: ObjectRef
    scanner: str
    result: ScanResult | None = None
    reason: str = ""
    cached: bool = False
    no_guide: bool = False
    system: System | None = None


def completed(result: ScanResult, told: Mapping[str, str]) -> ScanResult:
    """Return the result with what the scanner said of itself beside its output: version, content, content_date."""
    return replace(
        result,
        version=told.get("version") or result.version,
        content=told.get("content") or result.content,
        content_date=told.get("content_date") or result.content_date,
    )


def findings(scans: Sequence[Scan], host: str, today: date, max_age_days: int) -> list[Finding]:
    """Return the findings of a host's scans, those about the scans themselves first."""
    made = [_completed(subject, group) for subject, group in _by_subject(scans)]
    made.append(_current(scans, host, today, max_age_days))
    made.extend(_applies(scans))
    for subject, group in _by_subject(scans):
        made.extend(_detections(subject, group))
    return made


def _by_subject(scans: Sequence[Scan]) -> Iterator[tuple[ObjectRef, list[Scan]]]:
    for subject in dict.fromkeys(scan.subject for scan in scans):
        yield subject, [scan for scan in scans if scan.subject == subject]


def _own(control: str, status: str, subject: ObjectRef, evidence: Any, message: str) -> Finding:
    title, severity, advice = _ABOUT[control]
    return Finding(
        control=control,
        title=title,
        scope=subject.type,
        severity=severity,
        status=status,
        object=subject,
        refs={},
        threats=_THREATS[subject.type],
        evidence=evidence,
        message=message,
        remediation=Remediation(advice),
        source=SCAN,
    )


def _completed(subject: ObjectRef, scans: Sequence[Scan]) -> Finding:
    evidence: dict[str, Any] = {}
    reasons = []
    for scan in scans:
        if scan.no_guide:
            continue
        if scan.result is None:
            reasons.append(f"{scan.scanner}: {scan.reason}")
            continue
        result = scan.result
        told = {
            "version": result.version,
            "content": result.content,
            "content_date": result.content_date,
            "results": dict(result.counts) or dict(Counter(item.status for item in result.detections)),
            "cached": scan.cached,
        }
        evidence.setdefault(scan.scanner, []).append({name: value for name, value in told.items() if value != ""})
    reasons.extend(_unfit(scans))
    status = "error" if reasons else "pass"
    message = f"Not scanned: {' '.join(reasons)}" if reasons else ""
    return _own(COMPLETED, status, subject, evidence or None, message)


def _unfit(scans: Iterable[Scan]) -> Iterator[str]:
    """Say that no definitions are for this system, where some were compared with it."""
    compared = [(scan.system, scan.result) for scan in scans if scan.system is not None and scan.result is not None]
    if not compared or any(fits(name, system) for system, result in compared for name in result.platforms):
        return
    named = sorted({name for _system, result in compared for name in result.platforms})[:_NAMED]
    told = ", ".join(named) or "no platform that they name"
    yield f"openscap: the definitions are for {told}, and this is {compared[0][0]}; give its own, or another scanner."


def _current(scans: Sequence[Scan], host: str, today: date, max_age_days: int) -> Finding:
    """Judge the data of each scanner by its oldest date; where there is none to judge, that is said."""
    subject = ObjectRef("host", host, host)
    dates: dict[str, str] = {}
    for scan in scans:
        if scan.result is None or not scan.result.vulnerabilities:
            continue
        name = f"{scan.scanner}, {scan.result.content}"
        dates[name] = min(dates.get(name, scan.result.content_date), scan.result.content_date)
    if not dates:
        return _own(CURRENT, "not_applicable", subject, None, "No scanner compared with vulnerability data.")
    evidence = {"dates": dates, "allowed_days": max_age_days}
    old = [f"{name} is of {when}" for name, when in dates.items() if when and _age(when, today) > max_age_days]
    if old:
        return _own(CURRENT, "fail", subject, evidence, f"Older than {max_age_days} days: {'; '.join(old)}.")
    unknown = [name for name, when in dates.items() if not when]
    if unknown:
        message = f"How old its data is, the scanner does not say: {'; '.join(unknown)}."
        return _own(CURRENT, "manual", subject, evidence, message)
    return _own(CURRENT, "pass", subject, evidence, "")


def _age(when: str, today: date) -> int:
    try:
        return (today - date.fromisoformat(when)).days
    except ValueError:
        return 1 << 30


def _applies(scans: Iterable[Scan]) -> Iterator[Finding]:
    """Say of each guide whether any of its rules applies: one for another release finds nothing wrong."""
    for scan in scans:
        if scan.no_guide:
            yield _own(APPLIES, "fail", scan.subject, None, "No guide for this platform and release is installed.")
        if scan.result is None or scan.result.vulnerabilities or not scan.result.detections:
            continue
        count = Counter(item.status for item in scan.result.detections)
        fits = count["not_applicable"] < len(scan.result.detections)
        told = "" if fits else f"None of its {len(scan.result.detections)} rules applies: {scan.result.content}."
        evidence = {"content": scan.result.content, "not_applicable": count["not_applicable"]}
        yield _own(APPLIES, "pass" if fits else "fail", scan.subject, evidence, told)


def _detections(subject: ObjectRef, scans: Iterable[Scan]) -> Iterator[Finding]:
    grouped: dict[str, list[tuple[str, Detection]]] = {}
    for scan in scans:
        for item in scan.result.detections if scan.result else ():
            grouped.setdefault(item.id, []).append((scan.scanner, item))
    for identifier, found in grouped.items():
        yield _finding(identifier, subject, found)


def _finding(identifier: str, subject: ObjectRef, found: Sequence[tuple[str, Detection]]) -> Finding:
    """Join what several scanners, or one about several packages, say of one flaw: the worst verdict counts."""
    items = [item for _scanner, item in found]
    status = min((item.status for item in items), key=STATUSES.index)
    packages = list(
        {
            (item.package, item.installed): _package(item) for item in items if item.package and item.status == status
        }.values()
    )
    evidence: dict[str, Any] = {"scanners": sorted({scanner for scanner, _item in found})}
    evidence.update({"packages": packages} if packages else {})
    evidence.update({"url": url} if (url := next((item.url for item in items if item.url), "")) else {})
    return Finding(
        control=identifier,
        title=next((item.title for item in items if item.title), identifier),
        scope=subject.type,
        severity=min((item.severity for item in items), key=SEVERITIES.index),
        status=status,
        object=subject,
        refs={},
        threats=_THREATS[subject.type],
        evidence=evidence,
        message=_message(status, packages),
        remediation=Remediation(_advice(subject, packages)),
        source=SCAN,
    )


def _package(item: Detection) -> dict[str, str]:
    named = {"name": item.package, "installed": item.installed, "fixed": item.fixed}
    return {name: value for name, value in named.items() if value}


def _message(status: str, packages: Sequence[Mapping[str, str]]) -> str:
    if status == "pass":
        return ""
    if not packages:
        told = {
            "fail": "The scanner found it.",
            "error": "The scanner could not decide.",
            "manual": "The scanner leaves it to a person.",
            "not_applicable": "The scanner says that it does not apply here.",
        }
        return told[status]
    parts = [
        f"{item['name']} {item.get('installed', '')}".rstrip()
        + (f" (fixed in {item['fixed']})" if "fixed" in item else " (no fix known)")
        for item in packages[:_NAMED]
    ]
    more = f" and {len(packages) - _NAMED} more" if len(packages) > _NAMED else ""
    return f"Found in {', '.join(parts)}{more}."


def _advice(subject: ObjectRef, packages: Sequence[Mapping[str, str]]) -> str:
    if not packages and subject.type == "host":
        return "Follow the rule in the guide or definition of this id."
    if subject.type == "host":
        return "Install the packages' updates."
    return "Build the image anew on a current base, with the packages' updates, and replace its containers."
