# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Audits a compose file on the controller, before anything runs.

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.ansible_run import user_files
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose import suggestions
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.audit import audit
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.project import load
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import summarise
from ansible_collections.breakwater.docker.plugins.plugin_utils.plain_types import plain
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import judgement

_OPTIONS: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "variables": {"type": "dict", "default": {}},
    "profile": {"type": "str", "choices": ["baseline", "strict"], "default": "baseline"},
    "controls": {"type": "list", "elements": "str", "default": ["container", "network"]},
    "rules": {"type": "list", "elements": "path", "default": []},
    "policy": {"type": "dict", "default": {}},
    "fail_on": {"type": "str", "choices": list(judgement.THRESHOLDS), "default": "none"},
}


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run on the controller."""
        result = super().run(tmp, task_vars)
        _validated, tagged = self.validate_argument_spec(argument_spec=_OPTIONS)
        options = plain(tagged)
        try:
            controls = catalogue_loader.load(user_files(self, options["rules"]))
            chosen = catalogue_loader.select(controls, options["profile"], options["controls"])
            variables = {str(name): str(value) for name, value in options["variables"].items()}
            [path] = user_files(self, [options["path"]])
            project = load(path, variables)
            findings = audit(project, chosen, rules.check_policy(options["policy"]))
        except BreakwaterError as error:
            return {**result, "failed": True, "msg": str(error)}
        bad = [item for item in findings if item.status in ("fail", "error")]
        grave = [item for item in bad if item.severity in judgement.counted(options["fail_on"])]
        told = "; ".join(f"{item.object.name}: {item.control}" for item in grave)
        return {
            **result,
            "changed": False,
            "failed": bool(grave),
            "msg": f"The compose file has findings: {told}." if grave else "",
            "summary": summarise(findings),
            "findings": [{**item.to_dict(), "suggestion": suggestions.lines(item)} for item in bad],
            "override": suggestions.override(bad),
        }
