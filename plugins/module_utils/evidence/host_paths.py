# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a container gets with a directory of the host: an engine's socket, the system's own files, or nothing special.

from __future__ import annotations

from typing import Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import DATA_ROOT, resolve
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: Who may write to one of these is root on the host.
_SOCKETS = (
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/docker/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
)
#: Sensitive with everything below them.
_SYSTEM_TREES = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/root", "/sbin", "/sys", "/usr"),
    *("/run/systemd", "/var/lib/containerd", DATA_ROOT, "/var/lib/kubelet", "/var/spool/cron"),
)
#: Sensitive as a whole, since the above or everybody's files are in them.
_SYSTEM_ROOTS = ("/", "/home", "/run", "/var", "/var/lib", "/var/log", "/var/spool")
#: What images commonly want to read, and may.
_HARMLESS_TO_READ = (
    *("/etc/localtime", "/etc/timezone", "/etc/ssl/certs", "/etc/pki/ca-trust"),
    *("/usr/share/ca-certificates", "/usr/share/zoneinfo"),
)


def _within(path: str, trees: Sequence[str]) -> bool:
    return any(path == tree or path.startswith(tree + "/") for tree in trees)


def holds_socket(files: FileSystem, path: str, engine_socket: str) -> bool:
    """Tell whether the path is an engine's socket or a directory with one somewhere below it.

    `/var` counts although it leads to `/run` by a symbolic link only: where it does not, it holds the socket itself.
    """
    sockets = {*_SOCKETS, resolve(files, engine_socket)}
    real = resolve(files, path)
    return real in ("/", "/var") or any(sock == real or sock.startswith(real + "/") for sock in sockets)


def is_sensitive(files: FileSystem, path: str, writable: bool, data_root: str) -> bool:
    """Tell whether the path is one of the system's own; it is judged by where it leads, not by how it is written."""
    if not writable and _within(path, _HARMLESS_TO_READ):
        return False
    real = resolve(files, path)
    return real in _SYSTEM_ROOTS or _within(real, (*_SYSTEM_TREES, data_root))
