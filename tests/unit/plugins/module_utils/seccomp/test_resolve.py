from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import (
    documents,
    presets,
    probe,
    profile,
    resolve,
)
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.syscalls import require_known
from ansible_collections.breakwater.docker.tests.unit.fakes import seccomp_filter
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import DOCKER, RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.seccomp_filter import decide

TARGET = documents.Target("x86_64", (6, 1))
ALLOW, ERRNO = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"
OWN = {
    "defaultAction": ERRNO,
    "syscalls": [
        {"names": ["read", "clone", "ioctl", "mkdir"], "action": ALLOW},
        {"names": ["socket"], "action": ALLOW, "args": [{"index": 0, "op": "SCMP_CMP_NE", "value": 40}]},
        {"names": ["keyctl"], "action": ERRNO, "errnoRet": 38},
    ],
}


def entry(**given: Any) -> dict[str, Any]:
    return {"name": "x", "base": "web", "capabilities": [], "allow": [], "deny": [], "arguments": [], **given}


def rule(action: str, call: str, argument: int, op: str, value: str) -> dict[str, Any]:
    return {"syscalls": [call], "action": action, "when": [{"argument": argument, "op": op, "value": value}]}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "cache.json"
    monkeypatch.setattr(resolve, "CACHE", str(place))
    return place


class Bed:
    """A resolver whose engine has the profile OWN, and counts how often it is read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands = RecordedCommands()
        self.commands.answer(f"{DOCKER} version", "26.1.5")
        for command in (f"{DOCKER} import", f"{DOCKER} rm", f"{DOCKER} image rm"):
            self.commands.answer(command)
        self.own: dict[str, Any] = OWN
        self.read: list[str] = []
        monkeypatch.setattr(probe, "engine_default", self._engine_default)

    def _engine_default(self, _docker: Any, _files: Any, capabilities: Any) -> Any:
        self.read.append(",".join(capabilities))
        return self.own

    def resolve(self, starts_containers: bool = True, **given: Any) -> dict[str, Any]:
        docker = Docker(self.commands)
        with resolve.Resolver(docker, LocalFileSystem(), TARGET, starts_containers) as resolver:
            return profile.document(resolver.resolve(entry(**given)))


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Bed:
    return Bed(monkeypatch)


def test_engines_own_profile_is_read_once_for_each_set_of_capabilities(bed: Bed) -> None:
    for capabilities in (["web"], ["web"], ["none"], ["NET_BIND_SERVICE"]):
        assert decide(bed.resolve(base="engine", capabilities=capabilities), "read") == ALLOW
    assert bed.read == ["NET_BIND_SERVICE", ""]
    assert sum(line.startswith(f"{DOCKER} import") for line in bed.commands.asked) == 2


@pytest.mark.parametrize("damage", ["", "{", '{"state": 1}'])
def test_engine_of_another_version_or_a_damaged_cache_is_read_anew(bed: Bed, cache: Path, damage: str) -> None:
    bed.resolve(base="engine")
    if damage:
        cache.write_text(damage)
    else:
        bed.commands.answer(f"{DOCKER} version", "29.8.0")
    bed.resolve(base="engine")
    assert bed.read == ["", ""]
    assert len(json.loads(cache.read_text())["profiles"]) == 1


@pytest.mark.parametrize("starts_containers", [True, False])
def test_profile_that_an_old_engine_hides_is_the_one_that_was_read_before(bed: Bed, starts_containers: bool) -> None:
    bed.resolve(base="engine")
    bed.commands.answer(f"{DOCKER} version", "20.10.25")
    bed.commands.answer(f"{DOCKER} info", '["name=seccomp,profile=/etc/docker/mine.json"]')
    assert decide(bed.resolve(starts_containers, base="engine"), "read") == ALLOW
    with pytest.raises(InputError, match=r"Engines before 23\.0 show their own"):
        bed.resolve(starts_containers, base="engine", capabilities=["web"])
    # nothing tells what to take away from a preset
    assert decide(bed.resolve(starts_containers, base="web"), "mkdir") == ALLOW
    assert decide(bed.resolve(starts_containers, base="web", capabilities=["web"]), "listen") == ALLOW
    assert bed.read == [""]


def test_preset_keeps_no_more_than_the_engines_own_profile_allows(bed: Bed) -> None:
    bed.own = json.loads(json.dumps(OWN).replace('"value": 40', '"value": 16'))
    written = bed.resolve(base="web", allow=["listen"])
    assert {call: decide(written, call) for call in ("read", "mkdir", "listen")} == dict.fromkeys(
        ("read", "mkdir", "listen"), ALLOW
    )
    assert decide(written, "bind") == ERRNO
    families = [family for family in range(64) if decide(written, "socket", (family, 0, 0, 0, 0, 0)) == ALLOW]
    assert families == [1, 2, 10]
    assert {"names": ["keyctl"], "action": ERRNO, "errnoRet": 38} in [
        {**item, "names": [name]} for item in written["syscalls"] for name in item["names"]
    ]
    assert written["architectures"] == ["SCMP_ARCH_X86_64"]


def recorded(version: str) -> dict[str, Any]:
    """Return an engine's own profile for containers without capabilities, as it was in a config.json on Linux 6.18."""
    place = Path(seccomp_filter.__file__).parent / "engine_seccomp" / f"{version}.json"
    return json.loads(place.read_text(encoding="utf-8"))


def allowed(written: dict[str, Any]) -> set[str]:
    return {name for rule in written["syscalls"] if rule["action"] == ALLOW for name in rule["names"]}


@pytest.mark.parametrize("version", ["20.10.24", "26.1.5", "28.5.2"])
@pytest.mark.parametrize("name", presets.NAMES)
def test_presets_of_several_versions(bed: Bed, version: str, name: str) -> None:
    listed = allowed(profile.document(presets.preset(name, TARGET.architecture)))
    bed.own = recorded(version)
    written = bed.resolve(base=name)
    assert allowed(written) <= allowed(bed.own)
    # the oldest one does not know this call, which the other presets don't list
    assert listed - allowed(written) == ({"fchmodat2"} & listed if version == "20.10.24" else set())
    assert decide(written, "clone", (0x10000000, 0, 0, 0, 0, 0)) == ERRNO
    assert decide(written, "clone", (0x11, 0, 0, 0, 0, 0)) == ALLOW


@pytest.mark.parametrize(("version", "verdict"), [("20.10.24", ALLOW), ("26.1.5", ERRNO), ("28.5.2", ERRNO)])
def test_own_profile_of_several_versions(bed: Bed, version: str, verdict: str) -> None:
    bed.own = recorded(version)
    written = bed.resolve(base="engine")
    assert decide(written, "io_uring_setup") == decide(written, "socket", (40, 0, 0, 0, 0, 0)) == verdict
    # the crypto sockets of the kernel, which engines from 29.4.3 on refuse
    assert decide(written, "socket", (2, 0, 0, 0, 0, 0)) == decide(written, "socket", (38, 0, 0, 0, 0, 0)) == ALLOW


def test_every_call_that_an_engine_allows_can_be_named() -> None:
    # but for one of a machine that there is no table of
    require_known(sorted(allowed(recorded("28.5.2")) - {"riscv_hwprobe"}), "the engine's profile")


def test_preset_changes_with_the_version_of_the_engine(bed: Bed) -> None:
    assert decide(bed.resolve(base="web"), "mkdir") == ALLOW
    bed.commands.answer(f"{DOCKER} version", "29.8.0")
    bed.own = {"defaultAction": ERRNO, "syscalls": [{"names": ["read", "socket"], "action": ALLOW}]}
    assert decide(bed.resolve(base="web"), "mkdir") == ERRNO
    assert decide(bed.resolve(False, base="web"), "mkdir") == ERRNO


def test_check_mode_starts_nothing_and_says_when_it_can_not_tell(bed: Bed, cache: Path) -> None:
    with pytest.raises(resolve.UnpredictableError, match="was not read here yet"):
        bed.resolve(False, base="engine")
    assert not cache.exists()
    bed.resolve(True, base="engine")
    assert decide(bed.resolve(False, base="engine"), "read") == ALLOW
    assert bed.read == [""]
    with pytest.raises(resolve.UnpredictableError):
        bed.resolve(False, base="engine", capabilities=["web"])


def test_engine_that_does_not_answer_is_told_of(bed: Bed) -> None:
    bed.commands.answer(f"{DOCKER} version", rc=1)
    with pytest.raises(InputError, match=r"The engine does not answer, .* preset or a file as base"):
        bed.resolve(base="engine")
    # a preset is then what it lists
    assert decide(bed.resolve(base="web"), "bind") == ALLOW
    with pytest.raises(resolve.UnpredictableError):
        bed.resolve(False, base="web")


def test_probe_is_not_made_for_what_needs_none(bed: Bed, tmp_path: Path) -> None:
    file = tmp_path / "base.json"
    file.write_text(json.dumps(OWN))
    bed.resolve(base=str(file))
    assert bed.commands.asked == []


def test_base_may_be_a_file(bed: Bed, tmp_path: Path) -> None:
    file = tmp_path / "base.json"
    file.write_text(json.dumps(OWN))
    assert decide(bed.resolve(base=str(file), allow=["bpf"]), "bpf") == ALLOW
    file.write_text("{")
    with pytest.raises(InputError, match=r"base.json is not JSON"):
        bed.resolve(base=str(file))
    with pytest.raises(InputError, match=r"none.json can't be read: No such file"):
        bed.resolve(base=str(tmp_path / "none.json"))


def test_deltas(bed: Bed) -> None:
    written = bed.resolve(
        allow=["ptrace"],
        deny=["mkdir", "ptrace"],
        arguments=[
            rule("allow", "socket", 0, "eq", "AF_PACKET"),
            rule("deny", "socket", 0, "eq", "AF_NETLINK"),
            rule("allow", "unshare", 0, "lacks", "CLONE_NEWUSER"),
            rule("deny", "ioctl", 1, "has", "0x6"),
        ],
    )
    assert decide(written, "ptrace") == decide(written, "mkdir") == ERRNO
    families = [family for family in range(64) if decide(written, "socket", (family, 0, 0, 0, 0, 0)) == ALLOW]
    assert families == [1, 2, 10, 17]
    flags = (0x10000000, 0x10000001, 0x20000)
    assert [decide(written, "unshare", (flag, 0, 0, 0, 0, 0)) for flag in flags] == [ERRNO, ERRNO, ALLOW]
    assert [decide(written, "ioctl", (0, bits, 0, 0, 0, 0)) for bits in (6, 7, 2, 4, 8)] == [ERRNO, ERRNO, *[ALLOW] * 3]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"name": "a/b"}, "'a/b' can't name a profile"),
        ({"name": "web.json"}, "'web.json' can't name a profile"),
        ({"base": "webb"}, "There is no base 'webb': write engine, one of the presets runtime,"),
        ({"capabilities": ["FLY"]}, "Profile x names 'FLY', which is neither"),
        ({"deny": ["keyctrl"]}, r"Profile x names 'keyctrl', which is no system call: did you mean keyctl\?"),
        ({"arguments": [rule("deny", "sockett", 0, "eq", "1")]}, "names 'sockett'"),
        ({"arguments": [rule("deny", "socket", 0, "eq", "AF_ALGO")]}, "Profile x compares with 'AF_ALGO'"),
        ({"arguments": [rule("deny", "socket", 6, "eq", "1")]}, "has the arguments 0 to 5, no 6"),
        ({"arguments": [rule("deny", "socket", 0, "lt", "0")]}, "`when` of socket never holds"),
        ({"arguments": [{"syscalls": ["socket"], "action": "deny", "when": []}]}, "`when` of socket is empty"),
    ],
)
def test_refusals(bed: Bed, given: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        bed.resolve(**given)
