# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The files whose owner, mode and audit rules decide who can change the engine: one object for each, by its purpose.

from __future__ import annotations

import os
import posixpath
import stat
from typing import Any, Callable, Iterable, Iterator, NamedTuple, Sequence, Tuple

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings, config_directory
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError, gather
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import audit
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.accounts import Accounts, read_accounts
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.host_paths import (
    activated_sockets,
    containerd_sockets,
    unix_sockets,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import DATA_ROOT, data_root, resolve
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

Places = Iterator[Tuple[str, Iterable[str]]]

_PROGRAM_DIRECTORIES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/libexec/docker")
_PROGRAMS = {
    "daemon_program": "dockerd",
    "containerd_program": "containerd",
    "containerd_shim_program": "containerd-shim",
    "containerd_shim_runc_v1_program": "containerd-shim-runc-v1",
    "containerd_shim_runc_v2_program": "containerd-shim-runc-v2",
    "runc_program": "runc",
}
#: systemd takes a unit from the first of these. systemd.unit(5)
_UNIT_DIRECTORIES = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
#: Its own service's, and that of the containerd which dockerd starts where there is no such service.
_CONTAINERD_SOCKETS = ("/run/containerd/containerd.sock", "/run/docker/containerd/containerd.sock")
_TLS_PURPOSES = {"tlscacert": "tls_ca", "tlscert": "tls_certificate", "tlskey": "tls_key"}
#: To where systemd links the name of a unit that must not start.
_MASK = "/dev/null"
_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "directory",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "device",
    stat.S_IFIFO: "pipe",
}


class FileSources(NamedTuple):
    """What the evidence of files is read from."""

    files: FileSystem
    settings: DaemonSettings
    socket_path: str
    documents: EngineDocuments
    live_rules: Callable[[], audit.AuditRules]
    """The audit rules that the kernel has loaded; UnreadableError where it does not show them."""
    served: Sequence[str]
    """The unix sockets on which the daemon listens."""


def collect(sources: FileSources) -> list[dict[str, Any]]:
    """Return the evidence of each file: all that exist of a purpose's places, or one that says it does not."""
    files = sources.files
    examiner = _Examiner(
        files,
        read_accounts(files),
        sources.live_rules,
        Lazy(lambda: audit.persistent_rules(files)),
    )
    found: list[dict[str, Any]] = []
    for purpose, candidates in _places(sources):
        paths = list(dict.fromkeys(_real(files, path) for path in candidates))
        found.extend(examiner.examine(path, purpose) for path in _chosen(files, paths))
    try:
        sources.settings.get("tlsverify", False)
    except UnreadableError as error:
        found.extend(_undetermined(purpose, str(error)) for purpose in _TLS_PURPOSES.values())
    return found


class _Examiner(NamedTuple):
    """What is read once for all files."""

    files: FileSystem
    accounts: Accounts
    live: Callable[[], audit.AuditRules]
    persistent: Callable[[], audit.AuditRules]

    def examine(self, path: str, purpose: str) -> dict[str, Any]:
        """Return the evidence of the file at the resolved `path`."""
        status = Lazy(lambda: _status(self.files, path))

        def of_status(item: Callable[[os.stat_result], Any], absent: Any = None) -> Callable[[FileSystem], Any]:
            def read(_files: FileSystem) -> Any:
                known = status()
                return absent if known is None else item(known)

            return read

        def recorded(rules: Callable[[], audit.AuditRules]) -> Callable[[FileSystem], Any]:
            program = purpose in _PROGRAMS
            return of_status(lambda known: rules().covers(path, stat.S_ISDIR(known.st_mode), program), absent=False)

        readers = {
            "exists": of_status(lambda _known: True, absent=False),
            "kind": of_status(lambda known: _KINDS[stat.S_IFMT(known.st_mode)]),
            "uid": of_status(lambda known: known.st_uid),
            "gid": of_status(lambda known: known.st_gid),
            "owner": of_status(lambda known: self.accounts.user(known.st_uid)),
            "group": of_status(lambda known: self.accounts.group(known.st_gid)),
            "mode": of_status(lambda known: stat.S_IMODE(known.st_mode)),
            "mode_octal": of_status(lambda known: f"{stat.S_IMODE(known.st_mode):04o}"),
            "audit_live": recorded(self.live),
            "audit_persistent": recorded(self.persistent),
        }
        return {"id": path, "name": path, "path": path, "purpose": purpose, **gather(self.files, readers)}


def _undetermined(purpose: str, reason: str) -> dict[str, Any]:
    """Return a file of which not even the path is known."""
    status = ("exists", "kind", "uid", "gid", "owner", "group", "mode", "mode_octal")
    fields = ("path", *status, "audit_live", "audit_persistent")
    unknown = {**dict.fromkeys(fields), "unreadable": dict.fromkeys(fields, reason)}
    return {"id": purpose, "name": purpose, "purpose": purpose, **unknown}


def _real(files: FileSystem, path: str) -> str:
    real = resolve(files, path)
    return path if real == _MASK else real


def _status(files: FileSystem, path: str) -> os.stat_result | None:
    """Return the file's status, None where there is none or a mask; OSError for what may not be looked at."""
    try:
        status = files.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None if stat.S_ISCHR(status.st_mode) else status


def _chosen(files: FileSystem, paths: list[str]) -> list[str]:
    """Return the paths that exist, else one that may not be looked at, else the first, which is missing."""
    seen = {path: _presence(files, path) for path in paths}
    existing = [path for path in paths if seen[path] == "existing"]
    closed = [path for path in paths if seen[path] == "closed"]
    return existing or closed[:1] or paths[:1]


def _presence(files: FileSystem, path: str) -> str:
    try:
        return "missing" if _status(files, path) is None else "existing"
    except OSError:
        return "closed"


def _places(sources: FileSources) -> Places:
    """Yield each purpose with the places where its files can be; the usual place comes first."""
    files, settings = sources.files, sources.settings
    directories = (*_PROGRAM_DIRECTORIES, *_own_directory(files, settings))
    for purpose, name in _PROGRAMS.items():
        yield purpose, [posixpath.join(directory, name) for directory in directories]
    yield "docker_service_unit", [_unit(files, "docker.service")]
    yield "docker_socket_unit", [_unit(files, "docker.socket")]
    yield from _drop_ins(files)
    directory = config_directory(settings.process)
    yield "docker_directory", [directory]
    yield "daemon_config", [settings.config_path]
    yield "docker_defaults", ["/etc/default/docker"]
    yield "docker_sysconfig", ["/etc/sysconfig/docker"]
    yield "data_root", [_data_root(sources)]
    told = unix_sockets(settings.values.get("hosts"))
    yield "docker_socket", [sources.socket_path, *told, *activated_sockets(files, sources.served)]
    yield "containerd_socket", [*containerd_sockets(settings), *_CONTAINERD_SOCKETS]
    yield "containerd_directory", ["/run/containerd"]
    yield "containerd_config", ["/etc/containerd/config.toml"]
    yield from _tls_files(settings)
    yield from _registry_files(files, posixpath.join(directory, "certs.d"))


def _own_directory(files: FileSystem, settings: DaemonSettings) -> list[str]:
    """Return where the running dockerd is, and so what came with it: of a snap or an archive at no usual place."""
    if settings.process is None:
        return []
    try:
        program = files.readlink(f"/proc/{settings.process.pid}/exe")
    except OSError:  # which is for root's eyes only
        program = settings.process.arguments[0]
    return [posixpath.dirname(program)] if program.startswith("/") else []


def _data_root(sources: FileSources) -> str:
    try:
        return data_root(sources.documents)
    except UnreadableError:
        return DATA_ROOT


def _unit(files: FileSystem, name: str) -> str:
    """Return the path of the unit that systemd takes; a masked one, which is a link, hides those that follow."""
    paths = [posixpath.join(directory, name) for directory in _UNIT_DIRECTORIES]
    usual = posixpath.join("/usr/lib/systemd/system", name)
    return next((path for path in paths if not _is_missing(files, path)), usual)


def _is_missing(files: FileSystem, path: str) -> bool:
    try:
        files.lstat(path)
    except OSError as error:
        # what may not be looked at may be there
        return isinstance(error, (FileNotFoundError, NotADirectoryError))
    return False


def _drop_ins(files: FileSystem) -> Places:
    for directory in _UNIT_DIRECTORIES:
        for unit in ("docker.service.d", "docker.socket.d"):
            place = posixpath.join(directory, unit)
            for name in _names(files, place):
                if name.endswith(".conf") or name == "*":
                    yield "docker_unit_drop_in", [posixpath.join(place, name)]


def _tls_files(settings: DaemonSettings) -> Places:
    try:
        paths = settings.tls_files()
    except UnreadableError:
        return
    for key, path in paths.items():
        yield _TLS_PURPOSES[key], [path]


def _registry_files(files: FileSystem, directory: str) -> Places:
    for registry in _names(files, directory):
        for name in _names(files, posixpath.join(directory, registry)):
            purpose = "registry_key" if name.endswith(".key") else "registry_certificate"
            yield purpose, [posixpath.join(directory, registry, name)]


def _names(files: FileSystem, directory: str) -> list[str]:
    """Return the names in a directory, none where there is no such directory.

    Where it may not be looked into, the one name that stands for all of them: it is as unreadable as they are.
    """
    try:
        return files.listdir(directory)
    except PermissionError:
        return ["*"]
    except OSError:
        return []
