# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a report's format has to say: something before the hosts, something for each host, something after them.

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet


class Renderer:
    """Renders one report in pieces of text, in the order start, host for each host, end; it does no I/O."""

    def start(self, fleet: Fleet) -> str:
        """Return what precedes the hosts; the fleet has no hosts yet."""
        del fleet
        return ""

    def host(self, text: str, report: Mapping[str, Any]) -> Iterable[str]:
        """Yield a host's part from its JSON text and what that says."""
        del text, report
        return ()

    def end(self, fleet: Fleet) -> Iterable[str]:
        """Yield what follows the hosts; the fleet is complete."""
        raise NotImplementedError


def separated(items: Iterable[str], separator: str) -> Iterator[str]:
    """Yield the items with the separator between them."""
    for position, item in enumerate(items):
        if position:
            yield separator
        yield item
