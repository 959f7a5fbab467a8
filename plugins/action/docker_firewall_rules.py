# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Lets the host load new rules, and confirms them by a connection that is made under them.

from __future__ import annotations

import time
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase

#: Seconds between two attempts to connect.
_PAUSE = 1.0
#: Seconds that a host may take, after the rules' time is over, to put the former ones back and answer.
_GRACE = 30.0
_SILENT = (
    "The controller can't connect any more. The host should have taken the new rules back by now, but does not answer:"
    " look at it by its console."
)


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module, and again with the rules' token if they have to be confirmed."""
        result = super().run(tmp, task_vars)
        variables = task_vars or {}
        result.update(self._execute_module(task_vars=variables))
        token = result.get("pending")
        if not token:
            return result
        confirmed = self._confirm(token, variables, int(self._task.args.get("rollback_seconds", 60)) + _GRACE)
        if confirmed.get("failed"):
            return {**result, "failed": True, "changed": False, "msg": confirmed["msg"]}
        return {**result, "pending": ""}

    def _confirm(self, token: str, variables: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return what the host says at the first new connection that is made within so many seconds."""
        deadline = time.monotonic() + seconds
        confirmed = self._try_to_confirm(token, variables)
        while confirmed is None and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            confirmed = self._try_to_confirm(token, variables)
        return confirmed or {"failed": True, "msg": _SILENT}

    def _try_to_confirm(self, token: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        try:
            # An established connection proves nothing: the rules let it through.
            self._connection.reset()
            return self._execute_module(module_args={"confirm": token}, task_vars=variables)
        except AnsibleConnectionFailure:
            return None
