from __future__ import annotations

import operator as python
import random

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import conditions
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.conditions import ALWAYS, Conjunction, compare
from ansible_collections.breakwater.docker.tests.unit.fakes.seccomp_filter import decide

MAX = (1 << 64) - 1
INTERESTING = (0, 1, 2, 3, 16, 17, 37, 38, 39, 40, 41, 63, 64, 1 << 28, 1 << 32 | 38, MAX - 1, MAX)


def allows(alternatives: tuple[Conjunction, ...], *arguments: int) -> bool:
    """Tell whether rules made of the alternatives let a call through."""
    rules = [
        {"names": ["x"], "action": "SCMP_ACT_ALLOW", "args": arguments} for arguments in conditions.rules(alternatives)
    ]
    document = {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": rules}
    return decide(document, "x", (*arguments, *(0,) * 6)) == "SCMP_ACT_ALLOW"


def only(index: int, operator: str, value: int, second: int = 0) -> Conjunction:
    found = conditions.conjunction([(index, compare(f"SCMP_CMP_{operator}", value, second))])
    assert found is not None
    return found


@pytest.mark.parametrize("operator", ["EQ", "NE", "LT", "LE", "GE", "GT"])
@pytest.mark.parametrize("value", [1, 38, MAX - 1])
def test_comparisons_mean_the_same_after_they_were_read(operator: str, value: int) -> None:
    for argument in INTERESTING:
        expected = getattr(python, operator.lower())(argument, value)
        assert allows((only(0, operator, value),), argument) == expected


@pytest.mark.parametrize(
    ("allowed", "denied"),
    [
        ((ALWAYS,), only(0, "EQ", 38)),
        ((only(0, "NE", 40),), only(0, "EQ", 38)),
        ((only(0, "LE", 63),), only(0, "GT", 1)),
        ((ALWAYS,), only(0, "MASKED_EQ", 0x10000001, 0x10000000)),
        ((only(0, "MASKED_EQ", 0x7E020000, 0),), only(0, "MASKED_EQ", 0x10000000, 0x10000000)),
        ((only(0, "EQ", 38), only(1, "EQ", 3)), only(0, "EQ", 38) + only(1, "EQ", 2)),
        ((only(0, "LE", 63),), only(0, "MASKED_EQ", 1, 1)),
    ],
)
def test_what_is_left_is_what_was_allowed_and_is_not_denied(
    allowed: tuple[Conjunction, ...], denied: Conjunction
) -> None:
    left = conditions.without(allowed, denied)
    for first in INTERESTING:
        for second in (0, 2, 3):
            expected = allows(allowed, first, second) and not allows((denied,), first, second)
            assert allows(left, first, second) == expected, (first, second)


def test_denials_in_any_order_leave_the_same() -> None:
    dice = random.Random(7)
    denials = [only(0, "EQ", value) for value in (1, 5, 17, 38, 40)] + [only(0, "GT", 45)]
    results = set()
    for _attempt in range(20):
        dice.shuffle(denials)
        left: tuple[Conjunction, ...] = (ALWAYS,)
        for denied in denials:
            left = conditions.without(left, denied)
        results.add((left, str(conditions.rules(left))))
    assert len(results) == 1


def test_unconditional_denial_leaves_nothing() -> None:
    assert conditions.without((ALWAYS, only(0, "EQ", 1)), ALWAYS) == ()


def test_alternatives_are_joined() -> None:
    joined = conditions.union([only(0, "EQ", 2), only(0, "EQ", 1), only(0, "EQ", 2)])
    assert joined == (((0, conditions.Ranges(((1, 2),))),),)
    assert conditions.union([only(0, "LT", 5), only(0, "GE", 5)]) == (ALWAYS,)
    assert conditions.union([ALWAYS, only(0, "EQ", 1)]) == (ALWAYS,)


def test_what_never_holds_is_none() -> None:
    assert conditions.conjunction([(0, compare("SCMP_CMP_EQ", 1)), (0, compare("SCMP_CMP_EQ", 2))]) is None
    assert conditions.conjunction([(0, compare("SCMP_CMP_LT", 0))]) is None
    masks = [(0, compare("SCMP_CMP_MASKED_EQ", 1, 1)), (0, compare("SCMP_CMP_MASKED_EQ", 3, 2))]
    assert conditions.conjunction(masks) is None


def test_what_no_filter_can_tell_is_refused() -> None:
    with pytest.raises(InputError, match="can't be told to the kernel"):
        conditions.rules(conditions.without((only(0, "GT", 10),), only(0, "GE", 1000)))
    with pytest.raises(InputError, match="mask and a wide range"):
        conditions.without((only(0, "GT", 10),), only(0, "MASKED_EQ", 4, 4))
    many = tuple(only(0, "EQ", 2 * value) for value in range(300))
    with pytest.raises(InputError, match="300 rules"):
        conditions.rules(conditions.union(many))


def test_words() -> None:
    assert conditions.words(only(0, "NE", 40)) == "argument 0 is 0-39 or 41-"
    assert conditions.words(only(1, "MASKED_EQ", 0x20, 0)) == "argument 1 & 0x20 is 0x0"
