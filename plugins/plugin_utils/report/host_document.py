# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a host's report in its JSON form has to be, so that no renderer meets anything else: files come from many
# controllers, or from the hosts themselves, and one of them must not cost the others their report.

from __future__ import annotations

from operator import itemgetter
from typing import Any, Iterable

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SEVERITIES, STATUSES, THREATS
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import moment

_TEXTS = itemgetter("control", "title", "scope", "message", "status", "severity")
_OBJECT = itemgetter("type", "id", "name")
_WAIVER = itemgetter("control", "reason", "owner", "expires", "hosts", "objects")
_STATUSES, _SEVERITIES, _THREATS = map(frozenset, (STATUSES, SEVERITIES, THREATS))
_NONE = type(None)


def check(report: Any) -> None:
    """Raise ValueError, KeyError, TypeError or AttributeError for what is no host's report of schema 1.

    A fleet has a million findings: their types are compared by the set, many at once.
    """
    _require(isinstance(report["host"], str) and isinstance(report["assessed"], bool), "host or assessed")
    _require(type(report["reason"]) in {str, _NONE}, "reason")
    _require(isinstance(report["engine"], dict), "engine")
    _require(report["summary"].keys() >= _STATUSES and _types(report["summary"].values()) == {int}, "summary")
    _require(report["score"] is None or (_types([report["score"]]) == {int} and 0 <= report["score"] <= 100), "score")
    _require(isinstance(report.get("run", ""), str), "run")
    if report.get("assessed_at", "") != "":
        moment(report["assessed_at"])
    _require(
        isinstance(report["findings"], list) and isinstance(report.get("unused_waivers", []), list),
        "findings or waivers",
    )
    for waiver in report.get("unused_waivers", ()):
        _require(_types(_WAIVER(waiver)) == {str}, "unused_waivers")
    for finding in report["findings"]:
        _check_finding(finding)


def _check_finding(finding: Any) -> None:
    fix, waiver = finding["remediation"], finding["waiver"]
    texts = (*_TEXTS(finding), *_OBJECT(finding["object"]), *finding["refs"].values(), fix["text"])
    if _types(texts) != {str} or not _types((fix["role"], fix["variable"])) <= {str, _NONE}:
        raise ValueError("a finding has something else where a text has to be")
    if finding["status"] not in _STATUSES or finding["severity"] not in _SEVERITIES:
        raise ValueError(f"a finding has the status {finding['status']!r} and severity {finding['severity']!r}")
    if not isinstance(finding["threats"], list) or not _THREATS.issuperset(finding["threats"]):
        raise ValueError(f"a finding has the threats {finding['threats']!r}")
    if waiver is not None and _types(_WAIVER(waiver)) != {str}:
        raise ValueError("a finding's waiver has something else where a text has to be")
    if "evidence" not in finding:
        raise ValueError("a finding has no evidence, not even null")


def _types(values: Iterable[Any]) -> set[type]:
    return set(map(type, values))


def _require(holds: Any, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} is not what it has to be")
