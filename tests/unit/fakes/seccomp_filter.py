# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Decides as a filter made of a profile's document does, so that tests judge what was written and not how it was made.

from __future__ import annotations

from typing import Any, Mapping, Sequence

COMPARISONS = {
    "SCMP_CMP_EQ": lambda value, one, _two: value == one,
    "SCMP_CMP_NE": lambda value, one, _two: value != one,
    "SCMP_CMP_LT": lambda value, one, _two: value < one,
    "SCMP_CMP_LE": lambda value, one, _two: value <= one,
    "SCMP_CMP_GE": lambda value, one, _two: value >= one,
    "SCMP_CMP_GT": lambda value, one, _two: value > one,
    "SCMP_CMP_MASKED_EQ": lambda value, one, two: value & one == two,
}


def decide(document: Mapping[str, Any], name: str, arguments: Sequence[int] = (0,) * 6) -> str:
    """Return the action for a call; AssertionError where libseccomp would not take the rules as they are meant."""
    actions = set()
    for rule in document["syscalls"]:
        conditions = rule.get("args", [])
        assert len({condition["index"] for condition in conditions}) == len(conditions), "an argument compared twice"
        if name in rule["names"] and all(_holds(condition, arguments) for condition in conditions):
            actions.add(rule["action"])
    assert len(actions) <= 1, "rules that contradict each other"
    return actions.pop() if actions else document["defaultAction"]


def _holds(condition: Mapping[str, Any], arguments: Sequence[int]) -> bool:
    compare = COMPARISONS[condition["op"]]
    return compare(arguments[condition["index"]], condition["value"], condition.get("valueTwo", 0))
