# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What changed since an earlier report.json: failures that are new, that are fixed, that are still there, and those of
# which today's run says neither.

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Container, Iterator, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import (
    SCAN,
    SCHEMA_VERSION,
    SEVERITIES,
    lasting_name,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import host_document, proofs
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.findings import COMPLETED

#: Statuses that count as a failure: what can't be decided is not secure.
BAD = frozenset({"fail", "error"})
_CHUNK = 1 << 20
_HOSTS = re.compile(r'"hosts"\s*:\s*\[')
_SEPARATOR = re.compile(r"[\s,]*")


class Key(NamedTuple):
    """What identifies a finding of a host over time; an object's name, since a recreated container has a new id."""

    control: str
    type: str
    name: str


class Change(NamedTuple):
    """One entry of the drift; `status` is today's, None where the object or the control is gone."""

    host: str
    key: Key
    severity: str
    status: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (report schema 1)."""
        return {
            "host": self.host,
            "control": self.key.control,
            "severity": self.severity,
            "object": {"type": self.key.type, "name": self.key.name},
            "status": self.status,
        }


def key_of(finding: Mapping[str, Any]) -> Key:
    """Return the identity of a finding in its JSON form."""
    return Key(sys.intern(finding["control"]), sys.intern(finding["object"]["type"]), lasting_name(finding["object"]))


class Failure(NamedTuple):
    """What the earlier report says of a failure: its severity, and whether a scanner found it."""

    severity: str
    of_scan: bool


class Drift:
    """Compares the hosts of today's report, given one after another, with those of an earlier one."""

    def __init__(self, previous: Path) -> None:
        """Read the failures of an earlier report.json; InputError where it can't be used."""
        self.previous = ""
        self.new: list[Change] = []
        self.fixed: list[Change] = []
        self.still_failing: list[Change] = []
        #: earlier failures that today's run did not look at, or that only a person can judge now
        self.undecided: list[Change] = []
        #: hosts of either report of which nothing can be said, since they were not assessed in the new one
        self.not_compared: set[str] = set()
        #: by host, what probes had proved of the threats; only where they had been run
        self.threats_before: dict[str, Mapping[str, Any]] = {}
        self._earlier: dict[str, dict[Key, Failure]] = {}
        try:
            with previous.open(encoding="utf-8") as stream:
                for report in self._read(stream):
                    host_document.check(report)
                    bad = (finding for finding in report["findings"] if finding["status"] in BAD)
                    self._earlier[report["host"]] = {
                        key_of(finding): Failure(sys.intern(finding["severity"]), finding.get("source") == SCAN)
                        for finding in bad
                    }
                    if report.get("proof"):
                        proofs.check(report["proof"])
                        self.threats_before[report["host"]] = report["proof"]["threats"]
        except OSError as error:
            raise InputError(
                f"The earlier report {previous} can't be read: {error.strerror}; leave `previous` out on a first run."
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"The earlier report {previous} is not a report.json of schema {SCHEMA_VERSION} ({error}); "
                "give the report.json of an earlier run."
            ) from None

    def _read(self, stream: Any) -> Iterator[dict[str, Any]]:
        """Yield the hosts without holding the whole file, which may have hundreds of megabytes.

        The decoder is tried on what was read so far; that is doubled as long as it does not hold a whole host.
        """
        text = stream.read(_CHUNK)
        start = _HOSTS.search(text)
        if not start:
            raise ValueError("it does not list hosts")
        head = json.loads(text[: start.end()] + "]}")
        if head.get("schema") != SCHEMA_VERSION:
            raise ValueError(f"its schema is {head.get('schema')!r}")
        self.previous = head["generated_at"]
        decoder, position = json.JSONDecoder(), start.end()
        while True:
            separator = _SEPARATOR.match(text, position)
            position = separator.end() if separator else position
            if text[position : position + 1] == "]":
                return
            try:
                report, position = decoder.raw_decode(text, position)
            except ValueError:
                more = stream.read(max(_CHUNK, len(text) - position))
                if not more:
                    raise
                text, position = text[position:] + more, 0
                continue
            yield report

    def compare(self, report: Mapping[str, Any]) -> frozenset[Key]:
        """Sort a host's failures into new, fixed, still failing and undecided; return the new ones."""
        host = report["host"]
        earlier = self._earlier.pop(host, {})
        if not report["assessed"]:
            self.not_compared.add(host)
            return frozenset()
        status: dict[Key, str] = {}
        severity = {key: failure.severity for key, failure in earlier.items()}
        for finding in report["findings"]:
            key = key_of(finding)
            if status.get(key) not in BAD:
                status[key] = finding["status"]
            severity[key] = finding["severity"]
        new = frozenset(key for key, found in status.items() if found in BAD and key not in earlier)
        self.new += [Change(host, key, severity[key], status[key]) for key in sorted(new)]
        judged = {key.control for key in status}
        for key in sorted(earlier):
            now = status.get(key)
            if now in BAD or now == "waived":  # a waiver accepts a failure, it does not repair it
                kind = self.still_failing
            elif now == "manual" or (now is None and not _gone(key, earlier[key], status, judged)):
                kind = self.undecided
            else:
                kind = self.fixed
            kind.append(Change(host, key, severity[key], now))
        return new

    def finish(self) -> None:
        """Note the hosts of the earlier report that today's does not have."""
        self.not_compared.update(self._earlier)

    @property
    def summary(self) -> dict[str, int]:
        """Number of changes of each kind."""
        return {name: len(getattr(self, name)) for name in ("new", "fixed", "still_failing", "undecided")}

    @property
    def new_by_severity(self) -> dict[str, int]:
        """Number of new failures by severity."""
        return {severity: sum(1 for change in self.new if change.severity == severity) for severity in SEVERITIES}


def _gone(key: Key, failure: Failure, status: Mapping[Key, str], judged: Container[str]) -> bool:
    """Tell whether a failure of which the report has no finding is gone, rather than not looked for.

    A control that is judged has a finding for each object. What a scanner no longer finds has none; then its scan of
    the object tells, or, where the object itself is gone, a scan of another one of its kind.
    """
    if not failure.of_scan:
        return key.control in judged
    scans = {place: found for place, found in status.items() if place.control == COMPLETED and place.type == key.type}
    return scans.get(key._replace(control=COMPLETED), "pass") == "pass" if scans else False
