# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# When a service was started, to tell whether it has read a file. Source: org.freedesktop.systemd1(5).

from __future__ import annotations

import time

from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner


def started_at(unit: str, commands: CommandRunner) -> float | None:
    """Return when the unit's main process was started, in seconds since the epoch; None when it never was."""
    shown = commands.run(("systemctl", "show", unit, "--property=ExecMainStartTimestampMonotonic")).stdout
    since_boot = shown.partition("=")[2].strip()
    if not since_boot.isdigit() or int(since_boot) == 0:
        return None
    return time.time() - time.monotonic() + int(since_boot) / 1e6
