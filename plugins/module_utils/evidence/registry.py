# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The registries that run on this host: how their ports treat strangers, what they were told, how they are confined.
# Values of their configuration stay here.

from __future__ import annotations

import re
import stat
from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.addresses import is_local
from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError, gather
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import confinement
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.mounts import mount_of, read_mounts
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.network import Binding, bindings
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.upkeep import Examined, Upkeep
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import listening
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import (
    ProcessTable,
    RegistryProcess,
    read_status,
)
from ansible_collections.breakwater.docker.plugins.module_utils.registry import drivers
from ansible_collections.breakwater.docker.plugins.module_utils.registry.effective import Effective, inner, read

#: Each takes some connections, for whose answers it is waited.
LIMIT = 50
_PORT = re.compile("[0-9]{1,5}")
_SERVICE = re.compile(r"/([^/\n]+\.service)(?:/|$)", re.MULTILINE)
#: Files that hold secrets besides the configuration, by the paths of their entries.
_KEY_FILES = (("http", "tls", "key"), ("auth", "htpasswd", "path"), ("storage", "gcs", "keyfile"))
#: Networks whose containers have addresses of the host's own segment.
_ON_SEGMENT = ("macvlan", "ipvlan")
_SWARM_SERVICE = "com.docker.swarm.service.id"


class _Registry(NamedTuple):
    files: FileSystem
    process: RegistryProcess
    container: Document | None
    """The container that it runs in, None for one of the host itself."""
    drivers: Mapping[str, str]
    """The drivers of the engine's networks by their names."""
    upkeep: Upkeep
    told: Lazy[tuple[Effective, Effective]]
    listens: Lazy[list[tuple[str, int]]]
    kernel: Lazy[dict[str, Any]]
    door: Lazy[Any]

    @property
    def settings(self) -> Effective:
        return self.told()[0]


def collect(
    files: FileSystem,
    processes: ProcessTable,
    containers: Iterable[dict[str, Any]] = (),
    networks: Iterable[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the evidence of each registry of this host and of its engine's containers.

    `containers` and `networks` are the engine's documents. A registry in a container of another engine is left out.
    Of those beyond LIMIT, which are too many to be true, only the names are told.
    """
    listed = list(containers)
    known = {str(raw.get("Id")): Document(raw, f"container {raw.get('Name')}") for raw in listed}
    kinds = {str(raw.get("Name")): str(raw.get("Driver")) for raw in networks}
    upkeep = Upkeep(files, listed)
    found: list[dict[str, Any]] = []
    for process in processes.registries:
        container = next((doc for name, doc in known.items() if _holds(processes, name, process.pid)), None)
        if process.nested and container is None:
            continue
        registry = _registry(files, process, container, kinds, upkeep)
        found.append(gather(registry, _FIELDS if len(found) < LIMIT else _TOLD_OF_EACH))
    return found


def _unexamined(_registry: _Registry) -> Any:
    raise UnreadableError(
        f"only {LIMIT} registries are examined, and more processes of this host say that they are one"
    )


def _holds(processes: ProcessTable, container: str, pid: int) -> bool:
    return any(pid == seen for seen, _name in processes.containers.get(container, ()))


def _registry(
    files: FileSystem,
    process: RegistryProcess,
    container: Document | None,
    kinds: Mapping[str, str],
    upkeep: Upkeep,
) -> _Registry:
    registry: _Registry = _Registry(
        files,
        process,
        container,
        kinds,
        upkeep,
        told=Lazy(lambda: read(files, process)),
        listens=Lazy(lambda: listening(files, process.pid)),
        kernel=Lazy(lambda: confinement.kernel_view(files, process.pid)),
        door=Lazy(lambda: _knock(registry)),
    )
    return registry


def _port(text: str) -> str:
    """Return the port of an address like `:5000`; distribution listens on a port of its own choice without one."""
    port = text.rpartition(":")[2]
    if not _PORT.fullmatch(port) or int(port) > 65535:
        raise UnreadableError("the registry's configuration names no port")
    return port


def _host_network(registry: _Registry) -> bool:
    container = registry.container
    return container is None or container.string("HostConfig", "NetworkMode") == "host"


def _published(registry: _Registry, port: str) -> list[Binding]:
    """Return where the host publishes a port of the registry's container."""
    if registry.container is None:
        return []
    return [
        at
        for at in bindings(registry.container, "NetworkSettings", "Ports")
        if at.container_port == f"{port}/tcp" and at.port.isdigit()
    ]


def _listening(registry: _Registry, port: str) -> list[str]:
    found = [at for at, number in registry.listens() if str(number) == port]
    if not found:
        raise UnreadableError(f"the registry does not listen on port {port}, which it was told")
    return found


def _addresses(registry: _Registry, port: str) -> list[str]:
    """Return the addresses at which others reach a port of the registry, as far as the host knows them."""
    if _host_network(registry):
        return _listening(registry, port)
    container = registry.container
    if container is None:
        return []
    if _SWARM_SERVICE in container.mapping("Config", "Labels"):
        return [""]  # the swarm publishes its ports on every address, and the container does not tell
    own = [
        str(item.get("IPAddress", ""))
        for name, item in container.mapping("NetworkSettings", "Networks").items()
        if registry.drivers.get(name) in _ON_SEGMENT and isinstance(item, dict)
    ]
    return [*(at.address for at in _published(registry, port)), *own]


def _exposed(registry: _Registry) -> bool:
    port = _port(registry.settings.text("http", "addr"))
    return not all(is_local(address) for address in _addresses(registry, port))


def _knock(registry: _Registry) -> Any:
    from ansible_collections.breakwater.docker.plugins.module_utils.registry import doors  # noqa: PLC0415 (imports ssl)

    port = _port(registry.settings.text("http", "addr"))
    if _host_network(registry):
        return doors.knock(_listening(registry, port)[0], int(port))
    published = _published(registry, port)
    if published:
        return doors.knock(published[0].address or "0.0.0.0", int(published[0].port))  # noqa: S104 (nothing is bound)
    networks = registry.container.mapping("NetworkSettings", "Networks") if registry.container else {}
    own = [item.get("IPAddress") for item in networks.values() if isinstance(item, dict)]
    reachable = next((str(address) for address in own if address), "")
    if not reachable:
        raise UnreadableError("the registry's port can't be reached from the host")
    return doors.knock(reachable, int(port))


def _debug_exposed(registry: _Registry) -> bool:
    """Tell whether others than the host's private networks reach the listener for profiles and metrics."""
    address = registry.settings.text("http", "debug", "addr")
    if not address:
        return False
    return not all(is_local(at, private=True) for at in _addresses(registry, _port(address)))


def _exposed_files(registry: _Registry) -> list[str]:
    """Return the files with secrets that others than the registry's user and group may read, or its group may write."""
    settings, written = registry.told()
    entries = [path for path in (settings.text(*keys) for keys in _KEY_FILES) if path]
    candidates = ([written.path] if written.holds_secrets() else []) + entries
    gid = read_status(registry.files, registry.process.pid)["Gid"].split()[0]
    return sorted(path for path in candidates if _is_open(registry, path, int(gid)))


def _is_open(registry: _Registry, path: str, gid: int) -> bool:
    status = registry.files.stat(inner(registry.files, registry.process, path))
    group_reads = stat.S_IMODE(status.st_mode) & 0o040
    return bool(stat.S_IMODE(status.st_mode) & 0o037) or bool(group_reads and status.st_gid != gid)


def _root_read_only(registry: _Registry) -> bool:
    mounts = read_mounts(registry.files, str(registry.process.pid))
    return "ro" in mount_of(mounts, "/").options


def _name(registry: _Registry) -> str:
    if registry.container is not None:
        return registry.container.string("Name").lstrip("/")
    services = _SERVICE.findall(registry.process.cgroups)
    return services[-1] if services else registry.process.command


def _storage_weaknesses(registry: _Registry) -> list[str]:
    settings = registry.settings
    options = None if isinstance(settings.get("storage"), str) else settings.get("storage", settings.driver)
    return sorted(drivers.unprotected(options)) if isinstance(options, dict) else []


_FIELDS = {
    "id": _name,
    "name": _name,
    "kind": lambda r: "native" if r.container is None else "container",
    "config_file": lambda r: r.settings.path,
    "address": lambda r: r.settings.text("http", "addr"),
    "exposed": _exposed,
    "tls": lambda r: r.door().tls,
    "old_tls": lambda r: r.door().old_tls,
    "anonymous": lambda r: r.door().anonymous,
    "authentication": lambda r: r.settings.authentication,
    "http_secret": lambda r: r.settings.text("http", "secret") != "",
    "debug_address": lambda r: r.settings.text("http", "debug", "addr"),
    "debug_exposed": _debug_exposed,
    "storage": lambda r: r.settings.driver,
    "storage_weaknesses": _storage_weaknesses,
    "delete_enabled": lambda r: r.settings.enabled("storage", "delete", "enabled"),
    "pull_through_cache": lambda r: r.settings.text("proxy", "remoteurl") != "",
    "garbage_collected": lambda r: r.upkeep.collects(Examined(r.process, r.container, r.settings)),
    "exposed_files": _exposed_files,
    "user_is_root": lambda r: r.kernel()["uid"] == 0,
    "capabilities": lambda r: r.kernel()["capabilities"],
    "no_new_privileges": lambda r: r.kernel()["no_new_privileges"],
    "seccomp": lambda r: r.kernel()["seccomp"],
    "root_read_only": _root_read_only,
}
_TOLD_OF_EACH = {**dict.fromkeys(_FIELDS, _unexamined), **{name: _FIELDS[name] for name in ("id", "name", "kind")}}
