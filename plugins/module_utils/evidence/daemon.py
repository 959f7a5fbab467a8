# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The daemon's effective settings: what the API tells of them, and what only its arguments and files tell.

from __future__ import annotations

import time
from datetime import datetime, timezone
from typing import Any, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import version_tuple
from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings
from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError, gather
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import default_bridge, seccomp
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments, security_options
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.network import bindings
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import data_root_as_told
from ansible_collections.breakwater.docker.plugins.module_utils.listeners import listening, probe
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import ProcessTable
from ansible_collections.breakwater.docker.plugins.module_utils.redact import has_credentials, without_credentials

#: Those of an address without a port, without TLS and with it.
_API_PORTS = frozenset((2375, 2376))
_DAY = 86400
#: The kernel tells the time of its boot, from which a process's start is counted, in whole seconds only.
_CLOCK_ERROR = 2
#: Log options that say how much is kept; the values of others can hold credentials and stay here.
_LOG_SIZES = ("max-size", "max-file")
_LOOPBACK = ("127.0.0.0/8", "::1/128")


class _Sources(NamedTuple):
    documents: EngineDocuments
    api: Document
    settings: DaemonSettings
    files: FileSystem
    commands: CommandRunner
    processes: ProcessTable


def collect(
    documents: EngineDocuments,
    files: FileSystem,
    commands: CommandRunner,
    processes: ProcessTable,
    settings: DaemonSettings,
) -> dict[str, Any]:
    """Return the evidence of the daemon; what it was told but the API does not show is read from its process."""
    api = Document({"version": documents.version, "info": documents.info}, "the engine's answer")
    sources = _Sources(documents, api, settings, files, commands, processes)
    fields = gather(sources, {**_API_FIELDS, **_SETTINGS, **_PROCESS_FIELDS})
    return {"id": "dockerd", "name": "dockerd", **fields}


def _no_new_privileges(sources: _Sources) -> bool:
    # From 26.1 on the engine tells it; before that only what it was told is known.
    if version_tuple(sources.api.string("version", "Version")) >= (26, 1):
        return "no-new-privileges" in security_options(sources.api)
    return sources.settings.get("no-new-privileges", False)


def _seccomp_profile(sources: _Sources) -> str:
    for text in sources.api.strings("info", "SecurityOptions"):
        if text.startswith("name=seccomp"):
            profile = text.partition("profile=")[2]
            return "builtin" if profile in ("", "default") else profile
    return "unconfined"


def _seccomp_dangerous_calls(sources: _Sources) -> list[str]:
    profile = _seccomp_profile(sources)
    return seccomp.dangerous_calls(sources.files.read_text(profile) if profile.startswith("/") else profile)


def _ip6tables(sources: _Sources) -> bool:
    return sources.settings.get("ip6tables", version_tuple(sources.api.string("version", "Version")) >= (27,))


def _insecure_registries(sources: _Sources) -> list[str]:
    ranges = sources.api.strings("info", "RegistryConfig", "InsecureRegistryCIDRs")
    indexes = sources.api.mapping("info", "RegistryConfig", "IndexConfigs")
    if not all(isinstance(index, dict) and isinstance(index.get("Secure"), bool) for index in indexes.values()):
        raise UnreadableError("/info tells of a registry, but not whether it is secure")
    insecure = [name for name, index in indexes.items() if not index["Secure"]]
    return sorted(set(ranges) - set(_LOOPBACK)) + sorted(insecure)


def _runtimes(sources: _Sources) -> list[str]:
    return sorted(sources.api.mapping("info", "Runtimes"))


def _in_swarm(sources: _Sources) -> bool:
    return sources.api.string("info", "Swarm", "LocalNodeState") not in ("", "inactive")


_API_FIELDS = {
    "security_options": lambda s: security_options(s.api),
    "seccomp_profile": _seccomp_profile,
    "seccomp_dangerous_calls": _seccomp_dangerous_calls,
    "no_new_privileges": _no_new_privileges,
    "icc": lambda s: default_bridge.icc(s.documents),
    "bridge_filtered": lambda s: default_bridge.filtered(s.documents, s.files, lambda: _ip6tables(s)),
    "live_restore": lambda s: s.api.boolean("info", "LiveRestoreEnabled"),
    "experimental": lambda s: s.api.boolean("info", "ExperimentalBuild"),
    "debug": lambda s: s.api.boolean("info", "Debug"),
    "log_driver": lambda s: s.api.string("info", "LoggingDriver"),
    "storage_driver": lambda s: s.api.string("info", "Driver"),
    "authorization_plugins": lambda s: s.api.strings("info", "Plugins", "Authorization"),
    "insecure_registries": _insecure_registries,
    "plain_mirrors": lambda s: [
        without_credentials(url)
        for url in s.api.strings("info", "RegistryConfig", "Mirrors")
        if url.startswith("http://")
    ],
    "default_runtime": lambda s: s.api.string("info", "DefaultRuntime"),
    "runtimes": _runtimes,
    "cgroup_driver": lambda s: s.api.string("info", "CgroupDriver"),
    "cgroup_version": lambda s: s.api.string("info", "CgroupVersion"),
    "data_root": lambda s: s.api.string("info", "DockerRootDir"),
    "swarm_active": _in_swarm,
}


def _log_options(sources: _Sources) -> dict[str, str]:
    options = sources.settings.get("log-opts", {})
    return {name: str(options[name]) for name in _LOG_SIZES if name in options}


def _base_device_size(sources: _Sources) -> bool:
    return any(entry.startswith("dm.basesize") for entry in sources.settings.get("storage-opts", []))


def _ulimit(name: str, value: Any) -> str:
    """Return a default limit as name=soft:hard; the file has an object, whose keys dockerd takes in any case."""
    if isinstance(value, dict):
        limit = {key.lower(): item for key, item in value.items()}
        return f"{name}={limit.get('soft', 0)}:{limit.get('hard', 0)}"
    soft, _separator, hard = str(value).partition(":")
    return f"{name}={soft}:{hard or soft}"


def _nri(sources: _Sources) -> bool:
    return sources.settings.get("nri-opts", {}).get("enable") is True


_SETTINGS = {
    "log_level": lambda s: s.settings.get("log-level", "info"),
    "iptables": lambda s: s.settings.get("iptables", True),
    "ip6tables": _ip6tables,
    "userland_proxy": lambda s: s.settings.get("userland-proxy", True),
    "default_address": lambda s: default_bridge.address(s.documents) or s.settings.get("ip", "0.0.0.0"),  # noqa: S104 (the engine's)
    "default_ulimits": lambda s: sorted(_ulimit(*item) for item in s.settings.get("default-ulimits", {}).items()),
    "default_ipc_mode": lambda s: s.settings.get("default-ipc-mode", "private"),
    "cgroup_parent": lambda s: s.settings.get("cgroup-parent", ""),
    "base_device_size": _base_device_size,
    "log_options": _log_options,
    "metrics_address": lambda s: s.settings.get("metrics-addr", ""),
    "cors_header": lambda s: s.settings.get("api-cors-header", "") != "",
    "allow_direct_routing": lambda s: s.settings.get("allow-direct-routing", False),
    "ip_forward_no_drop": lambda s: s.settings.get("ip-forward-no-drop", False),
    "nri": _nri,
    "hosts": lambda s: s.settings.get("hosts", []),
}


def _listeners(sources: _Sources) -> list[dict[str, Any]]:
    process = sources.settings.process
    if process is None:
        raise UnreadableError(f"{sources.settings.invisible}, so its ports are unknown")
    metrics = sources.settings.get("metrics-addr", "").rpartition(":")[2]
    published = _published(sources.documents.containers)
    ports = [
        (address, port)
        for address, port in listening(sources.files, process.pid)
        if str(port) != metrics and (address, str(port)) not in published
    ]
    not_told = _not_told(sources, ports) if _in_swarm(sources) else set()
    found: list[dict[str, Any]] = []
    undecided: list[str] = []
    if not_told and sources.settings.sources.get("hosts") != "flag" and _config_newer(sources):
        undecided.append(f"{sources.settings.config_path} is newer than dockerd, which it may have told other ports")
    for address, port in ports:
        if (address, port) not in not_told:
            try:
                answer = probe(address, port)
            except UnreadableError as error:
                undecided.append(str(error))
            else:
                found.append({"address": address, "port": port, **answer._asdict()})
    # an open port is open, whatever the others are
    if undecided and all(item["tls"] and item["client_verified"] for item in found):
        raise UnreadableError("; ".join(undecided))
    return found


def _not_told(sources: _Sources, ports: list[tuple[str, int]]) -> set[tuple[str, int]]:
    """Return the ports that neither dockerd was told nor systemd opened for it, so that its API is on none of them.

    In a swarm it serves the swarm there, or reserves what a service publishes: then nobody answers, or the service.
    """
    told = _told_ports(sources.settings.get("hosts", []))
    others = {(address, port) for address, port in ports if port not in told}
    return others - set(listening(sources.files, 1)) if others else others


def _told_ports(hosts: list[Any]) -> set[int]:
    """Return the ports in the daemon's addresses, such as tcp://0.0.0.0:2376."""
    found: set[int] = set()
    for host in hosts:
        scheme, separator, rest = str(host).rpartition("://")
        if scheme == "tcp" or not separator:
            port = rest.partition("/")[0].rpartition(":")[2]
            found |= {int(port)} if port.isdigit() else _API_PORTS
    return found


def _published(containers: list[dict[str, Any]]) -> set[tuple[str, str]]:
    """Return (address, port) pairs that dockerd holds for containers, as it does without the userland proxy."""
    documents = (Document(raw, "container") for raw in containers)
    return {(at.address, at.port) for doc in documents for at in bindings(doc, "NetworkSettings", "Ports")}


def _certificate_days_left(sources: _Sources) -> int | None:
    days = [_days_left(sources.commands, path) for key, path in sources.settings.tls_files().items() if key != "tlskey"]
    return min(days, default=None)


def _days_left(commands: CommandRunner, path: str) -> int:
    result = commands.run(["openssl", "x509", "-noout", "-enddate", "-in", path])
    text = result.stdout.strip().partition("notAfter=")[2]
    try:
        end = datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=timezone.utc)
    except ValueError:
        raise UnreadableError(f"openssl does not tell until when {path} is valid: {result.stderr.strip()}") from None
    return int((end.timestamp() - time.time()) // _DAY)


def _proxies_with_credentials(sources: _Sources) -> list[str]:
    told = {key: sources.settings.get(key, "") for key in ("http-proxy", "https-proxy")}
    shown = {"http-proxy": ("info", "HttpProxy"), "https-proxy": ("info", "HttpsProxy")}
    return sorted(key for key in told if has_credentials(told[key]) or has_credentials(sources.api.string(*shown[key])))


def _config_newer(sources: _Sources) -> bool:
    process, changed = sources.settings.process, sources.settings.config_changed
    if process is None:
        raise UnreadableError(f"{sources.settings.invisible}, so its start is unknown")
    return changed is not None and changed > process.started + _CLOCK_ERROR


def _contradictions(sources: _Sources) -> list[str]:
    """Return the keys of the configuration file whose value is not what the engine says it does."""
    running: Mapping[str, Any] = {
        "debug": sources.api.boolean("info", "Debug"),
        "live-restore": sources.api.boolean("info", "LiveRestoreEnabled"),
        "experimental": sources.api.boolean("info", "ExperimentalBuild"),
        "log-driver": sources.api.string("info", "LoggingDriver"),
        "default-runtime": sources.api.string("info", "DefaultRuntime"),
        "no-new-privileges": _no_new_privileges(sources),
        "icc": default_bridge.icc(sources.documents),
        "ip": default_bridge.address(sources.documents),
        "data-root": data_root_as_told(sources.files, sources.documents, sources.settings.values.get("data-root")),
    }
    settings = sources.settings
    told = {key: settings.values[key] for key in running if settings.sources.get(key) == "file"}
    return sorted(key for key, value in told.items() if running[key] not in (None, value))


_PROCESS_FIELDS = {
    "tcp_listeners": _listeners,
    "certificate_days_left": _certificate_days_left,
    "proxies_with_credentials": _proxies_with_credentials,
    "config_file": lambda s: s.settings.config_path,
    "config_error": lambda s: s.settings.config_error,
    "config_newer": _config_newer,
    "config_clashes": lambda s: list(s.settings.clashes),
    "config_contradictions": _contradictions,
    "daemons": lambda s: [f"PID {process.pid} of UID {process.uid}" for process in s.processes.daemons],
}
