# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Collects a host's evidence by the module of the same name and judges it on the controller.

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase

from ansible_collections.breakwater.docker.plugins.module_utils.compliance_options import (
    COLLECTOR_OPTIONS,
    JUDGEMENT_OPTIONS,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, functions, rules, waivers
from ansible_collections.breakwater.docker.plugins.plugin_utils.ansible_run import run_id, user_files
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import (
    host_file,
    moment,
    write_atomically,
    write_host,
)

# Ansible imports an action plugin once, in the parent of its workers: the catalogue is parsed once for a whole fleet.
with contextlib.suppress(InputError):  # run() meets and tells it again
    catalogue_loader.builtin()
functions.vulnerability_table()


class _NotCollectedError(Exception):
    """The host gave no evidence; the text says why."""


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run on the controller, in the worker of one host."""
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        _validated, options = self.validate_argument_spec(argument_spec={**COLLECTOR_OPTIONS, **JUDGEMENT_OPTIONS})
        host = variables["inventory_hostname"]
        try:
            if options["timeout"] < 1:
                raise InputError(f"timeout is {options['timeout']}: an engine needs at least one second to answer.")
            _require_texts(self._task.args.get("controls"))
            controls = catalogue_loader.load(user_files(self, options["rules"]))
            chosen = catalogue_loader.select(controls, options["profile"], options["controls"])
            # A waiver of a control that this run does not judge is not unused.
            judged = {compiled.control.id for compiled in chosen}
            listed = waivers.load(user_files(self, options["waivers"]), controls)
            accepted = [waiver for waiver in listed if waiver.control in judged]
            policy = rules.check_policy(options["policy"])
            try:
                evidence = self._evidence(options, variables)
                report = rules.evaluate(chosen, evidence, policy, host)
            except _NotCollectedError as error:
                evidence, report = {}, HostReport.not_assessed(host, str(error))
            if report.assessed:
                today = datetime.now(timezone.utc).date()
                marked, unused = waivers.apply(accepted, report.findings, host, today)
                report = HostReport.of(host, marked, report.engine, unused)
            if options["evidence_file"]:
                report = replace(report, assessed_at=_collected_at(evidence))
            return {**result, **self._answer(report, evidence, options)}
        except BreakwaterError as error:
            return {**result, "failed": True, "msg": str(error)}

    def _evidence(self, options: Mapping[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        if options["evidence_file"]:
            return _saved_evidence(Path(options["evidence_file"]))
        try:
            collected = self._execute_module(
                module_name="breakwater.docker.docker_compliance_info",
                module_args={name: options[name] for name in COLLECTOR_OPTIONS},
                task_vars=variables,
            )
        except AnsibleConnectionFailure:
            raise  # the task's `ignore_unreachable` is for this
        except AnsibleError as error:  # a full disk, or no way to become root
            raise _NotCollectedError(f"The collector could not be run on the host: {error}") from None
        if collected.get("failed"):
            raise _NotCollectedError(f"The collector failed on the host: {collected.get('msg', 'it said nothing')}")
        return json.loads(collected["evidence"])

    def _answer(self, report: HostReport, evidence: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
        answer = {
            "changed": False,
            "assessed": report.assessed,
            "reason": report.reason,
            "engine": report.engine,
            "summary": report.summary,
            "score": report.score,
            "failures": report.failures,
            "unused_waivers": [vars(waiver) for waiver in report.unused_waivers],
        }
        if options["report_dir"]:
            directory = Path(options["report_dir"]).expanduser()
            write_host(directory, report, run_id())
            if options["keep_evidence"] and evidence:  # a host that gave none keeps what an earlier run collected
                write_atomically(host_file(directory, report.host, "evidence"), json.dumps(evidence))
            return answer
        answer["findings"] = report.to_dict()["findings"]
        return {**answer, "evidence": evidence} if options["keep_evidence"] else answer


def _collected_at(evidence: Mapping[str, Any]) -> str:
    """Return when saved evidence was collected, the empty text where it does not say so."""
    when = evidence.get("collected_at", "")
    try:
        moment(when)
    except (TypeError, ValueError):
        return ""
    return when


def _require_texts(selectors: Any) -> None:
    """Raise InputError for a CIS number without quotes: YAML reads 5.10 as 5.1, which is another control."""
    for selector in selectors if isinstance(selectors, list) else [selectors]:
        if isinstance(selector, float):
            raise InputError(f"controls has {selector} as a number, be it written {selector} or {selector}0: quote it.")


def _saved_evidence(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.expanduser().read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"The evidence file {path} can't be read: {error.strerror}.") from None
    except ValueError as error:
        raise InputError(f"The evidence file {path} is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InputError(f"The evidence file {path} is not an evidence document; make one with keep_evidence.")
    return document
