from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import presets, profile, recorder, workload
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.resolve import delta
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import DOCKER
from ansible_collections.breakwater.docker.tests.unit.fakes.seccomp_filter import decide

ALLOW, ERRNO, NOTIFY = "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY"


class Host:
    """A CommandRunner whose container ends well when it has the capabilities that it needs."""

    def __init__(self, *needs: str) -> None:
        self.needs = needs
        self.version = "26.1.5"
        self.runs: list[str] = []
        self.removed = 0
        self._ends_with = 0

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        begin, command = " ".join(argv[:3]), argv[3]
        assert begin == DOCKER
        if command == "version":
            return CommandResult(0, self.version, "")
        if command == "run":
            self.runs.append(" ".join(argv))
            self._ends_with = int(any(f"--cap-add={name}" not in argv for name in self.needs))
        if command == "inspect":
            return CommandResult(0, json.dumps({"Running": False, "ExitCode": self._ends_with}), "")
        if command == "logs":
            return CommandResult(0, "", "chown: not permitted")
        self.removed += command == "rm"
        return CommandResult(0, "", "")


def trials(host: Host, *options: str) -> workload.Trials:
    return workload.Trials(Docker(host), host, workload.Workload("image", ["x"], options, [], 5))


@pytest.mark.parametrize(("needs", "runs"), [((), 1), (("CHOWN",), 5), (("CHOWN", "KILL"), 5)])
def test_capabilities_are_those_that_can_not_be_spared(needs: tuple[str, ...], runs: int) -> None:
    host = Host(*needs)
    assert trials(host).capabilities(("CHOWN", "KILL", "SETUID")) == needs
    assert len(host.runs) == runs
    assert host.removed >= 2 * runs


def test_workload_that_fails_with_all_of_them_is_told_of() -> None:
    with pytest.raises(BreakwaterError, match=r"fails with all of KILL, too: it ends with 1; .* says: chown: not perm"):
        trials(Host("CHOWN")).capabilities(("KILL",))


def test_options_of_the_recording_are_refused() -> None:
    for option in ("--cap-add=ALL", "--privileged", "seccomp=unconfined", "--security-opt=seccomp=x", "--name=y", "-d"):
        with pytest.raises(InputError, match=f"run_options has {option}, which"):
            trials(Host(), option)
    trials(Host(), "--security-opt", "no-new-privileges", "--read-only")


@pytest.mark.parametrize("version", ["20.10.24", ""])
def test_old_engine_is_refused(version: str) -> None:
    host = Host()
    host.version = version
    with pytest.raises(InputError, match=r"needs an engine from 23.0 that answers"):
        trials(host)


def test_kernel_is_told_to_ask_about_all_that_the_base_allows() -> None:
    base = presets.preset("worker", "SCMP_ARCH_X86_64")
    content = recorder.asking(base, "/run/x")
    assert content["listenerPath"] == "/run/x"
    # a runtime that is interrupted before it has handed over the listener would wait for an answer for ever
    assert decide(content, "write") == decide(content, "rt_sigreturn") == decide(content, "futex") == ALLOW
    assert decide(content, "mkdir") == NOTIFY
    assert decide(content, "socket", (2, 0, 0, 0, 0, 0)) == NOTIFY
    assert (
        decide(content, "socket", (38, 0, 0, 0, 0, 0)) == decide(content, "bpf") == decide(content, "clone3") == ERRNO
    )


def test_entry_is_what_the_module_takes() -> None:
    calls: dict[str, set[int]] = {"mkdir": {7}, "read": {0}, "clone": {17}, "socket": {2, 1 << 32 | 1, 9}}
    made = workload.entry("shop", calls, [])
    assert made["capabilities"] == ["none"]
    assert made["allow"] == ["mkdir"]
    assert [rule["when"][0]["value"] for rule in made["arguments"]] == ["AF_UNIX", "AF_INET", "9"]
    base = presets.preset(made["base"], "SCMP_ARCH_X86_64")
    written = profile.document(profile.changed(base, delta(made, "shop")))
    families = [family for family in range(64) if decide(written, "socket", (family, 0, 0, 0, 0, 0)) == ALLOW]
    assert families == [1, 2, 9]
    assert {decide(written, name) for name in calls if name not in ("socket", "clone")} == {ALLOW}
    assert decide(written, "rmdir") == ERRNO


class TestRecorder:
    @pytest.fixture
    def listening(self, tmp_path: Path) -> Any:
        with recorder.Recorder(str(tmp_path / "listener"), "x86_64") as found:
            yield found

    def test_calls_are_noted_by_name(self, listening: Any) -> None:
        for number, argument in ((41, 2), (41, 1), (0, 5)):
            listening._note(number, 0xC000003E, argument)
        assert listening.calls().items() >= {"socket": {1, 2}, "read": {5}, "write": set()}.items()

    @pytest.mark.parametrize(
        ("number", "architecture", "reason"),
        [
            (0, 0x40000003, "another architecture"),
            (0x40000000, 0xC000003E, "another"),
            (5000, 0xC000003E, "number 5000"),
        ],
    )
    def test_calls_without_a_name_are_told_of(
        self, listening: Any, number: int, architecture: int, reason: str
    ) -> None:
        listening._note(number, architecture, 0)
        with pytest.raises(BreakwaterError, match=reason):
            listening.calls()

    def test_connection_without_a_filter_does_no_harm(self, listening: Any, tmp_path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "listener"))
            client.sendall(b"{}")
        assert all(arguments == set() for arguments in listening.calls().values())
