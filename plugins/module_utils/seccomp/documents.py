# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Reads profiles that somebody else wrote, in the form of the OCI runtime specification or in Docker's, which adds
# `archMap`, `includes` and `excludes`. What can't be told from an allow-list's rules is refused, never passed over.
# Sources: OCI runtime specification, config-linux.md, "Seccomp"; docs.docker.com/engine/security/seccomp.

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.seccomp import REFUSING
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import conditions, syscalls
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.conditions import Conjunction
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import Alternatives, Profile, lines

_KEYS = {
    *("defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags", "syscalls"),
    *("listenerPath", "listenerMetadata"),
}
_RULE_KEYS = {"name", "names", "action", "errnoRet", "args", "comment", "includes", "excludes"}
_ALLOW = "SCMP_ACT_ALLOW"
_MAX = (1 << 64) - 1
_GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Target:
    """Whom a profile is for: the machine as uname(1) calls it, its kernel's version, and a container's capabilities."""

    machine: str
    kernel: tuple[int, int]
    capabilities: tuple[str, ...] = ()

    @property
    def architecture(self) -> str:
        """What filters call the machine; InputError for one that is not supported."""
        syscalls.numbers(self.machine)
        return syscalls.ARCHITECTURES[self.machine]


class _Reader:
    """Reads one document; every refusal names its place in the file."""

    def __init__(self, origin: str, target: Target) -> None:
        self._origin = origin
        self._target = target

    def refusal(self, place: str, problem: str) -> InputError:
        return InputError(f"{self._origin}: {place} {problem}. Correct the profile; nothing was changed.")

    def require(self, value: Any, kind: type, place: str) -> Any:
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            names = {dict: "an object", list: "a list", str: "a text", int: "a whole number"}
            raise self.refusal(place, f"must be {names[kind]}")
        return value

    def strings(self, value: Any, place: str) -> list[str]:
        return [self.require(item, str, f"{place}[{index}]") for index, item in enumerate(self.listed(value, place))]

    def listed(self, value: Any, place: str) -> list[Any]:
        return self.require([] if value is None else value, list, place)

    def number(self, value: Any, place: str, limit: int) -> int:
        if not 0 <= self.require(value, int, place) <= limit:
            raise self.refusal(place, f"is {value}, which is not between 0 and {limit}")
        return int(value)

    def keys(self, value: Any, known: set[str], place: str) -> Mapping[str, Any]:
        unknown = sorted(set(self.require(value, dict, place)) - known)
        if unknown:
            raise self.refusal(place, f"has {unknown[0]!r}, which no profile can have")
        return dict(value)

    def profile(self, raw: Any) -> Profile:
        content = self.keys(raw, _KEYS, "it")
        if content.get("defaultAction") not in REFUSING:
            raise self.refusal(
                "defaultAction", f"is {content.get('defaultAction')!r}, so it allows whatever nobody thought of"
            )
        allowed: dict[str, Alternatives] = {}
        denied: list[tuple[str, Conjunction]] = []
        answers: dict[str, int] = {}
        for index, entry in enumerate(self.listed(content.get("syscalls"), "syscalls")):
            place = f"syscalls[{index}]"
            rule = self.keys(entry, _RULE_KEYS, place)
            names = self.names(rule, place)
            alternatives = self.arguments(rule.get("args"), f"{place}.args")
            if not self.applies(rule, place):
                continue
            for name in names:
                if rule.get("action") == _ALLOW:
                    allowed[name] = conditions.union([*allowed.get(name, ()), *alternatives])
                elif rule.get("action") in REFUSING:
                    denied.extend((name, item) for item in alternatives)
                    if "errnoRet" in rule:
                        answers[name] = self.number(rule["errnoRet"], f"{place}.errnoRet", 4095)
                else:
                    raise self.refusal(f"{place}.action", f"is {rule.get('action')!r}, neither allowing nor refusing")
        for name, item in denied:
            allowed[name] = conditions.without(allowed.get(name, ()), item)
        allowed = {name: alternatives for name, alternatives in allowed.items() if alternatives}
        answers = {name: number for name, number in answers.items() if name not in allowed}
        return Profile(self.architectures(content), allowed, answers)

    def names(self, rule: Mapping[str, Any], place: str) -> list[str]:
        if bool(rule.get("names")) == bool(rule.get("name")):
            raise self.refusal(place, "needs either names or name")
        if rule.get("name"):
            return [self.require(rule["name"], str, f"{place}.name")]
        return self.strings(rule["names"], f"{place}.names")

    def arguments(self, raw: Any, place: str) -> Alternatives:
        """Return what the conditions of a rule mean: together, but one by one where an argument is named twice."""
        constraints = []
        for index, entry in enumerate(self.listed(raw, place)):
            here = f"{place}[{index}]"
            argument = self.keys(entry, {"index", "value", "valueTwo", "op"}, here)
            operator = argument.get("op")
            if operator not in conditions.OPERATORS:
                raise self.refusal(f"{here}.op", f"is {operator!r}, not one of {', '.join(conditions.OPERATORS)}")
            value, second = (self.number(argument.get(key, 0), f"{here}.{key}", _MAX) for key in ("value", "valueTwo"))
            position = self.number(argument.get("index"), f"{here}.index", 5)
            constraints.append((position, conditions.compare(operator, value, second)))
        repeated = len({position for position, _constraint in constraints}) < len(constraints)
        groups = [[item] for item in constraints] if repeated else [constraints]
        return tuple(item for item in map(conditions.conjunction, groups) if item is not None)

    def applies(self, rule: Mapping[str, Any], place: str) -> bool:
        """Tell whether a rule of Docker's form is for this machine, kernel and set of capabilities."""
        wanted, unwanted = (
            self.keys(rule.get(key) or {}, {"arches", "caps", "minKernel"}, f"{place}.{key}")
            for key in ("includes", "excludes")
        )
        machine = _GO_NAMES.get(self._target.machine, self._target.machine)
        have = {f"CAP_{name}" for name in self._target.capabilities}
        arches, caps = wanted.get("arches"), set(wanted.get("caps") or ())
        if (arches and machine not in arches) or not caps <= have or not self.kernel(wanted, place, True):
            return False
        arches, caps = unwanted.get("arches") or (), set(unwanted.get("caps") or ())
        return machine not in arches and not caps & have and not self.kernel(unwanted, place, False)

    def kernel(self, filters: Mapping[str, Any], place: str, default: bool) -> bool:
        if not filters.get("minKernel"):
            return default
        match = re.fullmatch(r"(\d+)\.(\d+)", str(filters["minKernel"]))
        if match is None:
            raise self.refusal(f"{place}: minKernel", f"is {filters['minKernel']!r}, not a version such as 4.8")
        return self._target.kernel >= (int(match[1]), int(match[2]))

    def architectures(self, content: Mapping[str, Any]) -> tuple[str, ...]:
        named = self.strings(content.get("architectures"), "architectures")
        native = self._target.architecture
        for index, entry in enumerate(self.listed(content.get("archMap"), "archMap")):
            item = self.keys(entry, {"architecture", "subArchitectures"}, f"archMap[{index}]")
            if item.get("architecture") == native:
                named += [native, *self.strings(item.get("subArchitectures"), f"archMap[{index}].subArchitectures")]
        if named and native not in named:
            raise self.refusal("architectures", f"lack {native}, so no program could run on this machine")
        return tuple(dict.fromkeys(named)) or (native,)


def read(raw: Any, origin: str, target: Target) -> Profile:
    """Return the profile that a JSON document is for `target`; InputError, naming `origin` and place, for any other."""
    return _Reader(origin, target).profile(raw)


def readable(content: str | None, target: Target) -> str:
    """Return what the profile in a file allows, a line for each system call; the file itself where it holds none."""
    if content is None:
        return ""
    try:
        raw = json.loads(content)
        allowed = "\n".join(lines(read(raw, "", target)))
    except (ValueError, InputError):
        return content
    return f"{allowed}\nanything else: {raw['defaultAction']}\n"
