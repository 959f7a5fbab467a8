from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.seccomp import DANGEROUS_CALLS, dangerous_calls

ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"


def rule(*names: str, action: str = ALLOW, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, **more}


def profile(*rules: dict[str, Any], default: str = ERRNO) -> str:
    return json.dumps({"defaultAction": default, "syscalls": list(rules)})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("builtin", []),
        (profile(rule("read", "write")), []),
        (profile(rule("read", "unshare"), rule("keyctl")), ["keyctl", "unshare"]),
        (profile(rule("bpf", action="SCMP_ACT_LOG")), ["bpf"]),
        (profile(rule("bpf", action=ERRNO)), []),
        (profile(rule("mount", includes={"caps": ["CAP_SYS_ADMIN"]})), []),
        (profile(rule("mount", includes={"minKernel": "4.8"})), ["mount"]),
        (profile({"name": "setns", "action": ALLOW}), ["setns"]),
        (profile(rule("clone", args=[{"index": 0}])), []),
        (profile(rule("clone")), ["clone"]),
        (profile(rule("unshare", args=[{"index": 0}])), ["unshare"]),
    ],
)
def test_dangerous_calls(content: str, expected: list[str]) -> None:
    assert dangerous_calls(content) == expected


def test_profile_that_lists_what_it_refuses_allows_the_rest() -> None:
    found = dangerous_calls(profile(rule("bpf", action=ERRNO), default=ALLOW))
    assert set(found) == DANGEROUS_CALLS - {"bpf"} | {"clone"} == set(dangerous_calls("unconfined")) - {"bpf"}


@pytest.mark.parametrize(
    "content",
    [
        *("", "[]", "{", '{"syscalls": [3]}', '{"syscalls": [{"names": ["a"]}]}'),
        profile({"action": ERRNO, "names": [[]]}, default=ALLOW),
    ],
)
def test_what_is_no_profile_is_unreadable(content: str) -> None:
    with pytest.raises(UnreadableError, match="can't be understood"):
        dangerous_calls(content)
