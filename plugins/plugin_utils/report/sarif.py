# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SARIF 2.1.0 (OASIS standard, errata 01). Results are written host by host; the rules that they name come after them.

from __future__ import annotations

import hashlib
import json
from typing import Any, Iterator, Mapping
from urllib.parse import quote

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import lasting_name
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import ControlRow, Fleet, describe
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.renderer import Renderer

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}
#: `security-severity` of GitHub code scanning, by which it orders and names results.
_SCORES = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "3.0"}
#: GitHub wants a place in a file of each result; an object of a host has none but its beginning.
_REGION = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
#: What passes or does not apply is left out: a SARIF log is for what somebody has to look at.
_KINDS = {"fail": "fail", "waived": "fail", "error": "open", "manual": "review"}


class SarifReport(Renderer):
    """The report for code scanning dashboards."""

    _separator = ""

    def start(self, fleet: Fleet) -> str:
        """Return what precedes the results."""
        del fleet
        return f'{{"$schema": "{_SCHEMA}", "version": "2.1.0", "runs": [{{"results": [\n'

    def host(self, text: str, report: Mapping[str, Any]) -> Iterator[str]:
        """Yield the host's results."""
        del text
        for finding in report["findings"]:
            kind = _KINDS.get(finding["status"])
            if kind:
                yield self._separator + json.dumps(_result(report["host"], finding, kind))
                self._separator = ",\n"

    def end(self, fleet: Fleet) -> Iterator[str]:
        """Yield the rules, and the hosts that were not assessed as notifications of the run."""
        run = {"tool": {"driver": _driver(fleet)}, "invocations": [_invocation(fleet)]}
        yield "\n]," + json.dumps(run)[1:] + "]}\n"


def _driver(fleet: Fleet) -> dict[str, Any]:
    name, _space, version = fleet.collection.partition(" ")
    return {
        "name": name,
        "version": version,
        "informationUri": "https://github.com/breakwater/docker",
        "rules": [_rule(control) for control in fleet.controls.values()],
    }


def _invocation(fleet: Fleet) -> dict[str, Any]:
    notes = [
        {"level": "error", "message": {"text": f"{host.name} was not assessed: {host.reason}"}}
        for host in fleet.not_assessed
    ]
    return {
        "executionSuccessful": not notes,
        "endTimeUtc": fleet.generated_at,
        "toolExecutionNotifications": notes,
    }


def _rule(control: ControlRow) -> dict[str, Any]:
    fix = control.remediation
    where = f" Variable {fix['variable']} of role breakwater.docker.{fix['role']}." if fix["variable"] else ""
    return {
        "id": control.id,
        "shortDescription": {"text": control.title},
        "fullDescription": {"text": control.title},
        "help": {"text": f"{fix['text']}{where}"},
        "defaultConfiguration": {"level": _LEVELS[control.severity]},
        "properties": {
            "tags": [
                "security",
                control.scope,
                *control.threats,
                *(f"{edition}:{number}" for edition, number in control.refs.items()),
            ],
            "security-severity": _SCORES[control.severity],
        },
    }


def _result(host: str, finding: Mapping[str, Any], kind: str) -> dict[str, Any]:
    subject = finding["object"]
    place = [host, subject["type"], subject["name"]]
    uri = "/".join(quote(part, safe="") for part in place)
    # Neither the object's id nor the evidence: a recreated container with the same fault is the same result.
    fingerprint = _fingerprint([finding["control"], host, subject["type"], lasting_name(subject)])
    result = {
        "ruleId": finding["control"],
        "kind": kind,
        "level": _LEVELS[finding["severity"]] if kind == "fail" else "none",
        "message": {"text": _message(host, finding)},
        "locations": [
            {
                "physicalLocation": {"artifactLocation": {"uri": uri}, "region": _REGION},
                "logicalLocations": [{"fullyQualifiedName": "/".join(place), "name": subject["name"]}],
            }
        ],
        # The second is the only one that GitHub heeds.
        "partialFingerprints": {"breakwaterFinding/v1": fingerprint, "primaryLocationLineHash": fingerprint},
        "properties": {"host": host, "status": finding["status"], "evidence": describe(finding["evidence"])},
    }
    if finding["status"] == "waived":
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": finding["message"]}]
    return result


def _message(host: str, finding: Mapping[str, Any]) -> str:
    told = finding["message"] or finding["title"]
    return f"{finding['object']['name']} on {host}: {told}"


def _fingerprint(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()
