# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Containers: how each is configured and, where it runs, how the kernel confines it. Nothing is run inside of one.

from __future__ import annotations

from typing import Any, Callable, Iterable, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError, gather
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import (
    confinement,
    container_image,
    container_limits,
    container_ports,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.accounts import names_root
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.container_mounts import (
    MountTable,
    propagating,
    volume_paths,
    volume_writers,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.container_namespaces import (
    Neighbourhood,
    neighbourhood,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.network import binding_addresses
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import DATA_ROOT, resolve
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.reasons import stated
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import ProcessTable
from ansible_collections.breakwater.docker.plugins.module_utils.redact import environment_names

#: The oom_score_adj with which the kernel ends other processes instead. proc_pid_oom_score_adj(5)
_NEVER_KILLED = -1000
_SSH_SERVERS = ("dropbear", "sshd", "sshd-auth", "sshd-session")


class _Estate(NamedTuple):
    """What the containers of one host have in common."""

    files: FileSystem
    processes: ProcessTable
    daemon: Mapping[str, Any]
    image_ids: Mapping[str | None, str]
    """Image ids by the full names, with tags, that point to them now."""
    mounts: MountTable
    neighbours: Neighbourhood
    info: Mapping[str, Any]
    """The engine's `/info`."""
    addresses: Mapping[str, str]
    """The host's address, by network, on which ports are published that name none."""


class _Subject(NamedTuple):
    doc: Document
    estate: _Estate
    environment: Callable[[], list[dict[str, Any]]]
    kernel: dict[str, Any] | None
    kernel_error: str


def collect(
    documents: EngineDocuments,
    files: FileSystem,
    processes: ProcessTable,
    daemon: Mapping[str, Any],
    engine_sockets: Iterable[str],
) -> list[dict[str, Any]]:
    """Return the evidence of each container.

    `daemon` is the daemon's evidence, for the defaults it gives; `engine_sockets` are the paths by which it is reached.
    """
    inspected = [Document(raw, f"container {raw.get('Name')}") for raw in documents.containers]
    data_root = resolve(files, daemon["data_root"] or DATA_ROOT)
    estate = _Estate(
        files,
        processes,
        daemon,
        container_image.ids_by_name(documents.images),
        MountTable(files, engine_sockets, data_root, volume_paths(documents.volumes), volume_writers(inspected)),
        neighbourhood(inspected),
        documents.info,
        binding_addresses(documents.networks),
    )
    return [gather(_subject(doc, estate), _FIELDS) for doc in inspected]


def _subject(doc: Document, estate: _Estate) -> _Subject:
    environment = Lazy(lambda: environment_names(doc.strings("Config", "Env")))
    return _Subject(doc, estate, environment, *_kernel_view(doc, estate))


def _runs(doc: Document) -> bool:
    """Tell whether it has a process: the engine says it of one as well that waits for its next start."""
    return doc.boolean("State", "Running") and not doc.boolean("State", "Restarting")


def _kernel_view(doc: Document, estate: _Estate) -> tuple[dict[str, Any] | None, str]:
    """Return what the kernel says of its first process, None where it does not run; or why that can't be read."""
    try:
        if not _runs(doc):
            return None, ""
        pid = doc.integer("State", "Pid")
        if all(pid != seen for seen, _name in estate.processes.containers.get(doc.string("Id"), ())):
            raise UnreadableError(
                f"{doc.name}: its process {pid} can't be seen as the container's in this host's /proc"
            )
        return confinement.kernel_view(estate.files, pid), ""
    except (UnreadableError, OSError, KeyError, ValueError, IndexError) as error:
        return None, str(error) or "the kernel's view of its process can't be read"


def _kernel(name: str) -> Any:
    def read(subject: _Subject) -> Any:
        if subject.kernel_error:
            raise UnreadableError(subject.kernel_error)
        return subject.kernel[name] if subject.kernel else None

    return read


def _deviations(subject: _Subject) -> list[str]:
    """Return in which respects the kernel confines the first process less than the configuration claims."""
    if subject.kernel_error:
        raise UnreadableError(subject.kernel_error)
    kernel = subject.kernel
    if kernel is None:
        return []
    found = []
    if set(kernel["capabilities"]) - confinement.claimed_capabilities(subject.doc):
        found.append("capabilities")
    if _no_new_privileges(subject) and not kernel["no_new_privileges"]:
        found.append("no_new_privileges")
    if _seccomp_profile(subject) != "unconfined" and kernel["seccomp"] != "filter":
        found.append("seccomp")
    options = subject.estate.daemon["security_options"]
    if options is None:
        raise UnreadableError("the engine does not tell whether it has AppArmor, SELinux and a user namespace")
    profile = confinement.apparmor_profile(subject.doc)
    claimed = "apparmor" in options and profile not in ("unconfined", "")
    if claimed and not confinement.apparmor_enforces(kernel["label"], profile):
        found.append("apparmor")
    labelled = "selinux" in options and not confinement.selinux_disabled(subject.doc)
    if labelled and not confinement.selinux_confines(kernel["label"]):
        found.append("selinux")
    remapped = {"userns", "rootless"} & set(options)
    if remapped and kernel["root_is_host_root"] and subject.doc.string("HostConfig", "UsernsMode") != "host":
        found.append("user_namespace")
    return found


def _no_new_privileges(subject: _Subject) -> bool:
    told = confinement.no_new_privileges(subject.doc)
    if told is not None:
        return told
    if subject.kernel:  # it runs by the default that the daemon had when it was started
        return bool(subject.kernel["no_new_privileges"])
    default = subject.estate.daemon["no_new_privileges"]
    if default is None:
        raise UnreadableError("the daemon's default for no-new-privileges is unknown")
    if default and subject.kernel_error:  # it may have been started before that became the default
        raise UnreadableError(subject.kernel_error)
    return bool(default)


def _seccomp_profile(subject: _Subject) -> str:
    return confinement.seccomp_profile(subject.doc, subject.estate.daemon["seccomp_profile"])


def _dangerous_capabilities(subject: _Subject) -> list[str]:
    held = confinement.claimed_capabilities(subject.doc) | set(subject.kernel["capabilities"] if subject.kernel else ())
    return sorted(held & confinement.DANGEROUS_CAPABILITIES)


def _oom_kill_disabled(subject: _Subject) -> bool:
    place = Document(subject.doc.mapping("HostConfig"), subject.doc.name)
    # null with control groups version 2, which has no such switch
    switched_off = place.value("OomKillDisable") is not None and place.boolean("OomKillDisable")
    return switched_off or (place.has("OomScoreAdj") and place.integer("OomScoreAdj") <= _NEVER_KILLED)


def _ulimits(subject: _Subject) -> list[str]:
    defaults = subject.estate.daemon["default_ulimits"]
    if defaults is None:
        raise UnreadableError("the daemon's default limits, which the engine adds to a container's own, are unknown")
    limits = subject.doc.objects("HostConfig", "Ulimits")
    told = [f"{item.string('Name')}={item.integer('Soft')}:{item.integer('Hard')}" for item in limits]
    return [limit for limit in told if limit not in defaults]


def _devices(subject: _Subject) -> list[str]:
    devices = [item.string("PathOnHost") for item in subject.doc.objects("HostConfig", "Devices")]
    requests = subject.doc.objects("HostConfig", "DeviceRequests")
    return sorted([*devices, *subject.doc.strings("HostConfig", "DeviceCgroupRules"), *map(_requested, requests)])


def _requested(request: Document) -> str:
    """Name what `--gpus` or CDI asks a driver for: `cdi: vendor.com/net=nic0`, or how many (-1 is all)."""
    wanted = request.strings("DeviceIDs") or [f"{request.integer('Count')} devices"]
    return f"{request.string('Driver') or 'any driver'}: {' '.join(wanted)}"


def _health_check(subject: _Subject) -> bool:
    if not subject.doc.has("Config", "Healthcheck"):
        return False
    test = subject.doc.strings("Config", "Healthcheck", "Test")
    return bool(test) and test[0] != "NONE"


def _user_is_root(subject: _Subject) -> bool:
    """Tell whether it is root by its name or number, or, of every name, by what the kernel says of its process."""
    by_name = names_root(subject.doc.string("Config", "User"))
    return by_name or bool(subject.kernel and subject.kernel["is_root"])


def _log_bounded(subject: _Subject) -> bool:
    if subject.doc.string("HostConfig", "LogConfig", "Type") != "json-file":
        return True  # of those that keep logs on the host, only this one keeps everything by default
    options = Document(subject.doc.mapping("HostConfig", "LogConfig", "Config"), f"{subject.doc.name}, log options")
    return options.has("max-size") and options.string("max-size") != "-1"


def _ssh_servers(subject: _Subject) -> list[str]:
    if subject.kernel_error:
        raise UnreadableError(subject.kernel_error)
    running = subject.estate.processes.containers.get(subject.doc.string("Id"), ())
    return sorted({name for _pid, name in running if name in _SSH_SERVERS})


_FIELDS = {
    "id": lambda s: s.doc.string("Id"),
    "name": lambda s: s.doc.string("Name").lstrip("/"),
    "image": lambda s: s.doc.string("Config", "Image"),
    "image_id": lambda s: s.doc.string("Image"),
    "image_current": lambda s: container_image.is_current(s.doc, s.estate.image_ids),
    "state": lambda s: s.doc.string("State", "Status"),
    "running": lambda s: _runs(s.doc),
    "user": lambda s: s.doc.string("Config", "User"),
    "user_is_root": _user_is_root,
    "privileged": lambda s: s.doc.boolean("HostConfig", "Privileged"),
    "cap_add": lambda s: confinement.capability_names(s.doc.strings("HostConfig", "CapAdd")),
    "cap_drop": lambda s: confinement.capability_names(s.doc.strings("HostConfig", "CapDrop")),
    "dangerous_capabilities": _dangerous_capabilities,
    "no_new_privileges": _no_new_privileges,
    "seccomp_profile": _seccomp_profile,
    "seccomp_dangerous_calls": lambda s: confinement.dangerous_calls(s.doc, s.estate.daemon["seccomp_dangerous_calls"]),
    "apparmor_profile": lambda s: confinement.apparmor_profile(s.doc),
    "selinux_disabled": lambda s: confinement.selinux_disabled(s.doc),
    "system_paths_unmasked": lambda s: confinement.system_paths_unmasked(s.doc),
    "read_only": lambda s: s.doc.boolean("HostConfig", "ReadonlyRootfs"),
    "network_mode": lambda s: s.estate.neighbours.mode(s.doc, "network"),
    "networks": lambda s: sorted(s.estate.neighbours.owner(s.doc, "network").mapping("NetworkSettings", "Networks")),
    "pid_mode": lambda s: s.estate.neighbours.mode(s.doc, "pid"),
    "ipc_mode": lambda s: s.estate.neighbours.mode(s.doc, "ipc"),
    "joined_namespaces": lambda s: s.estate.neighbours.joined(s.doc),
    "uts_mode": lambda s: s.doc.string("HostConfig", "UTSMode"),
    "userns_mode": lambda s: s.doc.string("HostConfig", "UsernsMode"),
    "cgroup_parent": lambda s: s.doc.string("HostConfig", "CgroupParent"),
    "cgroup_namespace": lambda s: s.doc.string("HostConfig", "CgroupnsMode"),
    "published_ports": lambda s: container_ports.published(s.doc, _runs(s.doc), s.estate.addresses),
    "socket_mounts": lambda s: s.estate.mounts.sockets(s.doc),
    "sensitive_mounts": lambda s: s.estate.mounts.sensitive(s.doc),
    "shared_mounts": lambda s: propagating(s.doc),
    "shared_volumes": lambda s: s.estate.mounts.shared_volumes(s.doc),
    "devices": _devices,
    "memory": lambda s: container_limits.memory(s.doc, s.estate.info),
    "cpu_limited": lambda s: container_limits.cpu_limited(s.doc, s.estate.info),
    "pids_limit": lambda s: container_limits.pids(s.doc, s.estate.info),
    "ulimits": _ulimits,
    "restart_policy": lambda s: s.doc.string("HostConfig", "RestartPolicy", "Name") or "no",
    "restart_retries": lambda s: s.doc.integer("HostConfig", "RestartPolicy", "MaximumRetryCount"),
    "oom_kill_disabled": _oom_kill_disabled,
    "health_check": _health_check,
    "log_driver": lambda s: s.doc.string("HostConfig", "LogConfig", "Type"),
    "log_bounded": _log_bounded,
    "runtime": lambda s: s.doc.string("HostConfig", "Runtime") if s.doc.has("HostConfig", "Runtime") else "",
    "environment": lambda s: [entry["name"] for entry in s.environment()],
    "secret_variables": lambda s: [entry["name"] for entry in s.environment() if entry["looks_secret"]],
    "ssh_servers": _ssh_servers,
    "reasons": lambda s: stated(s.doc, "Config", "Labels"),
    "kernel_seccomp": _kernel("seccomp"),
    "kernel_no_new_privileges": _kernel("no_new_privileges"),
    "kernel_capabilities": _kernel("capabilities"),
    "kernel_uid": _kernel("uid"),
    "kernel_root_is_host_root": _kernel("root_is_host_root"),
    "kernel_label": _kernel("label"),
    "kernel_deviations": _deviations,
}
