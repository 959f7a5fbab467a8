# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Runs the module of the same name on a host and keeps its results on the controller.

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.probe.options import PROBE_OPTIONS
from ansible_collections.breakwater.docker.plugins.plugin_utils.ansible_run import run_id
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import proofs


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run on the controller, in the worker of one host."""
        result = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=PROBE_OPTIONS)
        proven = self._execute_module(
            module_name="breakwater.docker.docker_probe_info", module_args=options, task_vars=task_vars
        )
        if not proven.get("failed") and options["report_dir"]:
            host = (task_vars or {})["inventory_hostname"]
            try:
                proofs.write(Path(options["report_dir"]), host, proven, run_id())
            except BreakwaterError as error:
                return {**result, "failed": True, "msg": str(error)}
        return {**result, **proven}
