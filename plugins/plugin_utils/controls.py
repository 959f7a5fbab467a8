# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# One control: from its YAML form, checked, to its compiled form.

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, fields
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.expressions import Expression, ExpressionError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import (
    PROFILES,
    SCOPES,
    SEVERITIES,
    STATUSES,
    THREATS,
    Control,
    Remediation,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import context_schema

_EXPRESSIONS = {"select": True, "applies": True, "manual": True, "expect": True, "evidence": False}
_REQUIRED = ("id", "title", "scope", "severity", "profiles", "threats", "refs", "remediation")
_ALLOWED = {item.name for item in fields(Control)} - {"source"} | {"override"}
_REFERENCES = ("cis_1_6", "cis_1_8", "nist_800_190")
_TEXTS = ("title", "select", "applies", "expect", "evidence", "not_applicable", "rationale")


@dataclass(frozen=True)
class CompiledControl:
    """A control with its parsed expressions (None where it has none) and the object fields that decide it."""

    control: Control
    select: Expression | None
    applies: Expression | None
    manual: Expression | None
    expect: Expression | None
    evidence: Expression | None
    reads: frozenset[str]


def _choices(raw: Any, known: Sequence[str], where: str) -> tuple[str, ...]:
    if not isinstance(raw, list) or not all(item in known for item in raw):
        raise InputError(f"{where} is {raw!r}; write a list of some of {', '.join(known)}.")
    return tuple(raw)


def _check_shape(raw: Mapping[str, Any], where: str) -> None:
    for name in raw:
        if name not in _ALLOWED:
            near = difflib.get_close_matches(str(name), _ALLOWED, 1)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(_ALLOWED))}."
            raise InputError(f"{where} has the unknown key {name!r}; {hint}")
    missing = [name for name in _REQUIRED if name not in raw]
    if missing:
        raise InputError(f"{where} lacks {', '.join(missing)}; add what is missing.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", str(raw["id"])):
        raise InputError(f"{where}: the id has to be lower case letters, digits and underscores.")
    if raw["scope"] not in SCOPES:
        raise InputError(f"{where}.scope is {raw['scope']!r}; write one of {', '.join(SCOPES)}.")
    if raw["severity"] not in SEVERITIES:
        raise InputError(f"{where}.severity is {raw['severity']!r}; write one of {', '.join(SEVERITIES)}.")
    if not isinstance(raw["refs"], dict) or not all(
        name in _REFERENCES and isinstance(number, str) for name, number in raw["refs"].items()
    ):
        raise InputError(
            f"{where}.refs is {raw['refs']!r}; write a mapping of {', '.join(_REFERENCES)} to quoted numbers "
            f'such as "5.10" (without quotes YAML reads 5.1).'
        )
    # What is no text would be passed over: an expression without its quotes can be a mapping, `select: no` is false.
    for name in _TEXTS:
        if name in raw and not isinstance(raw[name], str):
            raise InputError(f"{where}.{name} is {raw[name]!r}; write it as text, in quotes.")
    if not isinstance(raw.get("manual", False), (bool, str)):
        raise InputError(f"{where}.manual is {raw['manual']!r}; write true, or an expression in quotes.")
    if not isinstance(raw.get("override", False), bool):
        raise InputError(f"{where}.override is {raw['override']!r}; write true or false, without quotes.")
    if raw.get("manual") is not True and "expect" not in raw:
        raise InputError(f"{where} needs expect, an expression that is true when the control passes, or manual: true.")


def _check_tests(tests: Any, needed: bool, where: str) -> None:
    """Require examples by status, each an object; `needed` are those that show both what passes and what fails."""
    known = isinstance(tests, dict) and all(
        status in STATUSES and isinstance(examples, list) and all(map(_is_example, examples))
        for status, examples in tests.items()
    )
    if not known:
        raise InputError(
            f"{where}.tests is {tests!r}; "
            "write a mapping of pass, fail, manual, not_applicable or error to lists of objects."
        )
    if needed and not (tests.get("pass") and tests.get("fail")):
        raise InputError(f"{where}.tests needs at least one passing and one failing example of an object.")


def _is_example(raw: Any) -> bool:
    return isinstance(raw, dict) and all(isinstance(raw.get(shared, {}), dict) for shared in ("engine", "policy"))


def _remediation(raw: Any, where: str) -> Remediation:
    if not isinstance(raw, dict) or not isinstance(raw.get("text"), str):
        raise InputError(f"{where} needs a mapping with a text that says how to fix it.")
    if not raw.keys() <= {"text", "role", "variable"} or not all(isinstance(value, str) for value in raw.values()):
        raise InputError(f"{where} is {raw!r}; write text, role and variable, each as text.")
    if ("role" in raw) != ("variable" in raw):
        raise InputError(f"{where} needs both role and variable, or neither: a reader sets a variable of a role.")
    return Remediation(**raw)


def parse_control(raw: Any, source: str) -> Control:
    """Build a control from its YAML form; InputError says what is wrong, where, and what to write instead."""
    where = f"{source}: control {raw.get('id', '?')!r}" if isinstance(raw, dict) else source
    if not isinstance(raw, dict):
        raise InputError(f"{source}: a control is a mapping, not {raw!r}; see docs/writing_rules.md.")
    raw = {name: value for name, value in raw.items() if value is not None}
    _check_shape(raw, where)
    values = {name: value for name, value in raw.items() if name != "override"}
    values["profiles"] = _choices(raw["profiles"], PROFILES, f"{where}.profiles")
    values["threats"] = _choices(raw["threats"], THREATS, f"{where}.threats")
    if not values["profiles"]:
        raise InputError(f"{where}.profiles is empty: it would never be judged; name {' or '.join(PROFILES)}.")
    values["remediation"] = _remediation(raw["remediation"], f"{where}.remediation")
    _check_tests(raw.get("tests", {}), "expect" in raw, where)
    return Control(source=source, **values)


def compile_control(control: Control) -> CompiledControl:
    """Parse and check the control's expressions; InputError where one is wrong."""
    context = context_schema(control.scope)
    compiled: dict[str, Expression | None] = {}
    for name, boolean in _EXPRESSIONS.items():
        source = getattr(control, name)
        if not isinstance(source, str):
            source = "`true`" if source is True else None
        try:
            compiled[name] = None if source is None else Expression(source, context, boolean)
        except ExpressionError as error:
            raise InputError(f"{control.source}: control {control.id!r}, {name}: {error}.") from None
    deciding = [compiled[name] for name, boolean in _EXPRESSIONS.items() if boolean]
    reads = frozenset(name for item in deciding if item for name in item.fields)
    return CompiledControl(control=control, reads=reads - {"engine", "policy"}, **compiled)
