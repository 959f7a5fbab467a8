# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What to write into a compose file for a control that fails: lines to add, with the same values as docker_workload's.

from __future__ import annotations

from typing import Any, Iterable, Mapping

import yaml

from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding

_DEFAULTS = secure_defaults.host_config()
#: Lines that can only be added. What has to be changed or removed is the control's remediation, in words.
_ADDED: Mapping[str, Mapping[str, Any]] = {
    "container_capabilities_dropped": {"cap_drop": ["ALL"]},
    "container_cpu_limited": {"cpus": _DEFAULTS["NanoCpus"] / 1e9},
    "container_logs_bounded": {"logging": {"driver": "json-file", "options": dict(secure_defaults.LOG_OPTIONS)}},
    "container_memory_limited": {
        "mem_limit": f"{_DEFAULTS['Memory'] >> 20}m",
        "memswap_limit": f"{_DEFAULTS['MemorySwap'] >> 20}m",
    },
    "container_no_new_privileges": {"security_opt": ["no-new-privileges=true"]},
    "container_pids_limited": {"pids_limit": _DEFAULTS["PidsLimit"]},
    "container_read_only": {
        "read_only": True,
        "tmpfs": [f"{place}:{options}" for place, options in _DEFAULTS["Tmpfs"].items()],
    },
    "container_restarts_limited": {"restart": f"on-failure:{_DEFAULTS['RestartPolicy']['MaximumRetryCount']}"},
    "container_user_not_root": {"user": secure_defaults.USER},
}
_NETWORK_ICC = "network_icc_disabled"


def lines(finding: Finding) -> str:
    """Return the YAML to add to the service or network; empty where lines have to be changed or removed instead."""
    if finding.control == _NETWORK_ICC:
        return _yaml({"driver_opts": secure_defaults.network()["Options"]})
    return _yaml(_ADDED[finding.control]) if finding.control in _ADDED else ""


def override(findings: Iterable[Finding]) -> str:
    """Return a second compose file that adds, where used with the first, all lines that can only be added."""
    services: dict[str, dict[str, Any]] = {}
    for finding in findings:
        if finding.object.type == "container" and finding.control in _ADDED:
            services.setdefault(finding.object.name, {}).update(_ADDED[finding.control])
    return _yaml({"services": services}) if services else ""


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, sort_keys=True, default_flow_style=False, width=120)
