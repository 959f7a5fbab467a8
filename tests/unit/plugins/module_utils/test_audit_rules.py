# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import audit_rules
from ansible_collections.breakwater.docker.plugins.module_utils.audit_rules import Live, Settings
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

SETTINGS = Settings(8192, 0, False)
STATUS = "enabled 1\nfailure 1\npid 437\nrate_limit 0\nbacklog_limit 8192\nlost 0\nloginuid_immutable 0 unlocked\n"
RULES = [("/etc/docker", "wa", "docker"), ("/usr/bin/runc", "wax", "docker")]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for path, mode in (("usr/bin/dockerd", 0o755), ("usr/bin/docker", 0o755), ("etc/docker/daemon.json", 0o644)):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
        (tmp_path / path).chmod(mode)
    (tmp_path / "etc/docker.service").symlink_to("/dev/null")
    (tmp_path / "bin").symlink_to(tmp_path / "usr/bin")
    return tmp_path


def live(listed: str, status: str = STATUS) -> Live:
    commands = RecordedCommands()
    commands.answer("auditctl -l", listed)
    commands.answer("auditctl -s", status)
    return audit_rules.read_live(commands)


def test_existing_paths_are_watched_once(host: Path) -> None:
    paths = [
        "/bin/dockerd",
        "/usr/bin/dockerd",
        "/etc/docker",
        "/etc/docker/daemon.json",
        "/nowhere",
        "/etc/docker.service",
    ]
    found = audit_rules.watches(paths, ["/etc/docker/daemon.json"], None, str(host))
    assert found == [("/usr/bin/dockerd", "wax", "docker"), ("/etc/docker", "wa", "docker")]


def test_commands_are_recorded_when_asked(host: Path) -> None:
    client = "/usr/bin/docker"
    assert audit_rules.watches([], [], client, str(host)) == [(client, "x", "docker_exec")]
    assert audit_rules.watches([], [], "/usr/bin/podman", str(host)) == []


def test_rule_file(host: Path) -> None:
    text = audit_rules.render([("/srv/a b", "wa", "docker")], Settings(100, 5, True))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert lines == ["-b 100", "-r 5", "-i", "-w '/srv/a b' -p wa -k docker", "-e 2"]
    assert "-e" not in audit_rules.render([], SETTINGS)


@pytest.mark.parametrize(
    "listed",
    [
        "-w /etc/docker -p wa -k docker\n-w /usr/bin/runc -p wxa -k docker\n",
        "-w /etc/docker/ -p rwxa -k docker\n-w /usr/bin/runc -p wxa -k docker\n-w /x -p wa\n",
        "-a always,exit -F dir=/etc/docker -F perm=wa -F key=docker\n"
        "-a always,exit -S all -F path=/usr/bin/runc -F perm=wxa -F key=docker\n",
    ],
)
def test_kernel_that_has_the_rules(listed: str) -> None:
    assert audit_rules.differences(RULES, SETTINGS, live(listed)) == []


@pytest.mark.parametrize(
    "listed",
    [
        "No rules\n",
        "-w /etc/docker -p wa -k docker\n-w /usr/bin/runc-x -p wxa -k docker\n",
        "-w /etc/docker -p wa -k docker\n-w /usr/bin/runc -p wa -k docker\n",
        "-w /etc/docker -p wa -k docker\n-w /usr/bin/runc -p wxa -k other\n",
    ],
)
def test_kernel_that_lacks_a_rule(listed: str) -> None:
    assert "-w /usr/bin/runc -p wax -k docker" in audit_rules.differences(RULES, SETTINGS, live(listed))


@pytest.mark.parametrize(
    ("settings", "status", "lacking"),
    [
        (Settings(64, 0, False), STATUS, ["backlog_limit 64"]),
        (Settings(8192, 9, False), STATUS, ["rate_limit 9"]),
        (Settings(8192, 0, True), STATUS, ["enabled 2"]),
        (Settings(8192, 0, True), STATUS.replace("enabled 1", "enabled 2"), []),
        (SETTINGS, STATUS.replace("enabled 1", "enabled 0"), ["enabled 1"]),
    ],
)
def test_settings_of_the_kernel(settings: Settings, status: str, lacking: list[str]) -> None:
    assert audit_rules.differences([], settings, live("", status)) == lacking
    assert live("", status).immutable == ("enabled 2" in status)


def test_rules_that_nobody_wants_any_more(tmp_path: Path) -> None:
    directory = tmp_path / audit_rules.DIRECTORY[1:]
    directory.mkdir(parents=True)
    (tmp_path / audit_rules.PATH[1:]).write_text("-w /var/lib/docker -p wa -k docker\n")
    (directory / "50-own.rules").write_text(
        "# don't lose these\n-w '/broken\n-w /srv/own/ -p wa -k docker # ours\n"
        "-a always,exit -F path=/usr/bin/dockerd -F perm=x -F key=docker\n"
    )
    (directory / "50-own.rules.bak").write_text("-w /etc/backup -p wa -k docker\n")
    listed = [
        *("-w /etc/docker -p rwa -k docker", "-w /srv/own -p wa -k docker", "-w /usr/bin/dockerd -p x -k docker"),
        *("-w /var/lib/docker -p wa -k docker", "-w /usr/bin/docker -p x -k docker_exec"),
        *("-w /etc/backup -p wa -k docker", "-w /etc/docker/x -p wa -k theirs", "-w /etc/passwd -p wa"),
    ]
    found = audit_rules.surplus(RULES, LocalFileSystem(str(tmp_path)), live("\n".join(listed)))
    assert found == [
        "-w /etc/backup -p wa -k docker",
        "-w /usr/bin/docker -p x -k docker_exec",
        "-w /var/lib/docker -p wa -k docker",
    ]


def test_kernel_that_does_not_tell() -> None:
    commands = RecordedCommands()
    commands.answer("auditctl", rc=1, stderr="Error sending rule list data request (Operation not permitted)\n")
    with pytest.raises(BreakwaterError, match="does not tell what is loaded: Error sending rule list"):
        audit_rules.read_live(commands)


def test_loading_fails_and_enables() -> None:
    commands = RecordedCommands()
    commands.answer("augenrules --load", rc=1, stderr="There was an error in line 5\n")
    with pytest.raises(BreakwaterError, match="augenrules did not load the rules: There was an error in line 5"):
        audit_rules.load(commands)
    commands.answer("augenrules --load")
    commands.answer("auditctl", STATUS.replace("enabled 1", "enabled 0"))
    audit_rules.load(commands)
    assert "auditctl -e 1" in commands.asked
