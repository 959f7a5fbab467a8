# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import time

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.restart_window import may_restart
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError


def at(clock: str) -> time.struct_time:
    return time.strptime(clock, "%H:%M")


@pytest.mark.parametrize(
    ("window", "clock", "allowed"),
    [
        ("02:00-04:30", "01:59", False),
        ("02:00-04:30", "02:00", True),
        ("02:00-04:30", "04:29", True),
        ("02:00-04:30", "04:30", False),
        ("22:00-05:00", "21:59", False),
        ("22:00-05:00", "22:00", True),
        ("22:00-05:00", "00:00", True),
        ("22:00-05:00", "04:59", True),
        ("22:00-05:00", "05:00", False),
        ("22:00-00:00", "23:59", True),
        ("22:00-00:00", "00:00", False),
        ("02:30-04:15", "01:31", False),
        ("02:30-04:15", "02:30", True),
        ("02:30-04:15", "04:14", True),
        ("23:59-00:59", "23:59", True),
        ("23:59-00:59", "00:59", False),
    ],
)
def test_window(window: str, clock: str, allowed: bool) -> None:
    assert may_restart("window", window, at(clock)) is allowed
    assert may_restart("auto", window, at(clock))
    assert not may_restart("never", window, at(clock))


@pytest.mark.parametrize(
    "window",
    ["22-5", "22:00-24:00", "24:00-05:00", "22:60-05:00", "22:00-05:60", "22:00-22:00", "at night", "22:00-05:00 "],
)
@pytest.mark.parametrize("mode", ["auto", "never", "window"])
def test_what_is_no_window_is_refused(window: str, mode: str) -> None:
    with pytest.raises(InputError, match="not two different times like 22:00-05:00"):
        may_restart(mode, window, at("12:00"))


def test_window_is_needed() -> None:
    with pytest.raises(InputError, match="restart: window needs restart_window"):
        may_restart("window", None, at("12:00"))
