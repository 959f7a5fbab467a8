# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Finds and reads the hosts' files of one or several report directories, one host in memory at a time.

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Iterator, NoReturn
from urllib.parse import unquote

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import host_document, proofs
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import host_file, write_host

MISSING = "It was unreachable, or its audit failed before it gave a result."


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
    """Read every host's file of several report directories; a host that is in more than one counts once, the newest.

    A damaged file may be the newest, so that its host was not assessed. InputError for a directory without any file.
    """
    places: dict[str, list[Path]] = {}
    for directory in directories:
        for path in _files(directory):
            places.setdefault(path.stem, []).append(path)
    for name, paths in sorted(places.items()):
        documents = (_proven(_read(path, unquote(name)), path.parents[1]) for path in paths)
        yield max(documents, key=_age)


def _files(directory: Path) -> list[Path]:
    """Return the hosts' files of a report directory: one without any is a part of the fleet that went astray."""
    try:
        found = [path for path in (directory / "hosts").iterdir() if path.suffix == ".json"]
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            f"{directory} is not a report directory: it has no directory `hosts`; check `sources`."
        ) from None
    except OSError as error:
        raise InputError(f"{directory}/hosts can't be read: {error.strerror}; let this user read it.") from None
    if not found:
        raise InputError(f"{directory}/hosts has no host's file; copy it again, or leave it out of `sources`.")
    return found


def _age(document: HostDocument) -> tuple[bool, str]:
    """Sort key: damaged files last, since they do not say of when they are."""
    when = document.report.get("assessed_at", "")
    return (not when, when)


def _read(path: Path, host: str) -> HostDocument:
    """Read a host's file; one that is damaged gives a host that was not assessed, so that no host is left out."""
    try:
        text = path.read_text(encoding="utf-8")
        report = json.loads(text, parse_constant=_refuse)
        host_document.check(report)
        if report["host"] != host or "proof" in report:
            raise ValueError(f"it is about {report['host']!r}, or has a proof of its own")
    except OSError as error:
        return _damaged(host, f"{path} can't be read: {error.strerror}.")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return _damaged(host, f"{path} is not a host's report of schema 1 ({error}); audit the host again.")
    return HostDocument(text, report)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


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
