# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# One scan of /proc: the Docker daemons and registries of this host, and the processes of each container. Sources:
# proc_pid_stat(5), proc_pid_status(5), cgroups(7). Of other processes only the command name is read: a command line can
# hold secrets. A name and a command line are a process's own words, which anybody can choose; who speaks is told by the
# kernel: its user, its namespaces, its control group, its program.

from __future__ import annotations

import os
import re
import stat
from typing import Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_PID = re.compile("[0-9]+")
_CONTAINER_ID = re.compile("[0-9a-f]{64}")
_KTHREADD = 2
#: distribution's program, by its own name and by Debian's.
_REGISTRIES = ("registry", "docker-registry")
#: Fields of /proc/PID/stat, counted behind the command name.
_PARENT, _START_TICKS = 1, 19
#: One page is what these small files need; the default limit costs a large buffer for each of them.
_PAGE = 4096


class DaemonProcess(NamedTuple):
    """A running dockerd; `environment` is None where this user may not read it, `started` is Unix time in seconds."""

    pid: int
    uid: int
    arguments: tuple[str, ...]
    environment: Mapping[str, str] | None
    started: float


class RegistryProcess(NamedTuple):
    """A running registry; `cgroups` are the lines of its control groups, `nested` means that it runs in a container."""

    pid: int
    command: str
    arguments: tuple[str, ...]
    cgroups: str
    nested: bool


class ProcessTable(NamedTuple):
    """What one scan saw: daemons by ascending PID, and by container id the (PID, command name) of its processes."""

    daemons: tuple[DaemonProcess, ...] = ()
    containers: Mapping[str, list[tuple[int, str]]] = {}
    registries: tuple[RegistryProcess, ...] = ()


def scan(files: FileSystem) -> ProcessTable:
    """Read /proc once; processes that end meanwhile are left out, and so is everything where /proc is missing."""
    containers: dict[str, list[tuple[int, str]]] = {}
    daemons: list[DaemonProcess] = []
    registries: list[RegistryProcess] = []
    try:
        pids = sorted(int(name) for name in files.listdir("/proc") if _PID.fullmatch(name))
    except OSError:
        pids = []
    around = _containers_around(files)
    for pid in pids:
        try:
            command, fields = _read_stat(files, pid)
            if pid == _KTHREADD or int(fields[_PARENT]) == _KTHREADD:
                continue
            cgroups = files.read_text(f"/proc/{pid}/cgroup", _PAGE)
            # A container inside a container has both ids in its path, and is a part of both.
            identifiers = set(_CONTAINER_ID.findall(cgroups))
            for container_id in identifiers:
                containers.setdefault(container_id, []).append((pid, command))
            contained = not identifiers <= around
            if command == "dockerd" and not contained:
                daemons.extend(_read_daemon(files, pid, int(fields[_START_TICKS])))
            if command in _REGISTRIES:
                registries.extend(_read_registry(files, pid, command, cgroups, contained))
        except (OSError, ValueError, IndexError):
            continue
    return ProcessTable(tuple(daemons), containers, tuple(registries))


def _containers_around(files: FileSystem) -> set[str]:
    """Return the ids of the containers that this host itself is, none for a machine."""
    try:
        return set(_CONTAINER_ID.findall(files.read_text("/proc/self/cgroup", _PAGE)))
    except OSError:
        return set()


def _read_stat(files: FileSystem, pid: int) -> tuple[str, list[str]]:
    head, _separator, tail = files.read_text(f"/proc/{pid}/stat", _PAGE).rpartition(")")
    return head.partition("(")[2], tail.split()


def _read_daemon(files: FileSystem, pid: int, start_ticks: int) -> list[DaemonProcess]:
    status = read_status(files, pid)
    if not _is_of_the_host(files, pid, status):
        return []
    try:
        environment: Mapping[str, str] | None = dict(
            entry.partition("=")[::2] for entry in files.read_text(f"/proc/{pid}/environ").split("\0") if "=" in entry
        )
    except OSError:
        environment = None
    arguments = files.read_text(f"/proc/{pid}/cmdline").rstrip("\0").split("\0")
    uid = int(status["Uid"].split()[0]) if "Uid" in status else -1
    started = boot_time(files) + start_ticks / os.sysconf("SC_CLK_TCK")
    return [DaemonProcess(pid, uid, tuple(arguments), environment, started)]


def _is_of_the_host(files: FileSystem, pid: int, status: Mapping[str, str]) -> bool:
    """Tell whether a process is in the host's PID namespace and was started by its own user."""
    # Leftmost is the PID in our namespace; a further one means that it belongs to a nested container host.
    if len(status.get("NSpid", "").split()) != 1:
        return False
    try:
        # What asks for a password as root, such as sudo, has the name and the arguments that its caller gave it.
        return not files.stat(f"/proc/{pid}/exe").st_mode & stat.S_ISUID
    except OSError:
        return True


def _read_registry(files: FileSystem, pid: int, command: str, cgroups: str, contained: bool) -> list[RegistryProcess]:
    arguments = tuple(files.read_text(f"/proc/{pid}/cmdline", _PAGE).rstrip("\0").split("\0"))
    if "serve" not in arguments:  # it collects garbage, or is another program of that name
        return []
    nested = contained or not _is_of_the_host(files, pid, read_status(files, pid))
    return [RegistryProcess(pid, command, arguments, cgroups, nested)]


def read_status(files: FileSystem, pid: int) -> dict[str, str]:
    """Return the fields of /proc/PID/status as they are written; OSError when the process is gone or hidden."""
    # more than a page where the process is in many groups, whose line stands before those about its namespaces
    lines = files.read_text(f"/proc/{pid}/status").split("\n")
    return {name: value for name, _separator, value in (line.partition(":\t") for line in lines)}


def boot_time(files: FileSystem) -> float:
    """Return when the kernel was booted, as Unix time in seconds; 0 where it does not tell."""
    for line in files.read_text("/proc/stat").splitlines():
        if line.startswith("btime "):
            return float(line.split()[1])
    return 0.0
