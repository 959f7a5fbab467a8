# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a container gets with a directory of the host: an engine's socket, the system's own files, or nothing special.

from __future__ import annotations

import re
from typing import Any, Iterable, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import DATA_ROOT, resolve
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import listening_paths
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: Who may write to one of these is root on the host, or in the last ones every program of a user.
_SOCKETS = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/user/UID/docker.sock",
    "/run/user/UID/docker/containerd/containerd.sock",
    "/run/user/UID/podman/podman.sock",
)
_RUNTIME_DIRECTORY = re.compile(r"/run/user/\d+(?=/|$)")
#: Sensitive with everything below them.
_SYSTEM_TREES = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr"),
    # over D-Bus, systemd starts what it is told to by who is root, and in a container that is the same root
    *("/run/dbus", "/run/systemd"),
    # sockets of shims and plugins, and the file systems of all containers
    *("/run/containerd", "/run/docker"),
    *("/var/lib/containerd", DATA_ROOT, "/var/lib/kubelet", "/var/spool/cron"),
)
#: Sensitive as a whole, since the above or everybody's files are in them.
_SYSTEM_ROOTS = ("/", "/home", "/run", "/var", "/var/lib", "/var/log", "/var/spool")
#: What images commonly want to read, and may.
_HARMLESS_TO_READ = (
    *("/etc/localtime", "/etc/timezone", "/etc/zoneinfo", "/etc/ssl/certs", "/etc/pki/ca-trust"),
    *("/usr/share/ca-certificates", "/usr/share/zoneinfo"),
)


def _within(path: str, trees: Sequence[str]) -> bool:
    return any(path == tree or path.startswith(tree + "/") for tree in trees)


def unix_sockets(addresses: Any) -> list[str]:
    """Return the paths among the addresses of the daemon's settings `hosts` and `containerd`."""
    listed = [item for item in addresses if isinstance(item, str)] if isinstance(addresses, list) else []
    paths = [address[len("unix://") :] if address.startswith("unix://") else address for address in listed]
    return [path for path in paths if path.startswith("/")]


def containerd_sockets(settings: DaemonSettings) -> list[str]:
    """Return where the daemon was told that containerd's socket is, or that it keeps its own containerd's."""
    own = unix_sockets([settings.values.get("exec-root")])
    return [*unix_sockets([settings.values.get("containerd")]), *(f"{path}/containerd/containerd.sock" for path in own)]


def served_sockets(files: FileSystem, pid: int) -> list[str]:
    """Return the unix sockets on which a process listens; none for who is not root and can't see them."""
    try:
        return listening_paths(files, pid)
    except OSError:
        return []


def engine_sockets(files: FileSystem, settings: DaemonSettings, socket_path: str, served: Iterable[str]) -> list[str]:
    """Return where the sockets are by which the engine is reached: those it was told, and all that it serves."""
    told = [*unix_sockets(settings.values.get("hosts")), *containerd_sockets(settings)]
    return [resolve(files, path) for path in (socket_path, *told, *served)]


def activated_sockets(files: FileSystem, served: Sequence[str]) -> list[str]:
    """Return the sockets that systemd opened for the engine, which it was told of by `fd://` only."""
    return sorted({*served}.intersection(served_sockets(files, 1))) if served else []


def holds_socket(files: FileSystem, path: str, engines: Iterable[str] = ()) -> bool:
    """Tell whether the path is an engine's socket or a directory with one somewhere below it.

    `engines` are the sockets of this host's engine besides the usual ones, without symbolic links. `/var` counts
    although it leads to `/run` by such a link only: where it does not, it holds the socket itself. PermissionError
    where this user can't see where the path leads.
    """
    sockets = {*_SOCKETS, *engines}
    real = resolve(files, path)
    places = {real, _RUNTIME_DIRECTORY.sub("/run/user/UID", real)}
    if real in ("/", "/var") or any(
        sock == place or sock.startswith(place + "/") for sock in sockets for place in places
    ):
        return True
    _require_seen(files, real)
    return False


def is_sensitive(files: FileSystem, path: str, writable: bool, data_root: str) -> bool:
    """Tell whether the path is one of the system's own, or has the engine's data in it.

    It is judged by where it leads, not by how it is written; `data_root` has no symbolic links. PermissionError where
    this user can't see where the path leads.
    """
    real = resolve(files, path)
    if not writable and _within(real, _HARMLESS_TO_READ):
        return False
    if real in _SYSTEM_ROOTS or _within(real, (*_SYSTEM_TREES, data_root)) or _within(data_root, (real,)):
        return True
    _require_seen(files, real)
    return False


def _require_seen(files: FileSystem, real: str) -> None:
    """Raise PermissionError where this user can't see whether a link leads from there to somewhere else."""
    try:
        files.lstat(real)
    except PermissionError:
        raise
    except OSError:  # it is not there, or on a host that can't be seen, where names have to do
        pass
