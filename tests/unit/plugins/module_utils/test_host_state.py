# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import EngineHost
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.host_state import collect, os_release
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem

MISSING = CommandResult(None, "", "is not installed")
UNIT = (
    "ExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd -H fd:// ; ignore_errors=no ; }\nLoadState=loaded\n"
)
POLICY = "docker.io:\n  Installed: (none)\n  Candidate: %s\n  Version table:\n"


class Commands:
    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = answers
        self.seen: list[Sequence[str]] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        self.seen.append(argv)
        answer = self.answers.get(argv[0].rpartition("/")[2])
        return MISSING if answer is None else CommandResult(0, answer, "")


def state(root: Path, answers: dict[str, str]) -> dict[str, Any]:
    files, commands = LocalFileSystem(str(root)), Commands(answers)
    host = EngineHost(files, commands, EngineApi)
    return collect(files, commands, host, "docker.io")


def test_host_with_docker(tmp_path: Path) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    (tmp_path / "run/docker.sock").touch()
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text('# x\nID=debian\nVERSION_ID="13"\nVERSION_CODENAME=trixie\n')
    found = state(
        tmp_path,
        {"systemctl": UNIT, "dockerd": "Docker version 26.1.5+dfsg1, build x", "dpkg": "amd64\n", "dpkg-query": ""},
    )
    assert found == {
        "docker_present": True,
        "version": "26.1.5+dfsg1",
        "candidate_version": "26.1.5+dfsg1",
        "systemd_booted": True,
        "in_container": False,
        "security_module": None,
        "unit_present": True,
        "socket_present": True,
        "engine_stopped": False,
        "distribution": "debian",
        "distribution_version": "13",
        "codename": "trixie",
        "package_manager": "apt",
        "architecture": "amd64",
    }


def test_host_with_rpm(tmp_path: Path) -> None:
    found = state(tmp_path, {"rpm": "RPM version 4.20.1\n", "dnf": "docker.io 3:28.0.4-1.el10\n"})
    assert (found["package_manager"], found["candidate_version"]) == ("dnf", "28.0.4-1.el10")


def test_host_with_rpm_alone(tmp_path: Path) -> None:
    found = state(tmp_path, {"rpm": "RPM version 4.20.1\n"})
    assert (found["package_manager"], found["candidate_version"]) == ("dnf", None)


def test_host_with_nothing(tmp_path: Path) -> None:
    found = state(tmp_path, {})
    assert {name for name, value in found.items() if value} == set()
    assert found["version"] is None
    assert found["candidate_version"] is None


@pytest.mark.parametrize(
    ("candidate", "version"),
    [
        ("26.1.5+dfsg1-9+b1", "26.1.5+dfsg1-9+b1"),
        ("5:28.0.4-1~debian.13~trixie", "28.0.4-1~debian.13~trixie"),
        ("(none)", None),
    ],
)
def test_candidate_of_the_package_lists(candidate: str, version: str | None, tmp_path: Path) -> None:
    assert state(tmp_path, {"dpkg-query": "", "apt-cache": POLICY % candidate})["candidate_version"] == version


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sys/module/apparmor/parameters/enabled": "Y\n"}, "apparmor"),
        ({"sys/module/apparmor/parameters/enabled": "N\n", "sys/fs/selinux/enforce": "0"}, "selinux"),
        ({"sys/module/apparmor/parameters/enabled": "N\n"}, None),
    ],
)
def test_security_module(tmp_path: Path, files: dict[str, str], expected: str | None) -> None:
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    assert state(tmp_path, {})["security_module"] == expected


def test_os_release_of_an_image_that_is_no_friend(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/os-release").write_text("# none\nID=debian\nVERSION_ID='13'\nNAME=\"open\nnonsense\n\0=\n")
    release = os_release(LocalFileSystem(str(tmp_path)))
    assert (release["ID"], release["VERSION_ID"], release["NAME"]) == ("debian", "13", '"open')
