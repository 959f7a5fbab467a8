# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The rule engine: controls and evidence make findings. Whatever can't be decided is an error finding, never a pass.

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.controls import CompiledControl
from ansible_collections.breakwater.docker.plugins.plugin_utils.expressions import ExpressionError
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Control, Finding, HostReport, ObjectRef
from ansible_collections.breakwater.docker.plugins.plugin_utils.plain_types import plain
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema

EVIDENCE_VERSION = 1
#: where the evidence document keeps the objects of each scope, and whether there is one or a list of them
_PLACES = {
    "host": "host",
    "daemon": "daemon",
    "swarm": "swarm",
    "file": "files",
    "image": "images",
    "container": "containers",
    "network": "networks",
    "registry": "registries",
}
_ABSENT = "There is no Docker Engine on this host."
_REMOTE = "The engine is remote: its host can't be seen from here. Audit that host itself."
_SCOPES_OF_A_HOST = ("host", "file", "registry")
#: Scopes with objects that need no engine.
_WITHOUT_ENGINE = ("registry",)


def check_policy(policy: Mapping[str, Any]) -> dict[str, Any]:
    """Return the policy with its defaults filled in; InputError for an unknown name or a value of the wrong type."""
    known = scope_schema("policy").fields
    for name, value in policy.items():
        if name not in known:
            raise InputError(f"The policy has no {name!r}; it knows {', '.join(sorted(known))}.")
        if not known[name].accepts(value):
            raise InputError(f"The policy's {name!r} has to be a {known[name].kind}: {known[name].description}")
    return {**{name: kind.example for name, kind in known.items()}, **plain(policy)}


def _unreadable(scope: str, subject: Mapping[str, Any]) -> dict[str, str]:
    """Return why fields can't be trusted, the engine's (`engine.NAME`) included."""
    engine = _gaps("engine", subject["engine"])
    return {**_gaps(scope, subject), **{f"engine.{name}": reason for name, reason in engine.items()}}


def _gaps(scope: str, subject: Mapping[str, Any]) -> dict[str, str]:
    """Return reasons by field: what the collector says, and types that the schema forbids."""
    told = subject.get("unreadable")
    reasons = {name: str(reason) for name, reason in told.items()} if isinstance(told, dict) else {}
    for name, kind in scope_schema(scope).fields.items():
        if name in reasons:
            continue
        if name not in subject:
            reasons[name] = f"the evidence lacks the field {name}"
        elif not kind.accepts(subject[name]):
            reasons[name] = f"the evidence's field {name} is not a {kind.kind}"
    return reasons


def _verdict(compiled: CompiledControl, context: Mapping[str, Any], unreadable: Mapping[str, str]) -> tuple[str, str]:
    """Return status and message for one object that the control is about."""
    control = compiled.control
    blocked = sorted(compiled.reads & unreadable.keys())
    if blocked:
        reasons = dict.fromkeys(unreadable[name] for name in blocked)
        return "error", f"Can't be decided: {'; '.join(reasons)}."
    try:
        if compiled.applies and not compiled.applies.decide(context):
            return "not_applicable", control.not_applicable or "Does not apply to this object."
        if compiled.manual and compiled.manual.decide(context):
            return "manual", _to_a_person(control, context)
        if compiled.expect is None:
            return "manual", _to_a_person(control, context)
        if compiled.expect.decide(context):
            return "pass", ""
    except ExpressionError as error:
        return "error", f"Can't be decided: {error}."
    return "fail", f"Not so: {control.title}.{_reason(control, context)}"


def _to_a_person(control: Control, context: Mapping[str, Any]) -> str:
    return (control.rationale or control.remediation.text) + _reason(control, context)


def _reason(control: Control, context: Mapping[str, Any]) -> str:
    """Return what the owner states about a control, as a further sentence."""
    stated = context.get("reasons")
    reason = stated.get(control.id) if isinstance(stated, dict) else None
    return f" The owner's reason: {reason}" if reason else ""


def _finding(control: CompiledControl, status: str, message: str, subject: ObjectRef, evidence: Any) -> Finding:
    rule = control.control
    return Finding(
        control=rule.id,
        title=rule.title,
        scope=rule.scope,
        severity=rule.severity,
        status=status,
        object=subject,
        refs=rule.refs,
        threats=rule.threats,
        evidence=evidence,
        message=message,
        remediation=rule.remediation,
    )


def judge(
    compiled: CompiledControl, context: Mapping[str, Any], unreadable: Mapping[str, str], subject: ObjectRef
) -> Finding | None:
    """Apply a control to one object; None when the object is not one that the control is about."""
    if compiled.select and not compiled.select.fields & unreadable.keys():
        try:
            if not compiled.select.decide(context):
                return None
        except ExpressionError as error:
            return _finding(compiled, "error", f"Can't be decided: {error}.", subject, None)
    status, message = _verdict(compiled, context, unreadable)
    evidence = None
    if compiled.evidence and status != "not_applicable":
        try:
            evidence = compiled.evidence.evaluate(context)
        except ExpressionError as error:
            evidence = {"unavailable": str(error)}
    return _finding(compiled, status, message, subject, evidence)


def _objects(evidence: Mapping[str, Any], scope: str) -> list[Mapping[str, Any]]:
    """Return the scope's objects; what is not there, or is none, counts as one of which nothing can be read."""
    found = evidence.get(_PLACES[scope])
    listed = found if isinstance(found, list) and _PLACES[scope] != scope else [found]
    return [item if isinstance(item, dict) else {} for item in listed]


def evaluate(
    controls: Iterable[CompiledControl], evidence: Mapping[str, Any], policy: Mapping[str, Any], host: str
) -> HostReport:
    """Turn a host's evidence document into its report; evidence that can't be trusted gives a host not assessed."""
    engine = evidence.get("engine")
    if evidence.get("schema") != EVIDENCE_VERSION or not isinstance(engine, dict):
        return HostReport.not_assessed(host, "The host's evidence is not a document of schema 1.")
    absent = engine.get("status") == "absent"
    if not absent and engine.get("status") != "ok":
        reason = str(engine.get("reason") or "The Docker Engine could not be examined.")
        return HostReport.not_assessed(host, reason, engine)
    shared = {"engine": engine, "policy": policy}
    contexts: dict[str, list[tuple[dict[str, Any], dict[str, str], ObjectRef]]] = {}
    findings: list[Finding] = []
    for compiled in controls:
        scope = compiled.control.scope
        if absent and not (scope in _WITHOUT_ENGINE and evidence.get(_PLACES[scope])):
            findings.append(_finding(compiled, "not_applicable", _ABSENT, ObjectRef("host", host, host), None))
            continue
        if engine.get("remote") is True and scope in _SCOPES_OF_A_HOST:
            findings.append(_finding(compiled, "not_applicable", _REMOTE, ObjectRef(scope, "", "none"), None))
            continue
        if scope not in contexts:
            contexts[scope] = [
                (context, _unreadable(scope, context), _reference(scope, context, host))
                for context in ({**item, **shared} for item in _objects(evidence, scope))
            ]
        judged = [judge(compiled, *context) for context in contexts[scope]]
        about = [finding for finding in judged if finding is not None]
        if not about:
            message = compiled.control.not_applicable or f"There is no {scope} on this host to which this applies."
            about = [_finding(compiled, "not_applicable", message, ObjectRef(scope, "", "none"), None)]
        findings.extend(about)
    return HostReport.of(host, findings, engine)


def _reference(scope: str, item: Mapping[str, Any], host: str) -> ObjectRef:
    if scope == "host":
        return ObjectRef(scope, host, host)
    name = str(item.get("name") or item.get("id") or scope)
    return ObjectRef(scope, str(item.get("id") or name), name)


def self_test(compiled: CompiledControl) -> list[str]:
    """Run the control's examples; return a sentence for each that does not come out as it says.

    A field that an example omits has the schema's example value; `engine` and `policy` are merged over theirs.
    """
    control = compiled.control
    complaints = []
    for expected, examples in control.tests.items():
        for example in examples:
            subject = {**scope_schema(control.scope).example_object(), **example}
            for shared in ("engine", "policy"):
                subject[shared] = {**scope_schema(shared).example_object(), **example.get(shared, {})}
            unreadable = _unreadable(control.scope, subject)
            unknown = sorted(example.keys() - scope_schema(control.scope).fields.keys() - {"engine", "policy"})
            if unknown:
                complaints.append(f"control {control.id!r}: an example has the unknown field {unknown[0]!r}.")
                continue
            found = judge(compiled, subject, unreadable, ObjectRef(control.scope, "example", "example"))
            status = found.status if found else "not selected"
            if status != expected:
                reason = f" ({found.message})" if found else ""
                complaints.append(
                    f"control {control.id!r}: the example {example} should be {expected} but is {status}{reason}."
                )
    return complaints
