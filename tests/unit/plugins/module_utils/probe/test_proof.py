from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Callable, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.probe import arrangement, proof
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import DOCKER, RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import write

Laboratory = Callable[[RecordedCommands], proof.Laboratory]
NETWORKS = {"bridge": {"IPAddress": "172.17.0.2", "Gateway": "172.17.0.1", "IPv6Gateway": ""}}


class Commands(RecordedCommands):
    """A host whose engine has what was left, until it is removed."""

    def __init__(self, left: Sequence[str] = ()) -> None:
        super().__init__()
        self.left = list(left)
        for command in ("import", "run", "network create", "rm", "network rm", "volume rm", "image rm", "image ls"):
            self.answer(f"{DOCKER} {command}")
        self.answer(f"{DOCKER} volume create", "volume\n")
        self.answer(f"{DOCKER} inspect", json.dumps(NETWORKS))
        self.answer(DOCKER + " info --format {{.DockerRootDir}}", "/var/lib/docker/100000.200000")
        self.answer(DOCKER + " info --format {{json .RegistryConfig}}", json.dumps({"IndexConfigs": {}, "Mirrors": []}))
        for listing in (f"{DOCKER} ps", f"{DOCKER} network ls", f"{DOCKER} volume ls"):
            self.answer(listing)

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        done = super().run(argv, timeout)
        if " ".join(argv[:4]) == f"{DOCKER} ps":
            return CommandResult(0, "\n".join(self.left), "")
        if " ".join(argv[:4]) == f"{DOCKER} rm":
            self.left = [name for name in self.left if name not in argv] if done.rc == 0 else self.left
        return done


@pytest.fixture
def files(tmp_path: Path) -> LocalFileSystem:
    write(tmp_path, "/proc/meminfo", "MemTotal: 9 kB\nMemAvailable: 4000000 kB\n")
    write(tmp_path, "/proc/net/packet", "")
    (tmp_path / "sys/dev/block").mkdir(parents=True)
    return LocalFileSystem(str(tmp_path))


@pytest.fixture
def laboratory(tmp_path: Path) -> Laboratory:
    return lambda commands: proof.Laboratory(Docker(commands), "c0ffee", str(tmp_path / "run/secrets"))


def test_what_killed_runs_left_is_removed_by_its_label_only(laboratory: Laboratory) -> None:
    commands = Commands(["a1", "b2"])
    laboratory(commands).sweep()
    assert f"{DOCKER} rm --force --volumes a1 b2" in commands.asked
    listed = [line for line in commands.asked if " ls " in line or line.startswith(f"{DOCKER} ps")]
    assert len(listed) == 4
    assert all(line.endswith("--filter label=breakwater.probe") for line in listed)


def test_what_can_not_be_removed_is_told(laboratory: Laboratory) -> None:
    commands = Commands(["a1"])
    commands.answer(f"{DOCKER} rm", rc=1)
    with pytest.raises(BreakwaterError, match="can't be removed: container a1; look at dockerd's log"):
        laboratory(commands).sweep()


def test_one_proof_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")
    with proof.exclusive(path), pytest.raises(InputError, match="Another proof is running"), proof.exclusive(path):
        pass
    with proof.exclusive(path):
        pass


def test_everything_that_is_made_has_the_label(laboratory: Laboratory, files: LocalFileSystem) -> None:
    commands = Commands()
    around = proof.surroundings(files, "x86_64")
    results = proof.judged(laboratory(commands), files, around, {})
    assert {result["default"]["verdict"] for result in results} == {"not_testable"}
    made = [
        line
        for line in commands.asked
        if line.startswith((f"{DOCKER} run", f"{DOCKER} network c", f"{DOCKER} volume c"))
    ]
    assert len(made) == 3 + 2 + 1 + 4
    assert all("--label breakwater.probe=c0ffee" in line for line in made)
    imported = [line for line in commands.asked if line.startswith(f"{DOCKER} import")]
    assert len(imported) == 2
    assert all("--change LABEL breakwater.probe=c0ffee" in line for line in imported)


def test_control_has_neither_network_nor_files_to_write_to(files: LocalFileSystem) -> None:
    options = arrangement.control(["/run/docker.sock"])
    assert " ".join(options).startswith("--network none ")
    assert "--privileged" not in options
    assert [word for word in options if "source=" in word] == [
        "type=bind,source=/run/docker.sock,target=/run/docker.sock,readonly"
    ]


def test_hardened_is_what_docker_workload_does() -> None:
    options = arrangement.hardened()
    text = " ".join(options)
    for part in ("--user 65532:65532", "--cap-drop ALL", "--read-only", "no-new-privileges=true", "--pids-limit 100"):
        assert part in text
    assert "--cap-add" not in options
    config = secure_defaults.host_config()
    assert len(arrangement.options(config)) > len(config)
    with pytest.raises(KeyError):
        arrangement.options({"Unknown": 1})


def test_an_engine_that_refuses_says_why(laboratory: Laboratory, files: LocalFileSystem) -> None:
    commands = Commands()
    commands.answer(f"{DOCKER} run", rc=125, stderr="docker: Error response from daemon: authorization denied")
    results = proof.judged(laboratory(commands), files, proof.surroundings(files, "x86_64"), {})
    assert results[0]["default"] == {
        "verdict": "not_testable",
        "reason": "The control arrangement gave no answer: docker run failed: authorization denied.",
    }


def test_attempts_that_could_harm_are_left_out(laboratory: Laboratory, files: LocalFileSystem, tmp_path: Path) -> None:
    write(tmp_path, "/proc/meminfo", "MemAvailable: 500000 kB\n")
    around = proof.surroundings(files, "x86_64")
    hindered = proof.obstacles(files, around)
    assert set(hindered) == {"vsock", "crypto_socket", "memory", "control_group"}
    assert hindered["memory"] == "The host has 488 MiB of memory to spare, too little to use some up."
    results = proof.judged(laboratory(Commands()), files, around, hindered)
    [memory] = [result for result in results if result["id"] == "memory"]
    assert memory["hardened"] == {"verdict": "not_testable", "reason": hindered["memory"]}
    assert memory["control"] == hindered["memory"]


def test_controller_is_alone_in_its_hierarchy(files: LocalFileSystem, tmp_path: Path) -> None:
    rows = ("#subsys_name hierarchy num_cgroups enabled", "cpu 1 1 1", "cpuacct 1 1 1", "rdma 0 1 1", "pids 8 1 1")
    write(tmp_path, "/proc/cgroups", "\n".join(rows))
    around = proof.surroundings(files, "x86_64")
    assert around.controller == "pids"
    assert "control_group" not in proof.obstacles(files, around)


def test_device_is_a_disk(files: LocalFileSystem, tmp_path: Path) -> None:
    root = os.stat(tmp_path).st_dev
    for name in ("11:0", "2:0", "254:1"):
        (tmp_path / "sys/dev/block" / name).mkdir()
    found = proof.surroundings(files, "x86_64").device
    assert found == ((os.major(root), os.minor(root)) if os.major(root) else (254, 1))
    with pytest.raises(InputError, match="no probe for riscv64"):
        proof.surroundings(files, "riscv64")


def test_planted_secret_is_of_the_containers_user_and_goes(laboratory: Laboratory, tmp_path: Path) -> None:
    made = laboratory(Commands())
    [_option, mount] = made.secret()
    source = Path(dict(word.partition("=")[::2] for word in mount.split(","))["source"])
    assert source.is_relative_to(tmp_path)
    status = source.stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (0o400, 165532, 265532)
    made.sweep()
    assert not (tmp_path / "run/secrets").exists()
