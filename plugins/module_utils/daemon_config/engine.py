# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine of this host as something to examine, reload and restart, by systemd or, where there is none, by signal.

from __future__ import annotations

import os
import posixpath
import re
import signal
import time
from typing import Any, Callable, ContextManager, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.held_ports import held_ports
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.ipv6_clients import reached
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import Document, EngineState
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.unit import Unit, read_unit
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import version_tuple
from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import parse_flags
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import (
    DATA_ROOT,
    REMAPPED,
    resolve,
    without_remapping,
)
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists, names_in
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, EngineReader, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import DaemonProcess, scan
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import SOCKET

UNIT = "docker.service"
DEFAULT_SOCKET = SOCKET
#: Where `GET /info` shows what a key has come to; all of them are there since 20.10.
_SHOWN_AS = {
    "debug": "Debug",
    "default-runtime": "DefaultRuntime",
    "experimental": "ExperimentalBuild",
    "live-restore": "LiveRestoreEnabled",
    "log-driver": "LoggingDriver",
    "storage-driver": "Driver",
}
#: The first version with `dockerd --validate`.
_VALIDATES_SINCE = (23, 0)
#: The first version that shows whether it runs with no-new-privileges.
_SHOWS_PRIVILEGES_SINCE = (26, 1)
_POLL_SECONDS = 0.25
#: How long an engine that is just being started may take to answer before it counts as down.
_SETTLE_SECONDS = 10.0
#: How long to look for a reloaded engine's complaint.
_RELOAD_SECONDS = 2.0
_FATAL = re.compile(r"failed to (?:start daemon|load|validate)|unable to configure|level=fatal")
_NOT_RELOADED = re.compile(r'level=(?:error|fatal) msg="((?:[^"\\]|\\.)*configur(?:[^"\\]|\\.)*)"')
_MESSAGE = re.compile(r'msg="((?:[^"\\]|\\.)*)"')


class EngineHost:
    """One host's engine; `connect` opens the Engine API on a unix socket."""

    def __init__(
        self,
        files: FileSystem,
        commands: CommandRunner,
        connect: Callable[[str], ContextManager[EngineReader]],
        send_signal: Callable[[int, int], None] = os.kill,
    ) -> None:
        self._files = files
        self._commands = commands
        self._connect = connect
        self._send_signal = send_signal
        self.systemd = self.exists("/run/systemd/system")
        self.unit = self._read_unit()
        self._silence = ""  # why the engine did not answer when it was asked last

    def exists(self, path: str) -> bool:
        """Tell whether there is anything at `path`."""
        return exists(self._files, path)

    def _read_unit(self) -> Unit:
        if self.systemd:
            return read_unit(UNIT, self._files, self._commands)
        running = self._daemons()
        command = running[0].arguments if running else ()
        return Unit(loaded=False, active_state="active" if running else "inactive", command=command, environment={})

    def _daemons(self) -> list[DaemonProcess]:
        """Return root's daemons: those of users are theirs to configure."""
        return [process for process in scan(self._files).daemons if process.uid == 0]

    @property
    def can_restart(self) -> bool:
        """Tell whether systemd knows the engine."""
        return self.unit.loaded

    def version(self) -> str | None:
        """Return the version of the dockerd that a restart would start, None where there is none."""
        shown = self._commands.run((self._dockerd(), "--version"))
        match = re.search(r"version (\d[^\s,]*)", shown.stdout)
        return match.group(1) if match else None

    def _dockerd(self) -> str:
        return self.unit.command[0] if self.unit.command else "dockerd"

    def state(self, socket: str, candidate_version: str | None, document: Mapping[str, Any]) -> EngineState:
        """Return what the engine behind `socket` says; with no dockerd here, the candidate's version.

        One that is down is in a swarm when there is the state of it where one that starts by `document` has its data.
        EngineError when dockerd runs and does not answer: nobody knows then which containers a restart would hit.
        """
        version = self.version() or candidate_version
        info = self._info(socket)
        deadline = time.monotonic() + _SETTLE_SECONDS
        while info is None and self.unit.active_state in ("active", "activating") and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            self.unit = self._read_unit()
            info = self._info(socket)
        if info is None and self.unit.active_state == "active":
            raise EngineError("unreadable", f"dockerd runs but can't be asked. {self._silence} Nothing was changed.")
        if info is None:
            return EngineState(version=version, swarm_active=self._keeps_swarm(document), root_of=self._root_of)
        swarm = info.get("Swarm") or {}
        return EngineState(
            running=True,
            version=version,
            containers=(info.get("ContainersRunning") or 0) + (info.get("ContainersPaused") or 0),
            live_restore=bool(info.get("LiveRestoreEnabled")),
            swarm_active=swarm.get("LocalNodeState") not in (None, "", "inactive"),
            storage_driver=info.get("Driver"),
            data_root=without_remapping(info.get("DockerRootDir") or "") or None,
            root_of=self._root_of,
            network=(self._get(socket, "/networks/bridge") or {}).get("Options") or {},
            shown=_shown(info),
            dependents=self._active(self.unit.dependents),
            ipv6_clients=reached(self._ask(socket, "/containers/json"), self._files),
        )

    def _root_of(self, document: Mapping[str, Any]) -> str:
        told = {**document, **parse_flags(self.unit.arguments(False))}
        # What starts a user's engine is a script, and its data is in the user's home.
        usual = DATA_ROOT if self.unit.command and posixpath.basename(self.unit.command[0]) == "dockerd" else ""
        root = str(told.get("data-root") or told.get("graph") or usual)
        return resolve(self._files, root) if root else ""

    def _keeps_swarm(self, document: Mapping[str, Any]) -> bool:
        root = self._root_of(document)
        remapped = [name for name in names_in(self._files, root) if REMAPPED.fullmatch(name)]
        names = remapped if document.get("userns-remap") else [""]
        return any(self.exists(posixpath.join(root, name, "swarm/docker-state.json")) for name in names)

    def _active(self, units: Sequence[str]) -> tuple[str, ...]:
        if not units:
            return ()
        states = self._commands.run(("systemctl", "is-active", "--", *units)).stdout.split()
        running = ("active", "reloading", "activating")
        return tuple(name for name, state in zip(units, states) if state in running)

    def answers(self, socket: str) -> bool:
        """Tell whether the engine answers now."""
        return self._info(socket) is not None

    def _info(self, socket: str) -> dict[str, Any] | None:
        return self._get(socket, "/info")

    def _get(self, socket: str, path: str) -> dict[str, Any] | None:
        document = self._ask(socket, path)
        return document if isinstance(document, dict) else None

    def _ask(self, socket: str, path: str) -> Any:
        try:
            with self._connect(socket) as api:
                return api.get(path)
        except EngineError as error:
            self._silence = str(error)
            return None

    def validate(self, path: str, version: str | None, document: Document) -> None:
        """Let dockerd itself judge the candidate file at `path` with the unit's options; InputError when it refuses."""
        if self.version() is None or version is None or version_tuple(version) < _VALIDATES_SINCE:
            return
        options = without_config_file(self.unit.arguments("hosts" in document))
        judged = self._commands.run((self._dockerd(), *options, "--config-file", path, "--validate"), timeout=30)
        if judged.rc != 0:
            reason = (judged.stderr or judged.stdout).strip().splitlines() or ["it does not say why"]
            raise InputError(
                f"dockerd refuses the configuration: {reason[-1].replace(path, 'daemon.json')}. Nothing was changed."
            )

    def reload(self) -> None:
        """Make dockerd read its file again (SIGHUP); BreakwaterError when the journal tells that it did not take it."""
        if self.can_restart:
            cursor = self._journal("-n0", "--show-cursor").rpartition("cursor: ")[2].strip()
            # Not `systemctl reload`: what that does is up to the unit and its drop-ins.
            self._systemctl("kill", unit=("--kill-who=main", "--signal=HUP", UNIT))
            self._check_reload(cursor)
            return
        for process in self._daemons():
            self._send_signal(process.pid, signal.SIGHUP)

    def daemon_reload(self) -> None:
        """Make systemd read its unit files again."""
        if self.systemd:
            self._systemctl("daemon-reload", unit=())

    def restart(self, timeout: float) -> None:
        """Start dockerd anew, also where it is down; BreakwaterError with the journal's reason when it fails."""
        started = int(time.time())
        # Starts that failed before, by this run or another, must not count against this one.
        self._commands.run(("systemctl", "reset-failed", UNIT))
        self.daemon_reload()  # a run that was killed may have left a drop-in that systemd has not read
        with held_ports(self._commands, timeout):
            result = self._commands.run(("systemctl", "restart", UNIT), timeout=timeout)
        if result.rc is None:
            # A start that hangs, say at an authorization plugin, takes no notice of being stopped: the next would wait.
            self._commands.run(("systemctl", "kill", "--kill-who=main", "--signal=KILL", UNIT))
        if result.rc != 0:
            raise BreakwaterError(self.journal_reason(started) or result.stderr.strip().splitlines()[0])

    def _systemctl(self, verb: str, unit: Sequence[str] = (UNIT,)) -> None:
        result = self._commands.run(("systemctl", verb, *unit), timeout=60)
        if result.rc != 0:
            raise BreakwaterError(f"systemctl {verb} failed: {result.stderr.strip()}")

    def _check_reload(self, cursor: str) -> None:
        """Look for dockerd's word in the journal; its success is not told at every log level."""
        deadline = time.monotonic() + _RELOAD_SECONDS
        while time.monotonic() < deadline:
            told = self._journal(f"--after-cursor={cursor}")
            refused = _NOT_RELOADED.search(told)
            if refused:
                raise BreakwaterError(f"dockerd did not reload it: {refused.group(1)}")
            if "Reloaded configuration" in told:
                return
            time.sleep(_POLL_SECONDS)

    def journal_reason(self, since: int) -> str | None:
        """Return why dockerd did not start, as it told the journal since that time (Unix seconds)."""
        telling = [line for line in self._journal(f"--since=@{since}").splitlines() if _FATAL.search(line)]
        if not telling:
            return None
        message = _MESSAGE.search(telling[-1])
        return (message.group(1) if message else telling[-1])[:500]

    def _journal(self, *options: str) -> str:
        return self._commands.run(("journalctl", "-u", UNIT, "-o", "cat", "--no-pager", *options)).stdout

    def wait_until(self, socket: str, document: Mapping[str, Any], timeout: float) -> None:
        """Wait until the engine answers and shows the settings of `document`; BreakwaterError after the timeout."""
        deadline = time.monotonic() + timeout
        while True:
            info = self._info(socket)
            wrong = mismatches(document, info)
            if not wrong:
                return
            if time.monotonic() >= deadline:
                reason = f": {self._silence}" if info is None else ""
                raise BreakwaterError(f"after {timeout:g} seconds {wrong[0]}{reason}")
            time.sleep(_POLL_SECONDS)


def mismatches(document: Mapping[str, Any], info: Mapping[str, Any] | None) -> Sequence[str]:
    """Return, as clauses, where the engine's `/info` is not what the document says; None is no answer."""
    if info is None:
        return ["the engine does not answer"]
    return [
        f"{key} is {info.get(field)!r}, not {document[key]!r}"
        for key, field in _SHOWN_AS.items()
        if key in document and info.get(field) != document[key]
    ]


def _shown(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what keys have come to by the engine's `/info`, null for user namespaces that are not in use."""
    shown = {key: info[field] for key, field in _SHOWN_AS.items() if field in info}
    options = info.get("SecurityOptions")
    if options is not None and not any(option.startswith("name=userns") for option in options):
        shown["userns-remap"] = None
    version = re.match(r"\d\S*", info.get("ServerVersion") or "")
    if options is not None and version and version_tuple(version.group()) >= _SHOWS_PRIVILEGES_SINCE:
        shown["no-new-privileges"] = "name=no-new-privileges" in options
    return shown


def config_file_of(arguments: Sequence[str]) -> str | None:
    """Return the configuration file that dockerd's options name, None where they name none."""
    for index, word in enumerate(arguments):
        if word.startswith("--config-file="):
            return word.partition("=")[2]
        if word == "--config-file" and index + 1 < len(arguments):
            return arguments[index + 1]
    return None


def without_config_file(arguments: Sequence[str]) -> Sequence[str]:
    """Return dockerd's options without the one that names the configuration file."""
    named = config_file_of(arguments)
    return [word for word in arguments if word not in ("--config-file", f"--config-file={named}", named)]
