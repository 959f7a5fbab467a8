# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The options of docker_scan: those for the host, and those for the controller, which reads what the scanners wrote.

from __future__ import annotations

from typing import Any

FORMATS = ("auto", "xccdf", "oval", "trivy", "grype", "clair", "blackduck", "cyclonedx", "spdx")
_STRINGS: dict[str, Any] = {"type": "list", "elements": "str"}

HOST_OPTIONS: dict[str, dict[str, Any]] = {
    "scanners": {**_STRINGS, "choices": ["openscap", "trivy", "grype", "clair"], "default": ["openscap"]},
    "host": {"type": "bool", "default": True},
    "guide": {"type": "str", "default": "auto"},
    "profile": {"type": "str", "default": "standard"},
    "definitions": {**_STRINGS, "default": []},
    "images": {**_STRINGS, "default": ["*"]},
    "unused_images": {"type": "bool", "default": False},
    "containers": {**_STRINGS, "default": []},
    "sbom": {"type": "str", "choices": ["none", "cyclonedx", "spdx"], "default": "none"},
    "clair_server": {"type": "str", "default": ""},
    "state_dir": {"type": "str", "default": "/var/lib/breakwater-scan"},
    "timeout": {"type": "int", "default": 900},
}

CONTROLLER_OPTIONS: dict[str, dict[str, Any]] = {
    "imports": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "path", "required": True},
            "name": {"type": "str", "required": True},
            "type": {"type": "str", "choices": ["host", "image", "container"], "default": "image"},
            "format": {"type": "str", "choices": list(FORMATS), "default": "auto"},
        },
    },
    "max_data_age_days": {"type": "int", "default": 7},
    "waivers": {"type": "list", "elements": "path", "default": []},
    "report_dir": {"type": "path"},
}
