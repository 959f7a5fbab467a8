# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What roles ask of a host before they decide anything; nothing here changes it, not even a cache.
# Sources: os-release(5), sd_booted(3).

from __future__ import annotations

import shlex
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils import package_managers, security_module
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET, EngineHost
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.namespaces import in_container
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import is_stopped


def collect(files: FileSystem, commands: CommandRunner, host: EngineHost, package: str) -> dict[str, Any]:
    """Return the state of the host; `package` is the one whose candidate version is looked up where no engine is."""
    version = host.version()
    release = os_release(files)
    return {
        "docker_present": version is not None,
        "version": version,
        "candidate_version": version or _candidate(commands, package),
        "systemd_booted": host.systemd,
        "in_container": in_container(files),
        "security_module": security_module.active(files),
        "unit_present": host.can_restart,
        "socket_present": host.exists(DEFAULT_SOCKET),
        "engine_stopped": is_stopped(),
        "distribution": release.get("ID", ""),
        "distribution_version": release.get("VERSION_ID", ""),
        "codename": release.get("VERSION_CODENAME", ""),
        "package_manager": package_managers.name_of(commands),
        "architecture": commands.run(("dpkg", "--print-architecture")).stdout.strip(),
    }


def _candidate(commands: CommandRunner, package: str) -> str | None:
    try:
        offered = package_managers.manager_of(commands).available((package,)).get(package, ())
    except BreakwaterError:
        return None
    # packages carry an epoch before the engine's own version
    return next((version.rpartition(":")[2] for version in offered), None)


def os_release(files: FileSystem) -> dict[str, str]:
    """Return what os-release says, empty where there is none."""
    try:
        lines = files.read_text("/etc/os-release").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name: _unquoted(value) for name, _separator, value in pairs}


def _unquoted(value: str) -> str:
    """Return a value without its quotes; one whose quotes are no pair, as an image may have, as it is."""
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value
