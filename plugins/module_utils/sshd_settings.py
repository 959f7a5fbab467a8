# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The least that sshd must not allow: passwords, and root's logins. Nobody is locked out, and nothing becomes looser.
# Sources: sshd_config(5), sshd(8) (-t, -T, AUTHORIZED_KEYS FILE FORMAT), proc_pid_status(5).

from __future__ import annotations

import os
import pwd
import re
from typing import Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import HEADER, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import read_status
from ansible_collections.breakwater.docker.plugins.module_utils.sshd_files import (
    METHODS,
    Statement,
    hopeless,
    needs,
    value,
)

#: sshd takes the first value that it reads, and Debian's main file begins by including this directory.
PATH = "/etc/ssh/sshd_config.d/00-breakwater.conf"
#: Values from the loosest to the strictest.
_ANSWERS = ("yes", "no")
_STRICTNESS = {
    "PermitRootLogin": ("yes", "prohibit-password", "forced-commands-only", "no"),
    "PasswordAuthentication": _ANSWERS,
    "KbdInteractiveAuthentication": _ANSWERS,
}
#: The distributions' names; Debian's socket starts a sshd for each connection and leaves the service inactive.
_UNITS = ("ssh.service", "sshd.service")
#: Seconds for a sshd that tests its files before it reads them.
_TIMEOUT = 60
_KEY = re.compile(r"^[^#\n]*\b(?:ssh|ecdsa|sk-ssh|sk-ecdsa)-\S+ [A-Za-z0-9+/=]{30,}", re.MULTILINE)


def connected_user(files: FileSystem) -> str | None:
    """Return who is logged in by the ssh connection that this process belongs to; None where there is no such one.

    Going up from here, the last process before sshd's own is the login's; sudo and Ansible come below it.
    """
    pid, uid = os.getpid(), os.getuid()
    while pid > 1:
        status = read_status(files, pid)
        if status["Name"].startswith("sshd"):
            return pwd.getpwuid(uid).pw_name
        uid, pid = int(status["Uid"].split()[0]), int(status["PPid"])
    return None


def effective(commands: CommandRunner, user: str = "root") -> dict[str, str]:
    """Return sshd's settings for `user` by their lower-case names; BreakwaterError when sshd does not tell."""
    match = f"user={user},host=localhost,addr=127.0.0.1"
    done = commands.run(("sshd", "-T", "-C", match))
    if done.rc != 0:
        raise BreakwaterError(f"sshd does not tell its settings: {_reason(done.stderr)} Mend its configuration first.")
    # OpenSSH 10.6 writes the names as the manual does
    return {name.lower(): value for name, _blank, value in (line.partition(" ") for line in done.stdout.splitlines())}


def tightened(wanted: Mapping[str, str], others: Sequence[Statement]) -> dict[str, str]:
    """Return `wanted`, with the values of other files where those are stricter."""
    said = {name: _current_name(value(others, name)) for name in wanted}
    return {name: max(own, said[name], key=lambda item: _rank(name, item)) for name, own in wanted.items()}


def check(
    wanted: Mapping[str, str],
    others: Sequence[Statement],
    user: str | None,
    files: FileSystem,
    commands: CommandRunner,
) -> None:
    """Raise InputError when `wanted` would lock out `user`, who is connected now, or whom two factors are asked of."""
    lost = hopeless(others, {method for method, name in METHODS.items() if wanted.get(name) == "no"})
    if lost:
        raise InputError(
            f"{'; '.join(map(str, lost))}, and whom that concerns could not log in without passwords: add a list of"
            " methods that needs none, such as publickey, or open the method in the same Match block. Nothing was"
            " changed."
        )
    if user is None:
        return
    present = effective(commands, user)
    if user == "root" and wanted.get("PermitRootLogin") == "no" != value(others, "PermitRootLogin"):
        raise InputError(
            "This connection is root's own, who could not connect again with PermitRootLogin no: connect as another"
            " user with become, or choose prohibit-password. Nothing was changed."
        )
    keys_only = user == "root" or wanted.get("PasswordAuthentication") == "no"
    if keys_only and (
        present.get("pubkeyauthentication") == "no"
        or (user == "root" and needs(present.get("authenticationmethods", "any").split(), METHODS.keys()))
    ):
        raise InputError(
            f"{user}, who is connected now, can't log in by a key alone and could not connect again without a password:"
            " let PubkeyAuthentication be yes and AuthenticationMethods have publickey. Nothing was changed."
        )
    if keys_only and not _has_key(user, present, files):
        raise InputError(
            f"{user}, who is connected now, has no key in {present.get('authorizedkeysfile')} and could not connect"
            " again without a password: install a key first. Nothing was changed."
        )


def render(wanted: Mapping[str, str]) -> str:
    """Return the drop-in's text."""
    return HEADER + "".join(f"{name} {value}\n" for name, value in sorted(wanted.items()))


def apply(wanted: Mapping[str, str], commands: CommandRunner) -> None:
    """Write the drop-in, let sshd judge it, and load it; BreakwaterError, with the former file back, if it is no good.

    Present connections stay. A sshd that a socket starts reads the file at the next connection.
    """
    file = ConfigFile(PATH)
    file.begin()
    file.write(render(wanted))
    try:
        _judge(wanted, commands)
        _reload(commands)
    except BreakwaterError as error:
        file.restore()
        raise BreakwaterError(f"{error} {PATH} is as before.") from None
    file.commit()


def _judge(wanted: Mapping[str, str], commands: CommandRunner) -> None:
    tested = commands.run(("sshd", "-t"))
    if tested.rc != 0:
        raise BreakwaterError(f"sshd refuses the settings: {_reason(tested.stderr)}")
    now = effective(commands)
    without = [name for name, own in wanted.items() if _rank(name, now.get(name.lower(), "")) < _rank(name, own)]
    if without:
        hint = "include /etc/ssh/sshd_config.d/*.conf at the top of sshd_config, and look for Match blocks"
        raise BreakwaterError(f"{', '.join(without)} would have no effect: {hint}.")


def _reload(commands: CommandRunner) -> None:
    """Let a running sshd read its files; BreakwaterError when it does not."""
    states = commands.run(("systemctl", "is-active", *_UNITS)).stdout.split()
    for unit in [unit for unit, state in zip(_UNITS, states) if state == "active"][:1]:
        done = commands.run(("systemctl", "reload", unit), timeout=_TIMEOUT)
        if done.rc != 0:
            raise BreakwaterError(f"{unit} does not read the settings: {_reason(done.stderr)}")


def _current_name(setting: str) -> str:
    return setting.replace("without-password", "prohibit-password")


def _rank(name: str, setting: str) -> int:
    """Return how strict a value is, the least for one that is none."""
    order, setting = _STRICTNESS[name], _current_name(setting)
    return order.index(setting) if setting in order else -1


def _has_key(user: str, present: Mapping[str, str], files: FileSystem) -> bool:
    account = pwd.getpwnam(user)
    for pattern in present.get("authorizedkeysfile", "").split():
        path = pattern.replace("%h", account.pw_dir).replace("%u", user).replace("%U", str(account.pw_uid))
        if _KEY.search(text_of(files, os.path.join(account.pw_dir, path))):
            return True
    return False


def _reason(stderr: str) -> str:
    return (stderr.strip().splitlines() or ["it does not say why"])[0].rstrip(".") + "."
