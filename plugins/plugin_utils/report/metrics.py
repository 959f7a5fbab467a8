# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Metrics for the textfile collector of Prometheus' node_exporter.

from __future__ import annotations

from typing import Iterable, Iterator

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SEVERITIES, STATUSES
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.renderer import Renderer
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import moment

_PREFIX = "breakwater_docker_compliance_"
_Sample = tuple[dict[str, str], int]


class MetricsReport(Renderer):
    """The report for monitoring."""

    def end(self, fleet: Fleet) -> Iterator[str]:
        """Yield all metrics; a host that was not assessed has `assessed` 0 and no other, so that no rule sees zeros."""
        for line in _lines(fleet):
            yield line + "\n"


def _lines(fleet: Fleet) -> Iterator[str]:
    known = [host for host in fleet.hosts if host.assessed]
    yield from _metric(
        "assessed",
        "Whether the host could be audited.",
        (({"host": host.name}, int(host.assessed)) for host in fleet.hosts),
    )
    yield from _metric(
        "score",
        "Percentage of the decided controls that pass.",
        (({"host": host.name}, host.score) for host in known if host.score is not None),
    )
    yield from _metric(
        "findings",
        "Findings by status.",
        (({"host": host.name, "status": name}, host.summary[name]) for host in known for name in STATUSES),
    )
    yield from _metric(
        "failures",
        "Findings that fail or can't be decided, by severity.",
        (({"host": host.name, "severity": name}, host.failures[name]) for host in known for name in SEVERITIES),
    )
    if fleet.drift:
        changes = (({"change": name}, count) for name, count in fleet.drift.summary.items())
        yield from _metric("drift", "Failures compared with the earlier report.", changes)
    yield from _metric(
        "assessed_timestamp_seconds",
        "When the host was seen.",
        (({"host": host.name}, _seconds(host.assessed_at)) for host in known if host.assessed_at),
    )
    yield from _metric("generated_timestamp_seconds", "When the report was made.", [({}, _seconds(fleet.generated_at))])


def _seconds(when: str) -> int:
    return int(moment(when).timestamp())


def _metric(name: str, description: str, samples: Iterable[_Sample]) -> Iterator[str]:
    yield f"# HELP {_PREFIX}{name} {description}"
    yield f"# TYPE {_PREFIX}{name} gauge"
    for labels, value in samples:
        told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels.items())
        yield f"{_PREFIX}{name}{{{told}}} {value}" if told else f"{_PREFIX}{name} {value}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
