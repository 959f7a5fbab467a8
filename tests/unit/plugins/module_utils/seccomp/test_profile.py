from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import conditions, documents, presets, syscalls
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.conditions import ALWAYS, Conjunction
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import (
    Delta,
    Profile,
    changed,
    difference,
    document,
    lines,
    text,
)
from ansible_collections.breakwater.docker.tests.unit.fakes.seccomp_filter import decide

NATIVE = ("SCMP_ARCH_X86_64",)
TARGET = documents.Target("x86_64", (6, 1))
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
NAMES = sorted(syscalls.numbers("x86_64").values())
VALUES = (0, 1, 2, 10, 16, 17, 38, 40, 44, 1 << 32 | 38)


def when(value: int, operator: str = "EQ") -> Conjunction:
    found = conditions.conjunction([(0, conditions.compare(f"SCMP_CMP_{operator}", value))])
    assert found is not None
    return found


def any_profile(dice: random.Random) -> Profile:
    allowed: dict[str, Any] = {}
    for name in dice.sample(NAMES, 40):
        conditional = dice.random() < 0.3
        allowed[name] = conditions.union(when(value) for value in dice.sample(VALUES, 3)) if conditional else (ALWAYS,)
    return Profile(NATIVE, allowed)


def any_delta(dice: random.Random) -> Delta:
    sides = [
        tuple((name, dice.choice([ALWAYS, when(dice.choice(VALUES))])) for name in dice.sample(NAMES, 15))
        for _side in range(2)
    ]
    return Delta(*sides)


@pytest.mark.parametrize("seed", range(30))
def test_deny_beats_allow_and_nothing_else_changes(seed: int) -> None:
    dice = random.Random(seed)
    before, delta = any_profile(dice), any_delta(dice)
    written, former = document(changed(before, delta)), document(before)
    multiplexers = {way for name, _when in delta.deny for way in syscalls.ways_around(name)}
    for name in NAMES:
        for value in VALUES:
            arguments = (value, 0, 0, 0, 0, 0)
            denied = any(matches(item, value) for called, item in delta.deny if called == name)
            added = any(matches(item, value) for called, item in delta.allow if called == name)
            allows = decide(written, name, arguments) == ALLOW
            if denied or name in multiplexers:
                assert not allows
            elif not any(called == name for called, _item in delta.deny):
                assert allows == (added or decide(former, name, arguments) == ALLOW)


def matches(item: Conjunction, value: int) -> bool:
    rules = [{"names": ["x"], "action": ALLOW, "args": arguments} for arguments in conditions.rules((item,))]
    return decide({"defaultAction": ERRNO, "syscalls": rules}, "x", (value, 0, 0, 0, 0, 0)) == ALLOW


@pytest.mark.parametrize("seed", range(10))
def test_text_is_the_same_however_it_was_made(seed: int) -> None:
    dice = random.Random(seed)
    profile = any_profile(dice)
    shuffled = list(profile.allowed.items())
    dice.shuffle(shuffled)
    content = text(document(Profile(NATIVE, dict(shuffled))))
    assert content == text(document(profile))
    for rule in json.loads(content)["syscalls"]:
        assert rule["names"] == sorted(set(rule["names"]))


@pytest.mark.parametrize("seed", range(10))
def test_document_is_read_as_what_was_written(seed: int) -> None:
    profile = any_profile(random.Random(seed))
    assert documents.read(document(profile), "x", TARGET).allowed == profile.allowed


def test_denied_family_is_denied_with_any_bits_that_the_kernel_ignores() -> None:
    base = Profile(NATIVE, {"socket": (when(40, "NE"),), "socketcall": (ALWAYS,)})
    written = document(changed(base, Delta(deny=(("socket", when(38)),))))
    answers = {family: decide(written, "socket", (family, 0, 0, 0, 0, 0)) for family in (2, 38, 39, 40, 1 << 32 | 38)}
    assert answers == {2: ALLOW, 38: ERRNO, 39: ALLOW, 40: ERRNO, 1 << 32 | 38: ERRNO}
    assert decide(written, "socketcall") == ERRNO


def test_calls_with_a_fallback_are_answered_so_that_it_is_taken() -> None:
    written = document(Profile(NATIVE, {"read": (ALWAYS,), "statx": (ALWAYS,)}, {"bpf": 13}))
    answers = {name: rule["errnoRet"] for rule in written["syscalls"] if "errnoRet" in rule for name in rule["names"]}
    assert answers["clone3"] == syscalls.ENOSYS
    assert answers["bpf"] == 13
    assert "statx" not in answers
    assert written["defaultErrnoRet"] == syscalls.EPERM


@pytest.mark.parametrize(("action", "expected"), [("log", "SCMP_ACT_LOG"), ("kill", "SCMP_ACT_KILL_PROCESS")])
def test_actions(action: str, expected: str) -> None:
    written = document(Profile(NATIVE, {"read": (ALWAYS,)}), action)
    assert (decide(written, "bpf"), decide(written, "read")) == (expected, ALLOW)
    assert decide(written, "clone3") == (expected if action == "log" else ERRNO)
    assert "defaultErrnoRet" not in written


def test_condition_that_can_not_be_told_names_the_call() -> None:
    wide = conditions.without((when(10, "GT"),), when(1000, "GE"))
    with pytest.raises(InputError, match="The conditions of ioctl: Argument 0 from 11 to 999"):
        document(Profile(NATIVE, {"ioctl": wide}))


def test_difference() -> None:
    first = Profile(NATIVE, {"read": (ALWAYS,), "socket": (when(40, "NE"),), "ptrace": (ALWAYS,)})
    second = Profile(("SCMP_ARCH_X86",), {"read": (ALWAYS,), "socket": (when(2),), "bpf": (when(1),)})
    assert difference(first, second) == {
        "only_first": ["ptrace"],
        "only_second": ["bpf when argument 0 is 1"],
        "conditions": [
            {
                "syscall": "socket",
                "first": "socket when argument 0 is 0-39 or 41-",
                "second": "socket when argument 0 is 2",
            }
        ],
        "architectures": {"first": ["SCMP_ARCH_X86_64"], "second": ["SCMP_ARCH_X86"]},
    }
    assert difference(first, first)["conditions"] == []


class TestPresets:
    @pytest.mark.parametrize("name", presets.NAMES)
    def test_names_are_system_calls(self, name: str) -> None:
        syscalls.require_known(sorted(presets.preset(name, *NATIVE).allowed), name)

    def test_each_allows_what_the_one_before_does(self) -> None:
        made = [presets.preset(name, *NATIVE) for name in presets.NAMES]
        for smaller, greater in zip(made, made[1:]):
            assert set(lines(smaller)) < set(lines(greater))

    @pytest.mark.parametrize("name", presets.NAMES)
    @pytest.mark.parametrize("flags", [0x10000000, 0x20000, 0x40000000 | 0x100])
    def test_no_new_namespaces(self, name: str, flags: int) -> None:
        written = document(presets.preset(name, *NATIVE))
        assert decide(written, "clone", (flags, 0, 0, 0, 0, 0)) == ERRNO
        assert decide(written, "clone", (0x11, 0, 0, 0, 0, 0)) == ALLOW
        assert decide(written, "clone3") == ERRNO

    def test_sockets(self) -> None:
        written = document(presets.preset("web", *NATIVE))
        families = [family for family in range(64) if decide(written, "socket", (family, 0, 0, 0, 0, 0)) == ALLOW]
        assert families == [1, 2, 10, 16]
        assert decide(written, "socket", (1 << 32 | 38, 0, 0, 0, 0, 0)) == ERRNO
        assert decide(document(presets.preset("minimal", *NATIVE)), "socket", (2, 0, 0, 0, 0, 0)) == ERRNO

    @pytest.mark.parametrize("call", ["bpf", "keyctl", "ptrace", "mount", "unshare", "io_uring_setup", "execveat"])
    def test_dangerous_calls_are_in_none(self, call: str) -> None:
        assert decide(document(presets.preset("web", *NATIVE)), call) == ERRNO

    def test_capabilities(self) -> None:
        assert presets.capabilities(["web", "CAP_KILL", "chown"], "x") == ("CHOWN", "KILL", "NET_BIND_SERVICE")
        assert len(presets.capabilities(["docker"], "x")) == 14
        with pytest.raises(InputError, match="x names 'FLY', which is neither a capability nor one of the sets none,"):
            presets.capabilities(["FLY"], "x")


class TestSystemCalls:
    def test_numbers(self) -> None:
        assert {number: syscalls.numbers("x86_64")[number] for number in (0, 56, 231, 334, 435)} == {
            0: "read",
            56: "clone",
            231: "exit_group",
            334: "rseq",
            435: "clone3",
        }
        assert {number: syscalls.numbers("aarch64")[number] for number in (63, 94, 220, 435)} == {
            63: "read",
            94: "exit_group",
            220: "clone",
            435: "clone3",
        }
        with pytest.raises(InputError, match="no table of the system calls of riscv64"):
            syscalls.numbers("riscv64")

    def test_unknown_name_is_refused_with_a_near_one(self) -> None:
        with pytest.raises(
            InputError, match=r"^Profile x names 'keyctrl', which is no system call: did you mean keyctl"
        ):
            syscalls.require_known(["read", "keyctrl"], "Profile x")
        with pytest.raises(InputError, match=r"syscalls\(2\) lists them"):
            syscalls.require_known(["zzzz"], "Profile x")
        syscalls.require_known(["socketcall", "arm_fadvise64_64", "open"], "x")

    def test_constants(self) -> None:
        assert [syscalls.constant(value, "x") for value in ("AF_ALG", "38", "0x26")] == [38, 38, 38]
        for wrong in ("AF_ALGO", "-1", str(1 << 64), ""):
            with pytest.raises(InputError, match="write a number from 0 to"):
                syscalls.constant(wrong, "x")
