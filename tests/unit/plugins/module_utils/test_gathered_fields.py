# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import gather


@pytest.mark.parametrize(
    "read",
    [json.loads, lambda _text: 10**400 * 1.0, lambda _text: int("x")],
    ids=["too deep", "too large", "no number"],
)
def test_field_that_nobody_can_read_leaves_the_others_alone(read: Callable[[str], Any]) -> None:
    found = gather("[" * 100_000, {"broken": read, "length": len})
    assert found == {
        "broken": None,
        "length": 100_000,
        "unreadable": {"broken": "broken: what is there is not understood"},
    }
