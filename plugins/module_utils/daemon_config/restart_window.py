# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# When the engine may be restarted.

from __future__ import annotations

import re
import time

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

_WINDOW = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)")


def may_restart(mode: str, window: str | None, now: time.struct_time) -> bool:
    """Tell whether the mode (auto, never or window) allows a restart `now`, in the host's local time.

    The window is `HH:MM-HH:MM`, its end excluded; one that ends before it begins goes over midnight. InputError for
    anything else, and for a mode that lacks its window.
    """
    begin, end = _minutes(window) if window else (0, 0)
    if mode != "window":
        return mode == "auto"
    if not window:
        raise InputError("restart: window needs restart_window, for example 22:00-05:00: set it. Nothing was changed.")
    minute = now.tm_hour * 60 + now.tm_min
    return begin <= minute < end if begin < end else minute >= begin or minute < end


def _minutes(window: str) -> tuple[int, int]:
    match = _WINDOW.fullmatch(window)
    parts = [int(part) for part in match.groups()] if match else []
    if not parts or max(parts[0], parts[2]) > 23 or max(parts[1], parts[3]) > 59 or parts[:2] == parts[2:]:
        raise InputError(
            f"restart_window is {window!r}, not two different times like 22:00-05:00: correct it. Nothing was changed."
        )
    return parts[0] * 60 + parts[1], parts[2] * 60 + parts[3]
