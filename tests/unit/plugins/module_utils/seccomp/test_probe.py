from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import probe
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import DOCKER, RecordedCommands

VERSION, INFO = f"{DOCKER} version", f"{DOCKER} info"
PROFILE = {"defaultAction": "SCMP_ACT_ERRNO"}


@pytest.fixture
def commands() -> RecordedCommands:
    found = RecordedCommands()
    found.answer(VERSION, "26.1.5\n")
    for command in (f"{DOCKER} import", f"{DOCKER} rm", f"{DOCKER} image rm"):
        found.answer(command)
    found.answer(f"{DOCKER} run --detach", "c0ffee\n")
    return found


def bundle(root: Path, document: object, place: str = "run/containerd", namespace: str = "moby") -> LocalFileSystem:
    directory = root / place / "io.containerd.runtime.v2.task" / namespace / "c0ffee"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(json.dumps(document))
    return LocalFileSystem(str(root))


@pytest.mark.parametrize("place", ["run/containerd", "run/docker/containerd/daemon"])
@pytest.mark.parametrize("namespace", ["moby", "moby-100000.100000"])
def test_engines_own_profile_is_that_of_a_confined_container(
    tmp_path: Path, commands: RecordedCommands, place: str, namespace: str
) -> None:
    files = bundle(tmp_path, {"linux": {"seccomp": PROFILE}}, place, namespace)
    assert probe.engine_default(Docker(commands), files, ["CHOWN"]) == PROFILE
    [started] = [line for line in commands.asked if line.startswith(f"{DOCKER} run")]
    for option in ("--cap-drop ALL --cap-add CHOWN", "seccomp=builtin", "--network none", "--read-only"):
        assert option in started
    assert commands.asked[-1] == f"{DOCKER} rm --force {probe.NAME}"


def test_container_is_removed_when_its_profile_is_not_found(tmp_path: Path, commands: RecordedCommands) -> None:
    docker = Docker(commands)
    with pytest.raises(BreakwaterError, match=r"config.json of a running container is not below /run/containerd"):
        probe.engine_default(docker, LocalFileSystem(str(tmp_path)), [])
    assert commands.asked[-1] == f"{DOCKER} rm --force {probe.NAME}"
    with pytest.raises(BreakwaterError, match="starts containers without any seccomp filter"):
        probe.engine_default(docker, bundle(tmp_path, {"linux": {}}), [])


@pytest.mark.parametrize("profile", ["default", "/etc/docker/mine.json"])
def test_old_engines_show_their_own_profile_only_while_it_is_the_default(
    tmp_path: Path, commands: RecordedCommands, profile: str
) -> None:
    commands.answer(VERSION, "20.10.24\n")
    commands.answer(INFO, json.dumps([f"name=seccomp,profile={profile}"]))
    files = bundle(tmp_path, {"linux": {"seccomp": PROFILE}})
    if profile == "default":
        probe.require_shown(Docker(commands))
        assert probe.engine_default(Docker(commands), files, []) == PROFILE
        assert not any("seccomp=builtin" in line for line in commands.asked)
    else:
        with pytest.raises(InputError, match=r"Engines before 23.0 .* or give a preset or file as base"):
            probe.require_shown(Docker(commands))
    commands.answer(VERSION, "23.0.0\n")
    probe.require_shown(Docker(commands))


def test_image_is_removed_whatever_happens(commands: RecordedCommands) -> None:
    with pytest.raises(KeyError), probe.image(Docker(commands), "aarch64"):
        raise KeyError
    assert commands.asked[-2:] == [f"{DOCKER} rm --force {probe.NAME}", f"{DOCKER} image rm --force {probe.NAME}:local"]
    with pytest.raises(InputError, match="no probe for riscv64"), probe.image(Docker(commands), "riscv64"):
        pass


def test_profile_under_which_nothing_starts_is_told_of(commands: RecordedCommands) -> None:
    commands.answer(f"{DOCKER} run --rm")
    probe.require_startable(Docker(commands), "/x.json", "x")
    said = "docker: Error response from daemon: operation not permitted."
    commands.answer(f"{DOCKER} run --rm", rc=125, stderr=said)
    with pytest.raises(
        BreakwaterError, match=r"starts under profile x, .* docker run failed: operation not permitted\. A"
    ):
        probe.require_startable(Docker(commands), "/x.json", "x")


def test_no_engine_has_no_version() -> None:
    assert Docker(RecordedCommands()).version() is None
