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
VERDICTS = ("contained", "exposed", "not_testable")
#: How a container is started in each arrangement.
ARRANGEMENTS = {"default": "docker run", "hardened": "docker_workload"}


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
        check(proof)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return proof


def check(proof: Mapping[str, Any]) -> None:
    """Raise ValueError, KeyError, TypeError or AttributeError for what is no proof."""
    texts = [] if proof["reason"] is None else [proof["reason"]]
    verdicts = []
    for sums in proof["threats"].values():
        verdicts += [sums[what] for what in ARRANGEMENTS]
        texts += sums["exposed_containers"]
    for probe in proof["probes"]:
        verdicts += [probe[what]["verdict"] for what in ARRANGEMENTS]
        texts += [*(probe[what]["reason"] for what in ARRANGEMENTS), *probe["threats"]]
        texts += [probe[name] for name in ("id", "title", "control")]
    for container in proof["containers"]:
        texts += [container["name"], *(found[name] for found in container["exposed"] for name in ("probe", "reason"))]
    if proof["threats"].keys() != set(THREATS) or not set(verdicts) <= set(VERDICTS):
        raise ValueError("the proof has other threats or verdicts")
    if not isinstance(proof["started"], bool) or not all(isinstance(text, str) for text in texts):
        raise ValueError("the proof has something else where a text has to be")


def threats(proof: Mapping[str, Any], arrangement: str, verdict: str) -> list[str]:
    """Return the threats that have this verdict under an arrangement."""
    return [threat for threat, sums in proof["threats"].items() if sums[arrangement] == verdict]


def exposed_containers(proof: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """Return the names of the running containers by the probe's id that would succeed in them, and why it would."""
    groups: dict[tuple[str, str], list[str]] = {}
    for container in proof["containers"]:
        for found in container["exposed"]:
            groups.setdefault((found["probe"], found["reason"]), []).append(container["name"])
    return dict(sorted(groups.items()))
