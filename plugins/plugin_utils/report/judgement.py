# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether a run should end with an error: judged once for the fleet, since a task on each host costs more than an audit.

from __future__ import annotations

from typing import Iterable, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SEVERITIES
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet

THRESHOLDS = ("none", *reversed(SEVERITIES))
_NAMED = 20


def complaints(fleet: Fleet, fail_on: str, fail_on_new: str) -> Iterator[str]:
    """Yield a sentence for each reason to fail.

    `fail_on` and `fail_on_new` are the mildest severity at which failures, and those that the earlier report did not
    have, count; `none` for never. A host without a result always counts, and one that was not assessed where anything
    does.
    """
    missing = {host.name for host in fleet.hosts if not host.answered}
    if missing:
        yield f"No result from {_names(missing)}: unreachable, or the audit failed there."
    others = {host.name for host in fleet.not_assessed} - missing
    if others and (fail_on, fail_on_new) != ("none", "none"):
        yield f"Not assessed: {_names(others)}; the report says why."
    grave = {host.name: _count(host.failures, fail_on) for host in fleet.hosts}
    if any(grave.values()):
        failing = [name for name, count in grave.items() if count]
        yield f"{sum(grave.values())} findings of severity {fail_on} or worse, on {_names(failing)}."
    new = _count(fleet.drift.new_by_severity, fail_on_new) if fleet.drift else 0
    if new:
        yield f"{new} new findings of severity {fail_on_new} or worse; the report marks them."


def counted(threshold: str) -> tuple[str, ...]:
    """Return the severities at which a failure counts."""
    return () if threshold == "none" else SEVERITIES[: SEVERITIES.index(threshold) + 1]


def _count(failures: Mapping[str, int], threshold: str) -> int:
    return sum(failures[severity] for severity in counted(threshold))


def _names(hosts: Iterable[str]) -> str:
    listed = sorted(hosts)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return ", ".join(listed[:_NAMED]) + more
