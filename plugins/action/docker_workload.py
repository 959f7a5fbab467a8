# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Judges a workload by the audit's rules, which only the controller has, before the host is asked.

from __future__ import annotations

import contextlib
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import parse
from ansible_collections.breakwater.docker.plugins.module_utils.workload.options import OPTIONS
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader
from ansible_collections.breakwater.docker.plugins.plugin_utils.plain_types import plain
from ansible_collections.breakwater.docker.plugins.plugin_utils.workload_judgement import weaknesses

# Ansible imports an action plugin once, in the parent of its workers: the catalogue is parsed once for a whole fleet.
with contextlib.suppress(InputError):  # run() meets and tells it again
    catalogue_loader.builtin()


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run on the controller, in the worker of one host."""
        result = super().run(tmp, task_vars)
        _validated, tagged = self.validate_argument_spec(argument_spec=OPTIONS)
        options = plain(tagged)
        try:
            weakened = weaknesses(parse(options), options["profile"])
        except BreakwaterError as error:
            return {**result, "failed": True, "msg": str(error)}
        for kind in ("container", "network"):
            for item in options[f"{kind}s"]:
                # a reason for what is not weak would be a label that misleads
                item["reasons"] = {
                    found["control"]: found["reason"]
                    for found in weakened
                    if (found["type"], found["name"]) == (kind, item["name"])
                }
        done = self._execute_module(
            module_name="breakwater.docker.docker_workload", module_args=options, task_vars=task_vars
        )
        return {**result, **done, "weaknesses": weakened}
