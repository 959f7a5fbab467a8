# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Makes and replaces the CA of the engines. It works on the controller's files only; the key never leaves them.

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Mapping

from ansible.plugins.action import ActionBase

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.tls_options import KEY_TYPES
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls import rotation
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.authority import Authority, CaSpec
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.certificate import describe_ca

_OPTIONS: dict[str, dict[str, Any]] = {
    "directory": {"type": "path", "required": True},
    "passphrase": {"type": "str", "default": "", "no_log": True},
    "name": {"type": "str", "default": "Docker CA"},
    "key_type": {"type": "str", "choices": list(KEY_TYPES), "default": KEY_TYPES[0]},
    "days": {"type": "int", "default": 1825},
    "renew_before": {"type": "int", "default": 180},
    "rotate": {"type": "bool", "default": False},
    "step": {"type": "str", "choices": ["ensure", "introduce", "promote", "retire"], "default": "ensure"},
}


class ActionModule(ActionBase):
    """See the documentation of the module."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run on the controller."""
        result = super().run(tmp, task_vars)
        _validated, options = self.validate_argument_spec(argument_spec=_OPTIONS)
        try:
            return {**result, **_run(options, self._task.check_mode)}
        except BreakwaterError as error:
            return {**result, "failed": True, "msg": str(error)}
        except OSError as error:
            return {**result, "failed": True, "msg": f"{error.filename} can't be changed: {error.strerror}."}


def _run(options: Mapping[str, Any], check_mode: bool) -> dict[str, Any]:
    if options["days"] <= options["renew_before"]:
        raise InputError("days must be more than renew_before, or a new CA would have to be replaced at once.")
    now = datetime.now(timezone.utc)
    authority = Authority(Path(options["directory"]).expanduser())
    spec = CaSpec(options["name"], options["key_type"], options["days"], options["passphrase"])
    near_end = authority.phase != "absent" and rotation.is_due(authority, now, timedelta(days=options["renew_before"]))
    deed = rotation.deed(options["step"], authority.phase, options["rotate"] or near_end)
    rotation.check(deed, spec)
    loose = authority.loose_rights()
    before = [] if authority.phase == "absent" else [describe_ca(ca) for ca in authority.trusted()]
    if not check_mode:
        rotation.perform(authority, deed, spec, now)
    after = [] if authority.phase == "absent" else [describe_ca(ca) for ca in authority.trusted()]
    answer: dict[str, Any] = {
        "changed": bool(deed or loose),
        "deed": deed,
        "phase": authority.phase,
        "trusted": after,
        "diff": {"before": _shown(before), "after": _shown(after, rotation.OUTCOMES[deed] if deed else None)},
    }
    if near_end and authority.phase == "stable":
        answer["warnings"] = [f"The CA expires on {after[0]['expires']}: run breakwater.docker.rotate_certificates."]
    return answer


def _shown(authorities: list[dict[str, str]], outcome: str | None = None) -> str:
    lines = [f"trusted: {ca['name']}, until {ca['expires']}\n" for ca in authorities]
    return "".join(lines) + (f"{outcome}\n" if outcome else "")
