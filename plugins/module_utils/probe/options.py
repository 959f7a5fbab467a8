# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The options of docker_probe_info, for the module on the host and the action on the controller.

from __future__ import annotations

from typing import Any

PROBE_OPTIONS: dict[str, dict[str, Any]] = {
    "allow": {"type": "bool", "default": False},
    "report_dir": {"type": "path"},
}
