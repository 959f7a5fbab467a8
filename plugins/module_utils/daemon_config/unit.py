# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The command line by which systemd starts dockerd, and drop-ins: settings, and the choice of addresses for daemon.json.
# Sources: systemctl(1) show, systemd.service(5) "Command lines", systemd.exec(5) EnvironmentFile=.

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.redact import holds_secret, looks_secret

#: Whom systemd stops with a unit, and restarts with it.
_DEPENDENTS = ("RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf")
_PROPERTIES = (
    f"LoadState,ActiveState,InvocationID,ExecStart,Environment,EnvironmentFiles,TriggeredBy,{','.join(_DEPENDENTS)}"
)
_ARGV = re.compile(r"argv\[\]=(.*?) ; ignore_errors=")
_SETTING = re.compile(r"(?!Exec)[A-Z][A-Za-z0-9]*")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True)
class Unit:
    """docker.service as systemd has it: `command` is ExecStart before `environment` is put into it."""

    loaded: bool
    active_state: str
    """systemd's word: active, activating (also between two attempts), failed, inactive ..."""
    command: tuple[str, ...]
    environment: Mapping[str, str]
    start: str = ""
    """systemd's id of the unit's present start; no other start of any unit has it."""
    dependents: tuple[str, ...] = ()
    """Units that systemd restarts with it when they are active; its own sockets are not meant."""

    def arguments(self, hosts_in_file: bool) -> list[str]:
        """Return dockerd's options, variables expanded; with `hosts` in daemon.json as the drop-in leaves them."""
        command = _without_activation(self.command) if hosts_in_file else self.command
        arguments: list[str] = []
        for word in command[1:]:
            if re.fullmatch(r"\$\w+", word):
                arguments += self.environment.get(word[1:], "").split()
            else:
                arguments.append(_VARIABLE.sub(lambda match: self.environment.get(match.group(1), ""), word))
        return arguments

    def drop_in(self) -> str:
        """Return the drop-in without socket activation by an option; empty where the unit needs none."""
        command = _without_activation(self.command)
        if command == self.command:
            return ""
        return (
            "# Managed by breakwater.docker: daemon.json has hosts, and dockerd refuses to be told twice.\n"
            f"[Service]\nExecStart=\nExecStart={' '.join(word.replace('%', '%%') for word in command)}\n"
        )


def render_settings(settings: Mapping[str, Any]) -> str:
    """Return the drop-in with these settings of [Service], a list as several lines; empty for none.

    A null leaves a setting to the unit. InputError for what is no setting, and for commands.
    """
    lines = []
    for name, value in sorted(settings.items()):
        values = value if isinstance(value, list) else [value]
        words = [("yes" if item else "no") if isinstance(item, bool) else str(item) for item in values]
        if not _SETTING.fullmatch(name) or any("\n" in word for word in words) or isinstance(value, dict):
            raise InputError(
                f"unit has {name}, which is no setting of [Service] that can be set here (no commands, one line each)."
                " Correct it; nothing was changed."
            )
        lines += [f"{name}={word}" for word in words if value is not None]
    return "\n".join(["# Managed by breakwater.docker", "[Service]", *lines, ""]) if lines else ""


def secret_settings(text: str) -> set[str]:
    """Return the values in a drop-in that have a secret in them, as a proxy's password in `Environment=`."""
    settings = [line.partition("=")[::2] for line in text.splitlines()]
    return {value for name, value in settings if looks_secret(name, value) or holds_secret(value)}


def read_unit(name: str, files: FileSystem, commands: CommandRunner) -> Unit:
    """Ask systemd for the unit, drop-ins and environment files included; all empty where systemd has no such unit."""
    shown = commands.run(("systemctl", "show", name, f"--property={_PROPERTIES}"))
    properties: dict[str, list[str]] = {}
    for line in shown.stdout.splitlines():
        key, _separator, value = line.partition("=")
        properties.setdefault(key, []).append(value)
    argv = _ARGV.search(" ".join(properties.get("ExecStart", [])))
    environment = dict(word.partition("=")[::2] for word in shlex.split(" ".join(properties.get("Environment", []))))
    for entry in properties.get("EnvironmentFiles", []):
        environment.update(_environment_file(entry.rpartition(" (")[0], files))
    dependents = " ".join(value for key in _DEPENDENTS for value in properties.get(key, [])).split()
    sockets = " ".join(properties.get("TriggeredBy", [])).split()
    return Unit(
        loaded=properties.get("LoadState") == ["loaded"],
        active_state=properties.get("ActiveState", ["inactive"])[0],
        command=tuple(argv.group(1).split()) if argv else (),
        environment=environment,
        start=properties.get("InvocationID", [""])[0],
        dependents=tuple(sorted(set(dependents) - set(sockets))),
    )


def _environment_file(path: str, files: FileSystem) -> dict[str, str]:
    try:
        lines = files.read_text(path).splitlines()
    except OSError:
        return {}
    found = {}
    for line in lines:
        name, separator, value = line.strip().partition("=")
        if separator and not name.startswith(("#", ";")):
            try:
                found[name] = " ".join(shlex.split(value))
            except ValueError:  # systemd takes a lone quote as a character
                found[name] = value
    return found


def _without_activation(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return the command without the option that takes systemd's socket, in each way to write it."""
    kept: list[str] = []
    for word in command:
        if word == "fd://" and kept and kept[-1] in ("-H", "--host"):
            kept.pop()
        elif word not in ("-H=fd://", "-Hfd://", "--host=fd://"):
            kept.append(word)
    return tuple(kept)
