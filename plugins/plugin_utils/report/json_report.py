# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# report.json, schema 1 (docs/report.schema.json). Hosts are written first, one a line, in their own text.

from __future__ import annotations

import json
from typing import Any, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SCHEMA_VERSION
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.drift import Drift
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.renderer import Renderer, separated


class JsonReport(Renderer):
    """The report that all other tools can be fed from."""

    _separator = ""

    def start(self, fleet: Fleet) -> str:
        """Return what can be known before the hosts."""
        known = {"schema": SCHEMA_VERSION, "generated_at": fleet.generated_at, "collection": fleet.collection}
        return json.dumps(known)[:-1] + ', "hosts": [\n'

    def host(self, text: str, report: Mapping[str, Any]) -> Iterator[str]:
        """Yield the host's own text."""
        del report
        yield self._separator + text.strip()
        self._separator = ",\n"

    def end(self, fleet: Fleet) -> Iterator[str]:
        """Yield the sums, and the drift where there is an earlier report."""
        yield "\n]," + _members({"summary": fleet.summary, "score": fleet.score})
        if fleet.drift:
            yield ',\n"drift": {'
            yield from _drift(fleet.drift)
            yield "}"
        yield "}\n"


def _drift(drift: Drift) -> Iterator[str]:
    yield _members({"previous": drift.previous, "summary": drift.summary, "not_compared": sorted(drift.not_compared)})
    yield ",\n" + _members({"threats_before": drift.threats_before})
    for name in drift.summary:
        yield f',\n"{name}": [\n'
        yield from separated((json.dumps(change.to_dict()) for change in getattr(drift, name)), ",\n")
        yield "]"


def _members(values: dict[str, Any]) -> str:
    """Return an object's members without its braces."""
    return json.dumps(values)[1:-1]
