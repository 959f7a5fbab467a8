# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Finds and reads the hosts' files of one or several report directories, one host in memory at a time.

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Iterator
from urllib.parse import unquote

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SEVERITIES, STATUSES, HostReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import proofs
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import host_file, write_host

MISSING = "It was unreachable, or its audit failed before it gave a result."
_HOST_FIELDS = frozenset({"host", "assessed", "reason", "engine", "summary", "score", "findings"})
_FINDING_FIELDS = frozenset(
    {"control", "title", "scope", "severity", "status", "object", "refs", "threats", "evidence", "message"}
    | {"remediation", "waiver"}
)


@dataclass(frozen=True)
class HostDocument:
    """A host's report in its JSON form: the text, and what it says."""

    text: str
    report: dict[str, Any]


def of_run(directory: Path, hosts: Iterable[str], run: str) -> Iterator[HostDocument]:
    """Read the files of the hosts that this run should have assessed.

    A host without a file, or with one of another run, was not assessed; that is written to its file as well, so that
    an older result never passes for a new one, neither here nor in a later merge.
    """
    for host in sorted(set(hosts)):
        path = host_file(directory, host)
        document = _read(path, host) if path.exists() else None
        if document is None or document.report.get("run") != run:
            write_host(directory, HostReport.not_assessed(host, MISSING), run)
            document = _read(path, host)
        yield _proven(document, directory)


def of_directories(directories: Iterable[Path]) -> Iterator[HostDocument]:
    """Read every host's file of several report directories; a host that is in more than one counts once, the newest."""
    places: dict[str, list[Path]] = {}
    for directory in directories:
        if not (directory / "hosts").is_dir():
            raise InputError(f"{directory} is not a report directory: it has no directory `hosts`; check `sources`.")
        for path in (directory / "hosts").glob("*.json"):
            places.setdefault(path.stem, []).append(path)
    for name, paths in sorted(places.items()):
        documents = (_proven(_read(path, unquote(name)), path.parents[1]) for path in paths)
        yield max(documents, key=lambda document: document.report.get("assessed_at", ""))


def _read(path: Path, host: str) -> HostDocument:
    """Read a host's file; one that is damaged gives a host that was not assessed, so that no host is left out."""
    try:
        text = path.read_text(encoding="utf-8")
        report = json.loads(text)
        _check(report, host)
    except OSError as error:
        return _damaged(host, f"{path} can't be read: {error.strerror}.")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return _damaged(host, f"{path} is not a host's report of schema 1 ({error}); audit the host again.")
    return HostDocument(text, report)


def _proven(document: HostDocument, directory: Path) -> HostDocument:
    """Add what probes proved of the host in the run that assessed it, if they did."""
    proof = proofs.read(directory, document.report["host"], document.report.get("run", ""))
    if proof is None:
        return document
    text = document.text.rstrip()[:-1] + f',"proof":{json.dumps(proof)}}}'
    return HostDocument(text, {**document.report, "proof": proof})


def _damaged(host: str, reason: str) -> HostDocument:
    report = HostReport.not_assessed(host, reason).to_dict()
    return HostDocument(json.dumps(report), report)


def _check(report: Any, host: str) -> None:
    if not report.keys() >= _HOST_FIELDS or not report["summary"].keys() >= set(STATUSES):
        raise ValueError("it lacks a field of a host")
    if report["host"] != host:
        raise ValueError(f"it is about {report['host']!r}")
    for finding in report["findings"]:
        if not finding.keys() >= _FINDING_FIELDS:
            raise ValueError("a finding lacks a field")
        if finding["status"] not in STATUSES or finding["severity"] not in SEVERITIES:
            raise ValueError(f"a finding has the status {finding['status']!r} and severity {finding['severity']!r}")
