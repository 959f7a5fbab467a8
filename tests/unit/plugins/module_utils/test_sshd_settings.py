# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import sshd_settings
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.sshd_files import Statement, statements
from ansible_collections.breakwater.docker.plugins.module_utils.sshd_settings import (
    apply,
    check,
    connected_user,
    tightened,
)
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

KEYS_ONLY = {"PermitRootLogin": "prohibit-password", "PasswordAuthentication": "no"}
NO_ROOT = {"PermitRootLogin": "no", "PasswordAuthentication": "yes"}
NO_PASSWORDS = {**KEYS_ONLY, "KbdInteractiveAuthentication": "no"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000 a@b\n"
EFFECTIVE = (
    "port 22\npermitrootlogin without-password\npasswordauthentication no\nauthorizedkeysfile .ssh/authorized_keys\n"
)
#: The same from OpenSSH 10.6.
EFFECTIVE_SINCE_10 = (
    "Port 22\nPermitRootLogin prohibit-password\nPasswordAuthentication no\nAuthorizedKeysFile .ssh/authorized_keys\n"
)


@pytest.fixture(params=[EFFECTIVE, EFFECTIVE_SINCE_10])
def commands(request: pytest.FixtureRequest) -> RecordedCommands:
    recorded = RecordedCommands()
    recorded.answer("sshd -T", request.param)
    recorded.answer("sshd -t")
    recorded.answer("systemctl is-active ssh.service sshd.service", "active\nactive\n")
    recorded.answer("systemctl reload ssh.service")
    return recorded


@pytest.fixture
def files(tmp_path: Path) -> LocalFileSystem:
    return LocalFileSystem(str(tmp_path))


@pytest.fixture
def drop_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "sshd_config.d/00-breakwater.conf"
    monkeypatch.setattr(sshd_settings, "PATH", str(path))
    return path


def configure(root: Path, **texts: str) -> list[Statement]:
    """Write sshd_config and drop-ins, and return what they say; the main file includes the others first."""
    directory = root / "etc/ssh/sshd_config.d"
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (directory / f"{name}.conf").write_text(text)
    (root / "etc/ssh/sshd_config").write_text(f"Include sshd_config.d/*.conf\n{texts.get('main', '')}")
    return list(statements(LocalFileSystem(str(root)), sshd_settings.PATH))


def authorize(root: Path, user: str, text: str) -> None:
    place = root / pwd.getpwnam(user).pw_dir[1:] / ".ssh/authorized_keys"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def processes(root: Path, table: Sequence[tuple[int, str, int, int]]) -> None:
    """Make /proc of processes (PID, name, parent, user)."""
    for pid, name, parent, uid in table:
        (root / f"proc/{pid}").mkdir(parents=True, exist_ok=True)
        lines = f"Name:\t{name}\nPPid:\t{parent}\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n"
        (root / f"proc/{pid}/status").write_text(lines)


def test_login_is_told_through_sudo(tmp_path: Path, files: LocalFileSystem) -> None:
    games = pwd.getpwnam("games").pw_uid
    me = os.getpid()
    chain = [(me, "python3", 50, 0), (50, "sudo", 40, 0), (40, "sh", 30, games), (30, "sshd-session", 20, games)]
    processes(tmp_path, [*chain, (20, "sshd-session", 10, 0), (10, "sshd", 1, 0)])
    assert connected_user(files) == "games"


def test_other_connections_are_nobodys(tmp_path: Path, files: LocalFileSystem) -> None:
    processes(tmp_path, [(os.getpid(), "python3", 40, 0), (40, "sh", 1, 0)])
    assert connected_user(files) is None


@pytest.mark.parametrize(
    ("user", "wanted", "keys", "reason"),
    [
        ("root", NO_ROOT, KEY, "This connection is root's own"),
        ("root", KEYS_ONLY, "", "root, who is connected now, has no key"),
        ("root", {**KEYS_ONLY, "PasswordAuthentication": "yes"}, "", "root, who is connected now, has no key"),
        ("games", KEYS_ONLY, f"# {KEY}", "games, who is connected now, has no key"),
        ("root", KEYS_ONLY, f'from="10.0.0.1" {KEY}', None),
        ("games", NO_ROOT, "", None),
        ("games", KEYS_ONLY, KEY, None),
        (None, {**NO_ROOT, **KEYS_ONLY}, "", None),
    ],
)
def test_nobody_is_locked_out(
    tmp_path: Path,
    files: LocalFileSystem,
    commands: RecordedCommands,
    user: str | None,
    wanted: dict[str, str],
    keys: str,
    reason: str | None,
) -> None:
    if user:
        authorize(tmp_path, user, keys)
    if reason is None:
        check(wanted, [], user, files, commands)
    else:
        with pytest.raises(InputError, match=reason):
            check(wanted, [], user, files, commands)


def test_keys_of_a_common_directory_count(tmp_path: Path, files: LocalFileSystem) -> None:
    commands = RecordedCommands()
    commands.answer("sshd -T", "authorizedkeysfile /etc/ssh/keys/%u\n")
    (tmp_path / "etc/ssh/keys").mkdir(parents=True)
    (tmp_path / "etc/ssh/keys/games").write_text(KEY)
    check(KEYS_ONLY, [], "games", files, commands)


def test_settings_are_judged_and_loaded(drop_in: Path, commands: RecordedCommands) -> None:
    apply(KEYS_ONLY, commands)
    assert drop_in.read_text().endswith("\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n")
    assert commands.asked[-1] == "systemctl reload ssh.service"


def test_refused_settings_are_taken_back(drop_in: Path, commands: RecordedCommands) -> None:
    drop_in.parent.mkdir()
    drop_in.write_text("# former\n")
    commands.answer("sshd -t", rc=255, stderr="line 3: Bad configuration option: X\n")
    with pytest.raises(BreakwaterError, match="sshd refuses the settings: line 3: Bad configuration"):
        apply(KEYS_ONLY, commands)
    assert drop_in.read_text() == "# former\n"
    assert "systemctl reload ssh.service" not in commands.asked


def test_settings_without_effect_are_taken_back(drop_in: Path, commands: RecordedCommands) -> None:
    commands.answer("sshd -T", EFFECTIVE.replace("passwordauthentication no", "passwordauthentication yes"))
    with pytest.raises(BreakwaterError, match="PasswordAuthentication would have no effect: include"):
        apply(KEYS_ONLY, commands)
    assert not drop_in.exists()


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("Match User *,!ansible\n  AuthenticationMethods publickey,keyboard-interactive\n", True),
        ("AuthenticationMethods publickey,keyboard-interactive:pam\n", True),
        ('authenticationmethods="password,publickey" keyboard-interactive\n', True),
        ("Match Group otp\nInclude extra.conf\n", True),
        ("AuthenticationMethods publickey,keyboard-interactive publickey,gssapi-with-mic # either\n", False),
        ("Match all\nAuthenticationMethods any\n", False),
        ("# AuthenticationMethods password\nAuthenticationMethods  \n", False),
        (
            "Match User a\nAuthenticationMethods publickey,keyboard-interactive\n"
            "ChallengeResponseAuthentication yes\nMatch User b\nX11Forwarding no\n",
            False,
        ),
        (
            "Match User a\nAuthenticationMethods publickey,keyboard-interactive\n"
            "Match User b\nKbdInteractiveAuthentication yes\n",
            True,
        ),
    ],
)
def test_users_of_two_factors_are_not_locked_out(
    tmp_path: Path, files: LocalFileSystem, commands: RecordedCommands, text: str, refused: bool
) -> None:
    (tmp_path / "etc/ssh").mkdir(parents=True)
    (tmp_path / "etc/ssh/extra.conf").write_text("AuthenticationMethods password\n")
    others = configure(tmp_path, main=text)
    if refused:
        with pytest.raises(InputError, match=r"\.conf says (?i:authenticationmethods) .* could not log in"):
            check(NO_PASSWORDS, others, None, files, commands)
    else:
        check(NO_PASSWORDS, others, None, files, commands)
    check({"PasswordAuthentication": "yes", "KbdInteractiveAuthentication": "yes"}, others, None, files, commands)


@pytest.mark.parametrize("setting", ["pubkeyauthentication no", "authenticationmethods publickey,keyboard-interactive"])
def test_root_whose_key_is_not_enough_is_not_locked_out(
    tmp_path: Path, files: LocalFileSystem, commands: RecordedCommands, setting: str
) -> None:
    authorize(tmp_path, "root", KEY)
    commands.answer("sshd -T", f"{setting}\n{EFFECTIVE}")
    with pytest.raises(InputError, match="root, who is connected now, can't log in by a key alone"):
        check(KEYS_ONLY, [], "root", files, commands)


def test_nothing_becomes_looser(tmp_path: Path) -> None:
    given = {**NO_PASSWORDS, "PasswordAuthentication": "yes", "KbdInteractiveAuthentication": "yes"}
    others = configure(
        tmp_path, a="permitrootlogin no\n", b="PermitRootLogin yes\nChallengeResponseAuthentication no\n"
    )
    strict = {**given, "PermitRootLogin": "no", "KbdInteractiveAuthentication": "no"}
    assert tightened(given, others) == strict
    assert tightened(NO_PASSWORDS, configure(tmp_path, a="PermitRootLogin yes\n", b="")) == NO_PASSWORDS
    others = configure(tmp_path, a="PermitRootLogin forced-commands-only\n")
    assert tightened(KEYS_ONLY, others)["PermitRootLogin"] == "forced-commands-only"
    assert tightened({"PermitRootLogin": "no"}, others) == {"PermitRootLogin": "no"}
    others = configure(tmp_path, a="Match User root\nPermitRootLogin no\n")
    assert tightened(KEYS_ONLY, others) == KEYS_ONLY, "the block wins anyway"


def test_own_drop_in_does_not_count(tmp_path: Path, files: LocalFileSystem, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(tmp_path, **{"00-breakwater": "PermitRootLogin no\n"})
    assert list(statements(files, "/etc/ssh/sshd_config.d/00-breakwater.conf")) == []


def test_root_is_let_be_where_the_host_has_closed_him_already(
    tmp_path: Path, files: LocalFileSystem, commands: RecordedCommands
) -> None:
    authorize(tmp_path, "root", KEY)
    others = configure(tmp_path, a="PermitRootLogin no\nMatch Address 192.0.2.1\nPermitRootLogin prohibit-password\n")
    check(tightened(KEYS_ONLY, others), others, "root", files, commands)


@pytest.mark.parametrize(
    ("states", "reloaded"),
    [
        ("active\nactive\n", "ssh.service"),
        ("inactive\nactive\n", "sshd.service"),
        ("inactive\ninactive\n", None),
    ],
)
def test_unit_of_the_distribution_is_reloaded(
    drop_in: Path, commands: RecordedCommands, states: str, reloaded: str | None
) -> None:
    commands.answer("systemctl is-active ssh.service sshd.service", states, rc=None)
    commands.answer("systemctl reload sshd.service")
    apply(KEYS_ONLY, commands)
    asked = [line for line in commands.asked if line.startswith("systemctl reload")]
    assert asked == ([f"systemctl reload {reloaded}"] if reloaded else [])


def test_sshd_that_does_not_read_its_files_is_told_of(drop_in: Path, commands: RecordedCommands) -> None:
    drop_in.parent.mkdir()
    drop_in.write_text("# former\n")
    commands.answer("systemctl reload ssh.service", rc=1, stderr="Job for ssh.service failed.\n")
    with pytest.raises(BreakwaterError, match=r"ssh.service does not read the settings: Job for ssh.service failed. /"):
        apply(KEYS_ONLY, commands)
    assert drop_in.read_text() == "# former\n"


def test_settings_that_sshd_does_not_tell_are_taken_back(drop_in: Path, commands: RecordedCommands) -> None:
    commands.answer("sshd -T", rc=1, stderr="line 9: Missing Match criteria\n")
    with pytest.raises(
        BreakwaterError, match=r"does not tell its settings: line 9: Missing Match criteria\. .* is as be"
    ):
        apply(KEYS_ONLY, commands)
    assert not drop_in.exists()


def test_sshd_that_tells_nothing(commands: RecordedCommands) -> None:
    commands.answer("sshd -T", rc=1, stderr="sshd: no hostkeys available -- exiting.\n")
    with pytest.raises(BreakwaterError, match="does not tell its settings: sshd: no hostkeys"):
        sshd_settings.effective(commands)
