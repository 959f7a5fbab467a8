# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Merges the hosts' reports into those of the fleet. It works on the controller's files only, in check mode as well.

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.ansible_run import collection, run_id
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import judgement, sources, summary, writer
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.drift import Drift
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import utc_now

_OPTIONS: dict[str, dict[str, Any]] = {
    "report_dir": {"type": "path", "required": True},
    "hosts": {"type": "list", "elements": "str"},
    "sources": {"type": "list", "elements": "path"},
    "previous": {"type": "path"},
    "formats": {"type": "list", "elements": "str", "choices": list(writer.FORMATS), "default": list(writer.FORMATS)},
    "fail_on": {"type": "str", "choices": list(judgement.THRESHOLDS), "default": "none"},
    "fail_on_new": {"type": "str", "choices": list(judgement.THRESHOLDS), "default": "none"},
}


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Write the fleet's reports and print their summary."""
        result = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(
            argument_spec=_OPTIONS, mutually_exclusive=[("hosts", "sources")]
        )
        try:
            fleet, files = _report(options)
        except BreakwaterError as error:
            return {**result, "failed": True, "msg": str(error)}
        display = Display()
        # callback plugins of these names promise that standard output is JSON
        for_programs = constants.DEFAULT_STDOUT_CALLBACK.rpartition(".")[2] in ("json", "jsonl")
        for line in [*summary.lines(fleet), *(f"  {name}: {path}" for name, path in files.items())]:
            display.display(line, stderr=for_programs)
        result.update(_answer(fleet, files))
        reasons = list(judgement.complaints(fleet, options["fail_on"], options["fail_on_new"]))
        return {**result, "failed": True, "msg": " ".join(reasons)} if reasons else result


def _report(options: Mapping[str, Any]) -> tuple[Fleet, dict[str, str]]:
    if not options["report_dir"]:
        raise InputError("report_dir is empty: name the directory that the hosts' results are in.")
    directory = Path(options["report_dir"])
    if options["fail_on_new"] != "none" and not options["previous"]:
        raise InputError("fail_on_new needs `previous`: without an earlier report no finding is known to be new.")
    drift = Drift(Path(options["previous"])) if options["previous"] else None
    if options["sources"] == []:
        raise InputError("There is nothing to merge: `sources` is empty; name the report directories.")
    if options["hosts"] is None:
        documents = sources.of_directories([Path(name) for name in options["sources"] or [directory]])
    elif options["hosts"]:
        documents = sources.of_run(directory, options["hosts"], run_id())
    else:
        raise InputError("No host was to be assessed: `hosts` is empty; check the inventory and the limit of the run.")
    fleet = Fleet(utc_now(), collection(), drift)
    return fleet, writer.write(directory, options["formats"], documents, fleet)


def _answer(fleet: Fleet, files: dict[str, str]) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "changed": False,
        "files": files,
        "hosts": len(fleet.hosts),
        "not_assessed": [host.name for host in fleet.not_assessed],
        "summary": fleet.summary,
        "score": fleet.score,
        "failures": fleet.failures,
    }
    if fleet.drift:
        answer["drift"] = {
            "previous": fleet.drift.previous,
            **fleet.drift.summary,
            "new_by_severity": fleet.drift.new_by_severity,
        }
    return answer
