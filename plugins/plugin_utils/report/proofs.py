# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What probes proved of a host, kept beside its report: `probes/<host>.json`.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import THREATS
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import host_file, write_atomically

_FIELDS = ("started", "reason", "threats", "probes", "containers")
_VERDICTS = ("contained", "exposed", "not_testable")


def write(directory: Path, host: str, result: Mapping[str, Any], run: str) -> None:
    """Keep what docker_probe_info returned, stamped with the run; InputError where that can't be written."""
    kept = {"run": run, **{name: result[name] for name in _FIELDS}}
    write_atomically(host_file(directory.expanduser(), host, "probes"), json.dumps(kept, separators=(",", ":")))


def read(directory: Path, host: str, run: str) -> dict[str, Any] | None:
    """Return what was proved of a host in this run; None where nothing was, or where the file is damaged."""
    try:
        kept = json.loads(host_file(directory, host, "probes").read_text(encoding="utf-8"))
        if kept["run"] != run:
            return None
        proof = {name: kept[name] for name in _FIELDS}
        _check(proof)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return proof


def _check(proof: Mapping[str, Any]) -> None:
    for threat, sums in proof["threats"].items():
        if threat not in THREATS or not {sums["default"], sums["hardened"]} <= set(_VERDICTS):
            raise ValueError(threat)
    for probe in proof["probes"]:
        if not {probe[what]["verdict"] for what in ("default", "hardened")} <= set(_VERDICTS):
            raise ValueError(probe["id"])
