# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Results of OpenSCAP: XCCDF 1.1 and 1.2 (alone, or within an ARF), and OVAL 5.
# Sources: NIST IR 7275r4 (XCCDF), NIST IR 7694 (ARF), the OVAL language's results schema.

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Iterator
from xml.etree import ElementTree as ET

from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import (
    MAX_DETECTIONS,
    Detection,
    ScanError,
    ScanResult,
    iso_date,
    severity,
    text,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.readers import elements, local_name

_NAME = "OpenSCAP"
_RULE_STATUS = {
    "pass": "pass",
    "fixed": "pass",
    "fail": "fail",
    "error": "error",
    "unknown": "error",
    "notapplicable": "not_applicable",
    "notchecked": "manual",
    "informational": "manual",
}
_NOT_SELECTED = "notselected"
#: Classes of OVAL definitions, by whether the result true means that something is wrong.
_WRONG_WHEN = {"vulnerability": True, "patch": True, "compliance": False}
_UNDECIDED = ("error", "unknown")
#: Elements that are not needed once they are read; an ARF holds the whole guide, and OVAL's account of the system.
_DONE = frozenset({"Rule", "rule-result", "Value", "Profile", "definition", "test", "item", "system", "data-stream"})


@dataclass
class _Guide:
    """What an XCCDF document says outside of its results."""

    identifier: str = ""
    version: str = ""
    date: str = ""
    titles: dict[str, str] = field(default_factory=dict)


def _closed(data: bytes) -> Iterator[tuple[str, list[str], ET.Element]]:
    """Yield each element at its end, with its name and the names around it; large ones are emptied after use."""
    path: list[str] = []
    for event, element in elements(data):
        name = local_name(element)
        if event == "start":
            path.append(name)
            continue
        path.pop()
        yield name, path, element
        if name in _DONE:
            element.clear()


def xccdf(data: bytes) -> ScanResult:
    """Read XCCDF results or an ARF; rules that the profile does not select are only counted."""
    guide, version, counts = _Guide(), "", Counter[str]()
    detections: list[Detection] = []
    results = 0
    for name, path, element in _closed(data):
        parent = path[-1] if path else ""
        if name == "TestResult":
            results += 1
            version = text(element.get("test-system", "")).rpartition(":")[2]
            guide.identifier = guide.identifier or _benchmark(element)
        elif name == "rule-result":
            detection = _rule(element, counts)
            if detection:
                detections.append(detection)
        elif name == "title" and parent == "Rule":
            guide.titles[""] = text("".join(element.itertext()))
        elif name == "Rule":
            guide.titles[text(element.get("id"))] = guide.titles.pop("", "")
        elif parent == "Benchmark":
            _benchmark_child(guide, name, element)
        if name == "Benchmark":
            guide.identifier = text(element.get("id"))
        if len(detections) > MAX_DETECTIONS:
            raise ScanError(f"it has more than {MAX_DETECTIONS} results")
    if not results:
        raise ScanError("it has no XCCDF results")
    return ScanResult(
        scanner=_NAME,
        version=version,
        content=" ".join(filter(None, (guide.identifier.rpartition("content_benchmark_")[2], guide.version))),
        content_date=guide.date,
        vulnerabilities=False,
        detections=tuple(replace(item, title=guide.titles.get(item.id) or item.id) for item in detections),
        counts=dict(counts),
    )


def _benchmark(result: ET.Element) -> str:
    return next((text(item.get("id")) for item in result if local_name(item) == "benchmark"), "")


def _benchmark_child(guide: _Guide, name: str, element: ET.Element) -> None:
    if name == "status":
        guide.date = max(guide.date, iso_date(element.get("date")))
    elif name == "version":
        guide.version = text(element.text)


def _rule(element: ET.Element, counts: Counter[str]) -> Detection | None:
    verdict = next((text(item.text) for item in element if local_name(item) == "result"), "")
    counts[verdict] += 1
    if verdict == _NOT_SELECTED:
        return None
    return Detection(
        id=text(element.get("idref")),
        status=_RULE_STATUS.get(verdict, "error"),
        severity=severity(element.get("severity")),
    )


@dataclass
class _Definition:
    """An OVAL definition as far as a person wants to know."""

    kind: str = ""
    title: str = ""
    severity: str = ""
    cves: tuple[str, ...] = ()
    url: str = ""
    platforms: tuple[str, ...] = ()


def oval(data: bytes) -> ScanResult:
    """Read OVAL results. A definition that is about several CVEs gives one detection for each."""
    definitions: dict[str, _Definition] = {}
    verdicts: list[tuple[str, str]] = []
    stamps: dict[str, str] = {}
    version = ""
    for name, path, element in _closed(data):
        if name == "timestamp" and path[-1:] == ["generator"]:
            stamps.setdefault(path[-2] if len(path) > 1 else "", text(element.text))
        elif name == "product_version" and path == ["oval_results", "generator"]:
            version = text(element.text)
        elif name == "definition" and element.get("class"):
            definitions[text(element.get("id"))] = _definition(element)
        elif name == "definition" and element.get("definition_id"):
            verdicts.append((text(element.get("definition_id")), text(element.get("result"))))
        if len(definitions) > 10 * MAX_DETECTIONS or len(verdicts) > 10 * MAX_DETECTIONS:
            raise ScanError(f"it has more than {10 * MAX_DETECTIONS} definitions")
    if "oval_results" not in stamps:
        raise ScanError("it has no OVAL results")
    found = tuple(_judged(definitions, verdicts))
    if len(found) > MAX_DETECTIONS:
        raise ScanError(f"it has more than {MAX_DETECTIONS} results")
    return ScanResult(
        scanner=_NAME,
        version=version,
        content=f"OVAL, {len(definitions)} definitions",
        content_date=iso_date(stamps.get("oval_definitions", "")),
        detections=found,
        counts=dict(Counter(verdict for _identifier, verdict in verdicts)),
        platforms=_platforms(definitions),
    )


def _definition(element: ET.Element) -> _Definition:
    made = _Definition(kind=text(element.get("class")))
    cves, links, platforms = [], [], []
    for item in element.iter():
        name = local_name(item)
        if name == "title":
            made.title = text(item.text)
        elif name == "reference":
            links.append(text(item.get("ref_url")))
            if text(item.get("source")).upper() == "CVE":
                cves.append(text(item.get("ref_id")))
        elif name == "severity":
            made.severity = text(item.text)
        elif name == "platform":
            platforms.append(text(item.text))
    made.platforms = tuple(filter(None, platforms))
    made.cves = tuple(dict.fromkeys(filter(None, cves)))
    made.url = next(filter(None, links), "")
    return made


def _platforms(definitions: dict[str, _Definition]) -> tuple[str, ...]:
    """Return the platforms of what is judged; a definition that only finds out what is installed does not count."""
    judged = (about.platforms for about in definitions.values() if about.kind in _WRONG_WHEN)
    return tuple(sorted(set().union(*judged)))


def _judged(definitions: dict[str, _Definition], verdicts: list[tuple[str, str]]) -> Iterator[Detection]:
    """Yield what is wrong, what could not be decided, and every rule; thousands of absent flaws are only counted."""
    for identifier, verdict in verdicts:
        about = definitions.get(identifier)
        if about is None or about.kind not in _WRONG_WHEN:
            continue
        if verdict in _UNDECIDED:
            status = "error"
        elif verdict not in {"true", "false"}:
            continue
        else:
            status = "fail" if (verdict == "true") == _WRONG_WHEN[about.kind] else "pass"
        if status == "pass" and _WRONG_WHEN[about.kind]:
            continue
        for name in about.cves or (identifier,):
            yield Detection(name, status, severity(about.severity), about.title or name, url=about.url)
