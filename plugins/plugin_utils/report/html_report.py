# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# report.html: one file without any other, readable without JavaScript. Its look is in *.j2, .css and .js here.

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from pathlib import Path
from typing import Iterator

import jinja2

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import SEVERITIES
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import proofs
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.drift import Change
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import VERDICTS, Fleet, HostRow
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.renderer import Renderer

_HERE = Path(__file__).parent
_THREATS = {
    "T1": "Breakout from a container",
    "T2": "Attack on kernel isolation",
    "T3": "Complete capability set",
    "T4": "Daemon's socket and API",
    "T5": "Attack on the host",
    "T6": "Network between containers",
    "T7": "Malicious code in an image",
    "T8": "Tenants that share resources",
}
_REFS = {"cis_1_6": "CIS 1.6", "cis_1_8": "CIS 1.8", "nist_800_190": "NIST 800-190"}
#: A verdict of probes has the colours of a status.
_PROVEN_STATES = {"contained": "pass", "exposed": "fail", "not_testable": "not_applicable"}
#: With few hosts the matrix has a row for each control, with its title; with many, a row for each host.
_FEW_HOSTS = 12
#: Rows of one matrix table; browsers lay out only the tables that are in view.
_BLOCK = 50
#: Columns of the matrix that fit on a sheet of A4.
_PAPER = 24


class HtmlReport(Renderer):
    """The report for people."""

    def end(self, fleet: Fleet) -> Iterator[str]:
        """Yield the page; every value is escaped, and its policy lets nothing but its own style and script act."""
        environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(_HERE),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
        yield from environment.get_template("report.html.j2").generate(
            fleet=fleet,
            style=style,
            script=script,
            style_hash=_hash(style),
            script_hash=_hash(script),
            severities=SEVERITIES,
            verdicts=VERDICTS,
            threat_names=_THREATS,
            ref_names=_REFS,
            changes=_by_control,
            histogram=_histogram(fleet.hosts),
            by_hosts=len(fleet.hosts) > _FEW_HOSTS,
            block=_BLOCK,
            paper=_PAPER,
            arrangements=proofs.ARRANGEMENTS,
            proven_states=_PROVEN_STATES,
            exposed_containers=proofs.exposed_containers,
        )


def _hash(content: str) -> str:
    """Return the source expression by which a content security policy admits an inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()


def _by_control(changes: list[Change]) -> list[tuple[str, str, list[str], int]]:
    """Sum changes by control, gravest first: its id, severity, the hosts, and the number of findings.

    Each finding of its own would fill the page of a fleet on which one control changed; report.json has them all.
    """
    hosts: dict[tuple[int, str], Counter[str]] = {}
    for change in changes:
        hosts.setdefault((SEVERITIES.index(change.severity), change.key.control), Counter())[change.host] += 1
    return [
        (control, SEVERITIES[rank], sorted(found), found.total()) for (rank, control), found in sorted(hosts.items())
    ]


def _histogram(hosts: list[HostRow]) -> list[int]:
    """Count the hosts by tens of their score; a score of 100 belongs to the last."""
    tens = Counter(min(host.score // 10, 9) for host in hosts if host.score is not None)
    return [tens[index] for index in range(10)]
