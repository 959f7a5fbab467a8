# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.unit import (
    Unit,
    read_unit,
    render_settings,
    secret_settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem

SHOWN = """\
ExecStart={{ path=/usr/sbin/dockerd ; argv[]={argv} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}
Environment=A=1=2 "B=two words"
EnvironmentFiles=/etc/default/docker (ignore_errors=yes)
EnvironmentFiles=/etc/missing (ignore_errors=yes)
LoadState=loaded
ActiveState=activating
InvocationID=8e4b
"""


class Systemctl:
    def __init__(self, output: str) -> None:
        self.output = output

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        return CommandResult(0, self.output, "")


def unit(argv: str, root: Path, environment_file: str = "") -> Unit:
    (root / "etc/default").mkdir(parents=True)
    (root / "etc/default/docker").write_text(environment_file)
    return read_unit("docker.service", LocalFileSystem(str(root)), Systemctl(SHOWN.format(argv=argv)))


def test_variables_are_expanded_as_systemd_does(tmp_path: Path) -> None:
    argv = "/usr/sbin/dockerd --label=${B} $DOCKER_OPTS $NONE --label=${NONE}x --label=${ODD}"
    shown = unit(argv, tmp_path, '# DOCKER_OPTS=no\n\nDOCKER_OPTS="--icc=false --label=a=b"\nODD=\'\nB\n')
    expected = ["--label=two words", "--icc=false", "--label=a=b", "--label=x", "--label='"]
    assert shown.arguments(hosts_in_file=False) == expected
    assert (shown.loaded, shown.active_state, shown.start) == (True, "activating", "8e4b")


@pytest.mark.parametrize("option", ["-H fd://", "-H=fd://", "-Hfd://", "--host fd://", "--host=fd://"])
def test_socket_activation_is_taken_away_for_hosts_in_the_file(option: str, tmp_path: Path) -> None:
    shown = unit(f"/usr/sbin/dockerd {option} --containerd=/run/c.sock $DOCKER_OPTS", tmp_path)
    assert shown.arguments(hosts_in_file=True) == ["--containerd=/run/c.sock"]
    assert shown.arguments(hosts_in_file=False)[0].startswith("-")
    assert shown.drop_in().splitlines()[1:] == [
        "[Service]",
        "ExecStart=",
        "ExecStart=/usr/sbin/dockerd --containerd=/run/c.sock $DOCKER_OPTS",
    ]


def test_other_addresses_of_the_unit_stay(tmp_path: Path) -> None:
    shown = unit("/usr/bin/dockerd -H unix:///run/x.sock --pidfile /run/50%.pid -H fd://", tmp_path)
    assert "-H unix:///run/x.sock --pidfile /run/50%%.pid\n" in shown.drop_in()


def test_unit_without_socket_activation_needs_no_drop_in(tmp_path: Path) -> None:
    assert unit("/usr/bin/dockerd", tmp_path).drop_in() == ""


def test_unknown_unit_is_empty(tmp_path: Path) -> None:
    shown = read_unit("x", LocalFileSystem(str(tmp_path)), Systemctl("LoadState=not-found\nActiveState=inactive\n"))
    assert shown == Unit(False, "inactive", (), {})
    assert shown.arguments(False) == []


def test_settings_of_the_unit_in_their_order() -> None:
    settings = {"Restart": None, "RestrictRealtime": True, "LimitCORE": 0, "SystemCallFilter": ["~@clock", "~@swap"]}
    assert render_settings(settings).splitlines() == [
        "# Managed by breakwater.docker",
        "[Service]",
        "LimitCORE=0",
        "RestrictRealtime=yes",
        "SystemCallFilter=~@clock",
        "SystemCallFilter=~@swap",
    ]
    assert render_settings({"Restart": None}) == ""


@pytest.mark.parametrize("settings", [{"ExecStart": "x"}, {"UMask": "1\nExecStart=x"}, {"a b": 1}, {"Limit": {"a": 1}}])
def test_what_is_no_setting_of_the_unit_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=rf"unit has {next(iter(settings))}, which is no setting"):
        render_settings(settings)


def test_secrets_of_a_drop_in_are_found() -> None:
    text = render_settings(
        {
            "Environment": ["HTTPS_PROXY=http://svc:pw@proxy:3128", '"API_TOKEN=two words"', "NO_PROXY=localhost"],
            "SetCredential": "key:abc",
            "LimitNOFILE": 1024,
        }
    )
    assert secret_settings(text) == {"HTTPS_PROXY=http://svc:pw@proxy:3128", '"API_TOKEN=two words"', "key:abc"}
    assert secret_settings("") == set()
