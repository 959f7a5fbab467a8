from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import documents, profile
from ansible_collections.breakwater.docker.tests.unit.fakes.seccomp_filter import decide

TARGET = documents.Target("x86_64", (6, 1), ("CHOWN", "SYS_ADMIN"))
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def read(*rules: dict[str, Any], target: documents.Target = TARGET, **more: Any) -> dict[str, Any]:
    """Return what is written of a profile with these rules after it was read."""
    raw = {"defaultAction": ERRNO, "syscalls": list(rules), **more}
    return profile.document(documents.read(raw, "p.json", target))


def rule(*names: str, action: str = ALLOW, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, **more}


def argument(index: int, operator: str, value: int, **more: int) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{operator}", "value": value, **more}


def test_denial_in_a_file_beats_its_permission_whatever_comes_first() -> None:
    for rules in ([rule("bpf"), rule("bpf", action=ERRNO)], [rule("bpf", action=ERRNO), rule("bpf")]):
        assert decide(read(*rules), "bpf") == ERRNO
    written = read(rule("socket"), rule("socket", action="SCMP_ACT_KILL", args=[argument(0, "EQ", 38)]))
    assert [decide(written, "socket", (family, 0, 0, 0, 0, 0)) for family in (38, 2)] == [ERRNO, ALLOW]


def test_conditions_of_different_arguments_hold_together_and_of_the_same_alone() -> None:
    together = read(rule("ioctl", args=[argument(0, "EQ", 1), argument(1, "EQ", 2)]))
    alone = read(rule("ioctl", args=[argument(0, "EQ", 1), argument(0, "EQ", 5), argument(1, "EQ", 2)]))
    calls = [(1, 2), (1, 3), (5, 0), (0, 2)]
    assert [decide(together, "ioctl", (*call, 0, 0, 0, 0)) == ALLOW for call in calls] == [True, False, False, False]
    assert all(decide(alone, "ioctl", (*call, 0, 0, 0, 0)) == ALLOW for call in calls)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"includes": {"caps": ["CAP_SYS_ADMIN"]}}, True),
        ({"includes": {"caps": ["CAP_SYS_ADMIN", "CAP_BPF"]}}, False),
        ({"excludes": {"caps": ["CAP_SYS_ADMIN"]}}, False),
        ({"excludes": {"caps": ["CAP_BPF"]}}, True),
        ({"includes": {"arches": ["amd64", "x32"]}}, True),
        ({"includes": {"arches": ["arm64"]}}, False),
        ({"excludes": {"arches": ["amd64"]}}, False),
        ({"includes": {"minKernel": "4.8"}}, True),
        ({"includes": {"minKernel": "6.2"}}, False),
        ({"excludes": {"minKernel": "6.1"}}, False),
        ({"includes": None, "excludes": {}, "comment": "x"}, True),
    ],
)
def test_rules_of_dockers_form(filters: dict[str, Any], expected: bool) -> None:
    assert (decide(read(rule("mount", **filters)), "mount") == ALLOW) == expected


def test_architectures() -> None:
    archmap = [
        {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": ["SCMP_ARCH_ARM"]},
        {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": ["SCMP_ARCH_X86"]},
    ]
    assert read(archMap=archmap)["architectures"] == ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]
    arm = replace(TARGET, machine="aarch64")
    assert read(archMap=archmap, target=arm)["architectures"] == ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"]
    assert read()["architectures"] == ["SCMP_ARCH_X86_64"]
    with pytest.raises(InputError, match="lack SCMP_ARCH_X86_64, so no program could run"):
        read(architectures=["SCMP_ARCH_ARM"])


def test_other_answers_are_kept() -> None:
    written = read(rule("keyctl", action=ERRNO, errnoRet=38), rule("read"))
    assert {"names": ["keyctl"], "action": ERRNO, "errnoRet": 38} in [
        {**item, "names": [name]} for item in written["syscalls"] for name in item["names"]
    ]


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ([], "it must be an object"),
        ({}, "defaultAction is None, so it allows whatever nobody thought of"),
        ({"defaultAction": ALLOW}, "defaultAction is 'SCMP_ACT_ALLOW', so it allows"),
        ({"defaultAction": ERRNO, "syscals": []}, "it has 'syscals', which no profile can have"),
        ({"defaultAction": ERRNO, "syscalls": {}}, "syscalls must be a list"),
        ({"defaultAction": ERRNO, "syscalls": ["x"]}, r"syscalls\[0\] must be an object"),
        ({"defaultAction": ERRNO, "syscalls": [{"action": ALLOW}]}, r"syscalls\[0\] needs either names or name"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", name="y")]}, "needs either names or name"),
        ({"defaultAction": ERRNO, "syscalls": [{"names": [3], "action": ALLOW}]}, r"names\[0\] must be a text"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", action="SCMP_ACT_TRACE")]}, "neither allowing nor refusing"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", action=ERRNO, errnoRet=5000)]}, "not between 0 and 4095"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", args=[argument(6, "EQ", 1)])]}, "index is 6, which is not"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", args=[argument(0, "EQ", -1)])]}, "value is -1, which is not"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", args=[argument(0, "IS", 1)])]}, "op is 'SCMP_CMP_IS', not"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", includes={"caps": [], "x": 1})]}, "includes has 'x'"),
        ({"defaultAction": ERRNO, "syscalls": [rule("x", includes={"minKernel": "new"})]}, "minKernel is 'new', not"),
    ],
)
def test_refusals_say_where_the_fault_is(raw: Any, problem: str) -> None:
    with pytest.raises(InputError, match=f"^p.json: .*{problem}"):
        documents.read(raw, "p.json", TARGET)


def test_readable() -> None:
    content = json.dumps({"defaultAction": ERRNO, "syscalls": [rule("write", "read")]})
    assert documents.readable(content, TARGET) == "read\nwrite\nanything else: SCMP_ACT_ERRNO\n"
    assert documents.readable("{", TARGET) == "{"
    assert documents.readable(None, TARGET) == ""
