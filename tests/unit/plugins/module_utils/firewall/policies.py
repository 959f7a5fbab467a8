# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Policies as a task gives them.

from __future__ import annotations

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import Policy, parse


def options(**given: Any) -> dict[str, Any]:
    """Return a module's options with its defaults; flows may leave out what they don't need."""
    defaults = {"protocol": "tcp", "port": "", "sources": [], "destinations": [], "interface": ""}
    for name in ("published", "input", "egress"):
        given[name] = [{**defaults, **item} for item in given.get(name, [])]
    lists: dict[str, Any] = {"trusted_clients": [], "egress_blocked": [], "bridges": ["docker0", "br-+"]}
    settings = {"default_deny": False, "api_ports": "2375-2376", "isolate_bridges": True, "log": 10}
    return {**lists, **settings, **given}


def policy(**given: Any) -> Policy:
    return parse(options(**given))
