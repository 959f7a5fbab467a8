# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.host import Container, ProfileHost
from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.profile import Profile, render
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult
from ansible_collections.breakwater.docker.plugins.modules import docker_apparmor_profiles


class Parser:
    """An apparmor_parser that never complains."""

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        return CommandResult(0, "", "")


@pytest.mark.parametrize(
    ("containers", "kept", "warning"),
    [
        (None, ["web"], "No engine tells whose the profile web is, so it stays"),
        ({"a": Container("shop", "web")}, ["web"], "Containers have the profile web, so it stays"),
        ({"a": Container("shop", "docker-default")}, [], ""),
        ({}, [], ""),
    ],
)
def test_profile_goes_only_when_no_container_can_have_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    containers: dict[str, Container] | None,
    kept: list[str],
    warning: str,
) -> None:
    (tmp_path / "sys/module/apparmor/parameters").mkdir(parents=True)
    (tmp_path / "sys/module/apparmor/parameters/enabled").write_text("Y\n")
    file = tmp_path / "etc/apparmor.d/breakwater.web"
    file.parent.mkdir(parents=True)
    file.write_text(render(Profile("web", "enforce", (), (), (), (), (), (), ())))
    monkeypatch.setattr(docker_apparmor_profiles, "containers", lambda engine: containers)
    said: list[str] = []
    module: Any = SimpleNamespace(params={"profiles": []}, check_mode=False, warn=said.append)
    told = docker_apparmor_profiles.run(module, ProfileHost(Parser(), str(tmp_path)))
    assert told["kept"] == kept
    assert told["changed"] is not file.exists()
    assert file.exists() == bool(kept)
    assert warning in "".join(said)
    assert bool(said) == bool(warning)
