# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A seccomp profile as what it allows, what is added to it and taken from it, and its text.
# Source: OCI runtime specification, config-linux.md, "Seccomp".

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Mapping, Tuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import conditions, syscalls
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.conditions import ALWAYS, Conjunction

Alternatives = Tuple[Conjunction, ...]
#: What becomes of a call that nothing allows. `log` lets it through, for a trial.
ACTIONS: Mapping[str, str] = {"errno": "SCMP_ACT_ERRNO", "log": "SCMP_ACT_LOG", "kill": "SCMP_ACT_KILL_PROCESS"}


@dataclass(frozen=True)
class Profile:
    """An allow-list: under what conditions each system call is let through, and for which architectures.

    `answers` are the error numbers of refused calls that are not answered as the rest.
    """

    architectures: tuple[str, ...]
    allowed: Mapping[str, Alternatives] = field(default_factory=dict)
    answers: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Delta:
    """What is added to a profile and then taken from it: each call with the conditions it is meant under."""

    allow: tuple[tuple[str, Conjunction], ...] = ()
    deny: tuple[tuple[str, Conjunction], ...] = ()


def changed(profile: Profile, delta: Delta) -> Profile:
    """Return the profile with the delta; what both allows and denies is denied."""
    allowed: dict[str, Alternatives] = dict(profile.allowed)
    for name, when in delta.allow:
        allowed[name] = conditions.union([*allowed.get(name, ()), when])
    for name, when in delta.deny:
        left = conditions.without(_bounded(name, when, allowed.get(name, ())), when)
        allowed[name] = left
        for way in syscalls.ways_around(name):
            allowed[way] = ()
    kept = {name: alternatives for name, alternatives in allowed.items() if alternatives}
    answers = {name: number for name, number in profile.answers.items() if name not in kept}
    return Profile(profile.architectures, kept, answers)


def within(profile: Profile, limit: Profile) -> Profile:
    """Return what both profiles allow, for the programs of the first; what only the second allows is not added."""
    allowed: dict[str, Alternatives] = {}
    for name, alternatives in profile.allowed.items():
        both = (
            conditions.conjunction([*first, *second])
            for first in alternatives
            for second in limit.allowed.get(name, ())
        )
        allowed[name] = conditions.union(item for item in both if item is not None)
    kept = {name: alternatives for name, alternatives in allowed.items() if alternatives}
    answers = {name: number for name, number in {**limit.answers, **profile.answers}.items() if name not in kept}
    return Profile(profile.architectures, kept, answers)


def _bounded(name: str, denied: Conjunction, alternatives: Alternatives) -> Alternatives:
    """Return the alternatives within what means anything in the arguments that a denial looks at."""
    bounds = [
        (index, conditions.up_to(syscalls.BOUNDED_ARGUMENTS[name, index]))
        for index, _constraint in denied
        if (name, index) in syscalls.BOUNDED_ARGUMENTS
    ]
    within = (conditions.conjunction([*alternative, *bounds]) for alternative in alternatives)
    return tuple(item for item in within if item is not None)


def document(profile: Profile, action: str = "errno", allowing: str = "SCMP_ACT_ALLOW") -> dict[str, Any]:
    """Return the profile as the JSON object that Docker and runtimes read: the same profile always gives the same.

    InputError when a condition can't be told to the kernel.
    """
    blocks: dict[str, tuple[list[Any], list[str]]] = {}
    for name, alternatives in profile.allowed.items():
        try:
            written = conditions.rules(alternatives)
        except InputError as error:
            raise InputError(f"The conditions of {name}: {error} Nothing was changed.") from None
        for arguments in written:
            blocks.setdefault(json.dumps(arguments), (arguments, []))[1].append(name)
    rules = [
        {"names": sorted(names), "action": allowing, **({"args": arguments} if arguments else {})}
        for _key, (arguments, names) in sorted(blocks.items())
    ]
    return {
        "defaultAction": ACTIONS[action],
        **({"defaultErrnoRet": syscalls.EPERM} if action == "errno" else {}),
        "architectures": list(profile.architectures),
        "syscalls": rules + ([] if action == "log" else _answering(profile)),
    }


def _answering(profile: Profile) -> list[dict[str, Any]]:
    """Return the rules of refused calls that are answered by another error than EPERM."""
    numbers = {name: syscalls.ENOSYS for name in syscalls.WITH_FALLBACK if name not in profile.allowed}
    numbers.update(profile.answers)
    return [
        {
            "names": sorted(name for name in numbers if numbers[name] == number),
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": number,
        }
        for number in sorted(set(numbers.values()))
    ]


def text(content: Mapping[str, Any]) -> str:
    """Return the text of a profile's file."""
    return json.dumps(content, indent=2) + "\n"


def lines(profile: Profile) -> list[str]:
    """Return what the profile allows, a line for each system call, for a person to read and to compare."""
    return [
        name if alternatives == (ALWAYS,) else f"{name} when {' or when '.join(map(conditions.words, alternatives))}"
        for name, alternatives in sorted(profile.allowed.items())
    ]


def difference(first: Profile, second: Profile) -> dict[str, Any]:
    """Return what only one of two profiles allows, and where their conditions differ."""
    before, after = ({line.split(" ")[0]: line for line in lines(profile)} for profile in (first, second))
    return {
        "only_first": [before[name] for name in before if name not in after],
        "only_second": [after[name] for name in after if name not in before],
        "conditions": [
            {"syscall": name, "first": before[name], "second": after[name]}
            for name in before
            if name in after and before[name] != after[name]
        ],
        "architectures": {"first": list(first.architectures), "second": list(second.architectures)},
    }
