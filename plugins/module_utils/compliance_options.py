# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The options of docker_compliance_info: those for the collector on the host, and those for judging on the controller.

from __future__ import annotations

from typing import Any

COLLECTOR_OPTIONS: dict[str, dict[str, Any]] = {
    "docker_host": {"type": "str", "default": "unix:///var/run/docker.sock"},
    "tls": {
        "type": "dict",
        "options": {
            "ca_path": {"type": "path", "required": True},
            "client_cert": {"type": "path", "required": True},
            "client_key": {"type": "path", "required": True, "no_log": False},
        },
    },
    "timeout": {"type": "int", "default": 30},
    "deep_scan": {"type": "bool", "default": False},
}

JUDGEMENT_OPTIONS: dict[str, dict[str, Any]] = {
    "profile": {"type": "str", "choices": ["baseline", "strict"], "default": "baseline"},
    "controls": {"type": "list", "elements": "str", "default": []},
    "rules": {"type": "list", "elements": "path", "default": []},
    "waivers": {"type": "list", "elements": "path", "default": []},
    "policy": {"type": "dict", "default": {}},
    "report_dir": {"type": "path"},
    "keep_evidence": {"type": "bool", "default": False},
    "evidence_file": {"type": "path"},
}
