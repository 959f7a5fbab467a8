# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Brings the certificates of one host to what they are to be: the host makes keys, the controller signs.

from __future__ import annotations

from dataclasses import fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Mapping, Sequence

from ansible.plugins.action import ActionBase

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.tls_options import KEY_TYPES
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.authority import Authority
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.issuance import Issuance, Policy

_CERTIFICATE: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "usage": {"type": "str", "choices": ["server", "client"], "required": True},
    "names": {"type": "list", "elements": "str", "default": []},
    "user": {"type": "str", "default": "root"},
    "directory": {"type": "str"},
    "days": {"type": "int"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "ca_directory": {"type": "path", "required": True},
    "ca_passphrase": {"type": "str", "default": "", "no_log": True},
    "certificates": {"type": "list", "elements": "dict", "required": True, "options": _CERTIFICATE},
    "key_type": {"type": "str", "choices": list(KEY_TYPES), "default": KEY_TYPES[0]},
    "days": {"type": "int", "default": 90},
    "renew_before": {"type": "int", "default": 30},
    "new_keys": {"type": "bool", "default": False},
    "replace_foreign": {"type": "bool", "default": False},
}


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run on the controller, in the worker of one host."""
        result = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        variables = task_vars or {}
        authority = Authority(Path(options["ca_directory"]).expanduser())
        policy = Policy(**{option.name: options[option.name] for option in fields(Policy)})
        try:
            issuance = Issuance(authority, policy, options["certificates"], datetime.now(timezone.utc))
            issuance.judge(self._on_host("inspected", issuance.questions(), variables))
            if not self._task.check_mode and issuance.changes():
                issuance.sign(self._on_host("requested", issuance.key_orders(), variables), options["ca_passphrase"])
                self._on_host("installed", issuance.deliveries(), variables)
            return {**result, **issuance.answer()}
        except (BreakwaterError, OSError) as error:
            return {**result, "failed": True, "msg": str(error)}

    def _on_host(
        self, state: str, entries: Sequence[Mapping[str, Any]], variables: dict[str, Any]
    ) -> list[dict[str, Any]]:
        """Let the host do its part; what it must not know is not among the entries."""
        if not entries:
            return []
        done = self._execute_module(
            module_name="breakwater.docker.docker_tls_files",
            module_args={"state": state, "certificates": list(entries)},
            task_vars=variables,
        )
        if done.get("failed"):
            raise BreakwaterError(done.get("msg", "The host did not say why it failed."))
        return done["certificates"]
