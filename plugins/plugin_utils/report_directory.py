# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The directory of a run's reports on the controller: `hosts/<host>.json` for each host, and the fleet's files beside.

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import IO, Iterator
from urllib.parse import quote

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport

_TIME = "%Y-%m-%dT%H:%M:%SZ"


def host_file(directory: Path, host: str, kind: str = "hosts") -> Path:
    """Return the path of a host's file; characters that are not safe in a file name are percent-encoded."""
    return directory / kind / f"{quote(host, safe='')}.json"


@contextmanager
def atomic_file(path: Path) -> Iterator[IO[str]]:
    """Write a file readable by its owner and group only, whole or not at all; InputError where that can't be done.

    Reports tell an attacker where to look, hence modes 0750 and 0640. A name that no encoding can hold is written
    with question marks rather than losing the report.
    """
    try:
        for directory in (path.parent.parent, path.parent):
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=".report.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as stream:
                yield stream
            os.chmod(temporary, 0o640)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}; choose another report directory.") from None


def write_atomically(path: Path, text: str) -> None:
    """Write a whole file; see `atomic_file`."""
    with atomic_file(path) as stream:
        stream.write(text)


def write_host(directory: Path, report: HostReport, run: str) -> None:
    """Write a host's report, stamped with the run that made it, and the time unless it has one; see `atomic_file`."""
    stamped = replace(report, run=run, assessed_at=report.assessed_at or utc_now())
    # `vars` instead of `asdict`, which copies every finding deeply and takes most of the time of a large fleet.
    write_atomically(host_file(directory, report.host), json.dumps(vars(stamped), default=vars, separators=(",", ":")))


def add_to_host(directory: Path, report: HostReport, run: str) -> None:
    """Add a report to the one that this run has already written about the host, or write it; see `atomic_file`.

    A host of which this run said that it could not be assessed stays so: one half of the truth would hide that.
    """
    try:
        earlier = json.loads(host_file(directory, report.host).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        earlier = {}
    if not isinstance(earlier, dict) or earlier.get("run") != run:
        write_host(directory, report, run)
        return
    if not earlier.get("assessed"):
        return
    added = json.loads(json.dumps(vars(report), default=vars))
    for name in ("findings", "unused_waivers"):
        earlier[name] += added[name]
    for status, count in added["summary"].items():
        earlier["summary"][status] += count
    write_atomically(host_file(directory, report.host), json.dumps(earlier, separators=(",", ":")))


def utc_now() -> str:
    """Return the time in UTC as ISO 8601, to the second."""
    return datetime.now(timezone.utc).strftime(_TIME)


def moment(text: str) -> datetime:
    """Return the time that `utc_now` wrote; ValueError for any other text, TypeError for what is none."""
    found = datetime.strptime(text, _TIME).replace(tzinfo=timezone.utc)
    if found.strftime(_TIME) != text:
        raise ValueError(f"{text!r} is no time such as 2026-11-24T23:00:00Z")
    return found
