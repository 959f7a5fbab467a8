# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Every number of both editions of the CIS benchmark has exactly one control; nothing is left out or counted twice.

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.catalogue_loader import builtin
from ansible_collections.breakwater.docker.plugins.plugin_utils.rules import self_test

#: How many numbers each section has; section 1 has two levels.
_SECTIONS = {
    "cis_1_6": {"1.1": 18, "1.2": 2, "2": 18, "3": 24, "4": 12, "5": 32, "6": 2, "7": 9},
    "cis_1_8": {"1.1": 18, "1.2": 2, "2": 19, "3": 24, "4": 12, "5": 32, "6": 2, "7": 9},
}
_TOTALS = {"cis_1_6": 117, "cis_1_8": 118}


@pytest.mark.parametrize("edition", sorted(_SECTIONS))
def test_each_number_has_exactly_one_control(edition: str) -> None:
    expected = [f"{section}.{n}" for section, count in _SECTIONS[edition].items() for n in range(1, count + 1)]
    refs = (item.control.refs for item in builtin().values())
    found = Counter(numbers[edition] for numbers in refs if edition in numbers)
    assert len(expected) == _TOTALS[edition]
    assert found == Counter(expected)


def test_section_2_is_renumbered_from_2_7_on() -> None:
    pairs = {
        (item.control.refs["cis_1_6"], item.control.refs["cis_1_8"])
        for item in builtin().values()
        if "cis_1_6" in item.control.refs and "cis_1_8" in item.control.refs
    }
    assert {pair for pair in pairs if pair[0] != pair[1]} == {(f"2.{n}", f"2.{n + 1}") for n in range(7, 19)}


@pytest.mark.parametrize("control_id", sorted(builtin()))
def test_the_examples_of_every_control_come_out(control_id: str) -> None:
    assert self_test(builtin()[control_id]) == []


@pytest.mark.parametrize("control_id", sorted(builtin()))
def test_every_control_has_examples_of_what_it_yields(control_id: str) -> None:
    control = builtin()[control_id].control
    if control.expect is not None:
        assert control.tests.get("pass")
        assert control.tests.get("fail")
    if control.applies is not None:
        assert control.tests.get("not_applicable")
        assert control.not_applicable
    if isinstance(control.manual, str):
        assert control.tests.get("manual")
