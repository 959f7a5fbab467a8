# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What an account needs to run an engine without root: subordinate ids, a systemd that outlives sessions, and a unit.
# Sources: subuid(5), loginctl(1), systemd.unit(5), dockerd-rootless-setuptool.sh, and
# https://docs.docker.com/engine/security/rootless/.

from __future__ import annotations

import os
import posixpath
import re
import time
from dataclasses import dataclass
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import (
    DEFAULT_SOCKET,
    config_file_of,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import names_in
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan

#: Root's files: the account can't change by what its engine runs.
CONFIG_FILE = "/etc/docker/rootless.json"
UNIT_FILE = "/etc/systemd/user/docker.service"
#: Where the account's systemd looks for units and drop-ins of root's, and those of the account's own.
_ROOTS_DIRECTORIES = ("/etc/systemd/user/", "/run/systemd/user/", "/usr/")
_OWN_DIRECTORIES = (".config/systemd/user.control", ".config/systemd/user", ".local/share/systemd/user")
_ENABLED = "/etc/systemd/user/default.target.wants/docker.service"
#: Of docker-ce and of Debian's docker.io.
_SCRIPTS = ("/usr/bin/dockerd-rootless.sh", "/usr/share/docker.io/contrib/dockerd-rootless.sh")
_IDS = 65536
_FIRST_ID = 100000
_SYSTEMD_SECONDS = 20.0
_STOP_SECONDS = 120.0
_UNIT_TEXT = """\
# Managed by breakwater.docker
[Unit]
Description=Docker Engine without root
ConditionUser={user}
Wants=dbus.socket
After=dbus.socket

[Service]
Type=notify
NotifyAccess=all
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStart={script} --config-file={config}
TimeoutStartSec=0
Restart=always
RestartSec=2
KillMode=mixed
TasksMax=infinity
Delegate=yes

[Install]
WantedBy=default.target
"""


#: The units of root's engine; its socket would start the service again, so it is stopped first.
_ROOTS_UNITS = ("docker.socket", "docker.service")


def roots_units(commands: CommandRunner) -> list[str]:
    """Return the units of root's engine that run, or will after a reboot."""
    shown = commands.run(("systemctl", "show", "--property=Id,ActiveState,UnitFileState", *_ROOTS_UNITS)).stdout
    blocks = [dict(line.partition("=")[::2] for line in block.splitlines()) for block in shown.split("\n\n")]
    return [
        unit["Id"]
        for unit in blocks
        if unit.get("ActiveState") not in (None, "inactive", "failed") or unit.get("UnitFileState") == "enabled"
    ]


def stop_roots_engine(units: Sequence[str], commands: CommandRunner) -> None:
    """Stop root's engine and keep it from starting; BreakwaterError when systemd refuses."""
    done = commands.run(("systemctl", "disable", "--now", *units), timeout=_STOP_SECONDS)
    if done.rc != 0:
        raise BreakwaterError(f"Root's engine could not be stopped: {done.stderr.strip()}")


class UserCommands:
    """A CommandRunner that asks the user's systemd where the host's would be asked, and runs dockerd as the user."""

    def __init__(self, commands: CommandRunner, user: str, uid: int) -> None:
        self._commands = commands
        self._user = user
        self._uid = uid

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        """Run the command for the user; never raises."""
        command, rest = os.path.basename(argv[0]), tuple(argv[1:])
        if command == "journalctl":
            of_unit = ("_SYSTEMD_USER_UNIT=docker.service", f"_UID={self._uid}")
            return self._commands.run(("journalctl", *rest[2:], *of_unit), timeout)
        if command == "systemctl" and "--signal=HUP" in rest:
            # The unit's main process is RootlessKit, which does not pass the signal on.
            return self._commands.run(
                ("pkill", "--signal", "HUP", "--uid", str(self._uid), "--exact", "dockerd"), timeout
            )
        if command == "systemctl":
            rest = ("--user", *rest)
        elif command == "dockerd-rootless.sh":
            command = "dockerd"
        run_as = ("runuser", "-u", self._user, "--", "env", f"XDG_RUNTIME_DIR={runtime_directory(self._uid)}")
        return self._commands.run((*run_as, command, *rest), timeout)


def runtime_directory(uid: int) -> str:
    """Return the directory of the user's sockets."""
    return f"/run/user/{uid}"


def engine_socket(path: str, uid: int) -> str:
    """Return where a rootless engine has the socket that an engine of root's has at `path`."""
    return f"{runtime_directory(uid)}/docker.sock" if path == DEFAULT_SOCKET else path


@dataclass(frozen=True)
class Preparation:
    """What the host lacks for the user's engine; `ids` are first ids by option of usermod, the texts the unit's."""

    user: str
    ids: Mapping[str, int]
    linger: bool
    unit_before: str
    unit_after: str
    enable: bool

    @property
    def unit_changed(self) -> bool:
        """Tell whether the engine has to be started anew to run as the unit says."""
        return self.unit_before != self.unit_after

    @property
    def needed(self) -> bool:
        """Tell whether anything is to be done."""
        return bool(self.ids) or self.linger or self.enable or self.unit_changed

    def words(self) -> str:
        """Return what is to be done besides the unit, for a diff."""
        lines = [f"subordinate ids from {first} ({option})" for option, first in self.ids.items()]
        lines += ["systemd of the user runs from boot on"] if self.linger else []
        lines += ["engine starts with it"] if self.enable else []
        return "".join(f"{line}\n" for line in lines)


def prepare_plan(user: str, uid: int | None, files: FileSystem) -> Preparation:
    """Compare the host with what the user's engine needs; `uid` is None for an account that is yet to be created.

    InputError for root, and where the engine's package has no script for it. OSError when the host can't be read.
    """
    if uid == 0:
        raise InputError("An engine without root can't be root's: name another user. Nothing was changed.")
    script = next((path for path in _SCRIPTS if _read(files, path)), None)
    if script is None and uid is not None:
        raise InputError(
            f"There is no dockerd-rootless.sh in {' or '.join(_SCRIPTS)}: install it; nothing was changed."
        )
    ids = {}
    for path, option in (("/etc/subuid", "--add-subuids"), ("/etc/subgid", "--add-subgids")):
        first = missing_range(_read(files, path), user, uid)
        if first is not None and uid is not None:  # useradd gives a new account its ranges
            ids[option] = first
    return Preparation(
        user,
        ids,
        linger=not _exists(files, f"/var/lib/systemd/linger/{user}"),
        unit_before=_read(files, UNIT_FILE),
        unit_after=_UNIT_TEXT.format(user=user, script=script or _SCRIPTS[-1], config=CONFIG_FILE),
        enable=not _exists(files, _ENABLED),
    )


def check_live_restore(document: Mapping[str, Any]) -> None:
    """Raise InputError when live-restore is to be on: it can't keep these containers, and dockerd relies on it."""
    if document.get("live-restore"):
        raise InputError(
            "live-restore can't keep the containers of an engine without root, whose unit ends them: dockerd would only"
            " no longer stop them in their own way. Set it to false; nothing was changed."
        )


def own_units(home: str, files: FileSystem, user_commands: CommandRunner) -> list[str]:
    """Return the account's own units and drop-ins of the engine, which its systemd takes before root's or adds to it.

    Those below its `home` are found where its systemd does not run, too.
    """
    units = [posixpath.join(home, directory, "docker.service") for directory in _OWN_DIRECTORIES]
    drop_ins = [f"{unit}.d/{name}" for unit in units for name in names_in(files, f"{unit}.d")]
    found = [*units, *(path for path in drop_ins if path.endswith(".conf"))]
    shown = user_commands.run(("systemctl", "show", "docker.service", "--property=FragmentPath,DropInPaths")).stdout
    named = [path for line in shown.splitlines() for path in line.partition("=")[2].split()]
    found += [path for path in named if path not in found and not path.startswith(_ROOTS_DIRECTORIES)]
    # systemd knows what was removed until it is reloaded
    return [path for path in found if posixpath.basename(path) in names_in(files, posixpath.dirname(path))]


def own_engines(uid: int, files: FileSystem) -> list[int]:
    """Return the processes of the account's dockerd where it runs, and none of them by root's configuration."""
    daemons = [process for process in scan(files).daemons if process.uid == uid]
    by_roots = any(config_file_of(process.arguments) == CONFIG_FILE for process in daemons)
    return [] if by_roots else [process.pid for process in daemons]


def missing_range(text: str, user: str, uid: int | None) -> int | None:
    """Return the first of the ids that the user can be given, None when `text` (subuid(5)) gives enough already."""
    entries = [match.groups() for match in re.finditer(r"^([^:#\s]+):(\d+):(\d+)$", text, re.MULTILINE)]
    if any(owner in (user, str(uid)) and int(count) >= _IDS for owner, _start, count in entries):
        return None
    return max([_FIRST_ID, *(int(start) + int(count) for _owner, start, count in entries)])


def prepare(plan: Preparation, uid: int, commands: CommandRunner, user_commands: CommandRunner) -> None:
    """Do what the plan says and wait for the user's systemd; BreakwaterError when it does not work."""
    ranges = [word for option, first in plan.ids.items() for word in (option, f"{first}-{first + _IDS - 1}")]
    if ranges:
        _checked(commands.run(("usermod", *ranges, plan.user)))
    if plan.unit_changed:
        ConfigFile(UNIT_FILE).write(plan.unit_after)
    if plan.enable:
        os.makedirs(os.path.dirname(_ENABLED), mode=0o755, exist_ok=True)
        os.symlink(UNIT_FILE, _ENABLED)
    if plan.linger:
        _checked(commands.run(("loginctl", "enable-linger", plan.user)))
    deadline = time.monotonic() + _SYSTEMD_SECONDS
    while not os.path.exists(f"{runtime_directory(uid)}/systemd/private"):
        if time.monotonic() >= deadline:
            raise BreakwaterError(f"systemd did not start for {plan.user}: see `systemctl status user@{uid}.service`.")
        time.sleep(0.25)
    if plan.unit_changed:
        _checked(user_commands.run(("systemctl", "daemon-reload")))


def _checked(result: CommandResult) -> None:
    if result.rc != 0:
        raise BreakwaterError(f"The account could not be prepared: {result.stderr.strip()}")


def _exists(files: FileSystem, path: str) -> bool:
    try:
        files.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _read(files: FileSystem, path: str) -> str:
    try:
        return files.read_text(path)
    except FileNotFoundError:
        return ""
