# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Writes all reports in one pass over the hosts, so that a fleet's size costs time but hardly memory.

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Iterable

from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.html_report import HtmlReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.json_report import JsonReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.junit import JunitReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.metrics import MetricsReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.renderer import Renderer
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.sarif import SarifReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.sources import HostDocument
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import atomic_file

#: File name and renderer by format.
FORMATS: dict[str, tuple[str, type[Renderer]]] = {
    "json": ("report.json", JsonReport),
    "html": ("report.html", HtmlReport),
    "sarif": ("report.sarif", SarifReport),
    "junit": ("report.junit.xml", JunitReport),
    "metrics": ("report.prom", MetricsReport),
}


def write(directory: Path, formats: Iterable[str], documents: Iterable[HostDocument], fleet: Fleet) -> dict[str, str]:
    """Add all hosts to the fleet and write the reports; return the files' paths by format.

    The files are replaced at the end only: a run that is killed leaves those of the run before. InputError where the
    directory can't be written.
    """
    paths: dict[str, str] = {}
    with ExitStack() as stack:
        outputs = []
        for name in formats:
            file, renderer = FORMATS[name]
            paths[name] = str(directory / file)
            outputs.append((stack.enter_context(atomic_file(directory / file)), renderer()))
        for stream, output in outputs:
            stream.write(output.start(fleet))
        for document in documents:
            fleet.add(document.report)
            for stream, output in outputs:
                stream.writelines(output.host(document.text, document.report))
        fleet.finish()
        for stream, output in outputs:
            stream.writelines(output.end(fleet))
    return paths
