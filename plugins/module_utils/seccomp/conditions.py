# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Conditions on the arguments of a system call. A filter of libseccomp can say only "allow when this and that holds",
# and compares an argument once in a rule; what a denial leaves over of such rules is computed here.
# Source: seccomp_rule_add(3), and runc libcontainer/seccomp for how it reads a rule.

from __future__ import annotations

from itertools import product
from typing import Any, Iterable, NamedTuple, Sequence, Tuple, Union

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

_MAX = (1 << 64) - 1
#: How many single values a range between two others may be written as, and how many rules a system call may have.
_MANY = 256


class Ranges(NamedTuple):
    """The argument lies in one of these ranges, ends included, which are in order and apart."""

    spans: tuple[tuple[int, int], ...]


class Masked(NamedTuple):
    """The argument has this value in the bits of the mask."""

    mask: int
    value: int


Constraint = Union[Ranges, Masked]
#: Constraints of several arguments that hold together, by the argument's index; empty when any arguments will do.
Conjunction = Tuple[Tuple[int, Constraint], ...]
ALWAYS: Conjunction = ()

_COMPARISONS = {
    "SCMP_CMP_EQ": lambda value: _ranges([(value, value)]),
    "SCMP_CMP_NE": lambda value: _ranges([(0, value - 1), (value + 1, _MAX)]),
    "SCMP_CMP_LT": lambda value: _ranges([(0, value - 1)]),
    "SCMP_CMP_LE": lambda value: _ranges([(0, value)]),
    "SCMP_CMP_GE": lambda value: _ranges([(value, _MAX)]),
    "SCMP_CMP_GT": lambda value: _ranges([(value + 1, _MAX)]),
}
MASKED = "SCMP_CMP_MASKED_EQ"
OPERATORS = (*_COMPARISONS, MASKED)


def _ranges(spans: Iterable[tuple[int, int]]) -> Ranges:
    """Return the union of ranges, of which any may be empty or touch others."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(span for span in spans if span[0] <= span[1]):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return Ranges(tuple(joined))


def compare(operator: str, value: int, second: int = 0) -> Constraint:
    """Return the constraint of a comparison as runtimes write it: of the masked one `value` is the mask."""
    if operator == MASKED:
        return Masked(value, second & value)
    return _COMPARISONS[operator](value)


def up_to(value: int) -> Ranges:
    """Return the constraint of an argument that is at most `value`."""
    return Ranges(((0, value),))


def conjunction(constraints: Iterable[tuple[int, Constraint]]) -> Conjunction | None:
    """Return constraints that hold together, several of one argument as one; None when they never do."""
    together: dict[int, Constraint] = {}
    for index, constraint in constraints:
        both = _intersection(together[index], constraint) if index in together else constraint
        if both is None or both == Ranges(()):
            return None
        together[index] = both
    meaningful = {index: item for index, item in together.items() if item not in (up_to(_MAX), Masked(0, 0))}
    return tuple(sorted(meaningful.items()))


def _intersection(first: Constraint, second: Constraint) -> Constraint | None:
    """Return what meets both constraints, None for nothing; InputError when no filter can tell it."""
    if isinstance(first, Masked):
        if isinstance(second, Ranges):
            return _selected(second, first)
        differing = (first.value ^ second.value) & first.mask & second.mask
        return None if differing else Masked(first.mask | second.mask, first.value | second.value)
    if isinstance(second, Masked):
        return _selected(first, second)
    return _ranges((max(a, c), min(b, d)) for a, b in first.spans for c, d in second.spans)


def _selected(ranges: Ranges, masked: Masked) -> Ranges:
    """Return the values in the ranges that meet the mask; InputError for too many."""
    if sum(high - low + 1 for low, high in ranges.spans) > _MANY:
        raise InputError("A mask and a wide range of the same argument can't be told to the kernel: use one of them.")
    values = (value for low, high in ranges.spans for value in range(low, high + 1))
    return _ranges((value, value) for value in values if value & masked.mask == masked.value)


def _opposites(constraint: Constraint) -> list[Constraint]:
    """Return constraints of which at least one holds exactly when this one does not."""
    if isinstance(constraint, Masked):
        bits = [1 << shift for shift in range(64) if constraint.mask >> shift & 1]
        return [Masked(bit, ~constraint.value & bit) for bit in bits]
    edges = [(-1, -1), *constraint.spans, (_MAX + 1, _MAX + 1)]
    return [_ranges((before[1] + 1, after[0] - 1) for before, after in zip(edges, edges[1:]))]


def union(conjunctions: Iterable[Conjunction]) -> tuple[Conjunction, ...]:
    """Return the alternatives without repetition and in order; ranges of one argument alone are joined."""
    alone: dict[int, list[tuple[int, int]]] = {}
    others: set[Conjunction] = set()
    for item in conjunctions:
        if len(item) == 1 and isinstance(item[0][1], Ranges):
            alone.setdefault(item[0][0], []).extend(item[0][1].spans)
        else:
            others.add(item)
    joined = [conjunction([(index, _ranges(spans))]) for index, spans in alone.items()]
    others.update(item for item in joined if item is not None)
    return (ALWAYS,) if ALWAYS in others else tuple(sorted(others, key=repr))


def without(allowed: Iterable[Conjunction], denied: Conjunction) -> tuple[Conjunction, ...]:
    """Return what is left of the alternatives when `denied` is taken away; nothing when that is ALWAYS."""
    left = [
        conjunction([*alternative, (index, opposite)])
        for alternative in allowed
        for index, constraint in denied
        for opposite in _opposites(constraint)
    ]
    return union(item for item in left if item is not None)


def _written(index: int, constraint: Constraint) -> list[dict[str, Any]]:
    """Return comparisons of which one has to hold."""
    if isinstance(constraint, Masked):
        return [_comparison(index, MASKED, constraint.mask, constraint.value)]
    gaps = _opposites(constraint)[0]
    if isinstance(gaps, Ranges) and len(gaps.spans) == 1 and gaps.spans[0][0] == gaps.spans[0][1]:
        return [_comparison(index, "SCMP_CMP_NE", gaps.spans[0][0])]
    found: list[dict[str, Any]] = []
    for low, high in constraint.spans:
        if low == high:
            found.append(_comparison(index, "SCMP_CMP_EQ", low))
        elif low == 0:
            found.append(_comparison(index, "SCMP_CMP_LE", high))
        elif high == _MAX:
            found.append(_comparison(index, "SCMP_CMP_GE", low))
        elif high - low >= _MANY:
            raise InputError(f"Argument {index} from {low} to {high} can't be told to the kernel: name single values.")
        else:
            found.extend(_comparison(index, "SCMP_CMP_EQ", value) for value in range(low, high + 1))
    return found


def _comparison(index: int, operator: str, value: int, second: int | None = None) -> dict[str, Any]:
    two = {} if second is None else {"valueTwo": second}
    return {"index": index, "op": operator, "value": value, **two}


def rules(conjunctions: Sequence[Conjunction]) -> list[list[dict[str, Any]]]:
    """Return the `args` of each rule that the alternatives take; InputError when it would be too many."""
    found: list[list[dict[str, Any]]] = []
    for item in conjunctions:
        found.extend(list(chosen) for chosen in product(*(_written(*constraint) for constraint in item)))
    if len(found) > _MANY:
        raise InputError(f"Conditions that take {len(found)} rules for one system call are too many: simplify them.")
    return found


def words(item: Conjunction) -> str:
    """Return a conjunction for a person to read."""
    return " and ".join(f"argument {index} {_phrase(constraint)}" for index, constraint in item)


def _phrase(constraint: Constraint) -> str:
    if isinstance(constraint, Masked):
        return f"& {constraint.mask:#x} is {constraint.value:#x}"
    shown = [str(low) if low == high else f"{low}-{'' if high == _MAX else high}" for low, high in constraint.spans]
    return f"is {' or '.join(shown)}"
