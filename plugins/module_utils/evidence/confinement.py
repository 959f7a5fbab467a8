# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How a container is confined: what its configuration claims, and what the kernel says of its first process. Sources:
# moby/moby oci/caps and daemon/daemon_unix.go (parseSecurityOpt), capabilities(7), proc_pid_status(5).

from __future__ import annotations

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import seccomp
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import read_status

#: In the order of their bits, separated by spaces.
_ALL = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE"
    " NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT"
    " SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP"
    " MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
)
#: What a container has when nothing is added or dropped.
_DEFAULT = (
    "CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL"
    " AUDIT_WRITE"
)
#: With each of these a process can leave the container, or change the host's kernel, network, clock or audit trail.
_DANGEROUS = (
    "AUDIT_CONTROL BPF CHECKPOINT_RESTORE DAC_READ_SEARCH LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE NET_ADMIN PERFMON"
    " SYSLOG SYS_ADMIN SYS_BOOT SYS_MODULE SYS_PTRACE SYS_RAWIO SYS_TIME"
)
CAPABILITIES = tuple(_ALL.split())
DEFAULT_CAPABILITIES = frozenset(_DEFAULT.split())
DANGEROUS_CAPABILITIES = frozenset(_DANGEROUS.split())
#: Types that let their processes do everything, in Debian's policy and in container-selinux.
_UNCONFINED_TYPES = ("spc_t", "unconfined_t", "unconfined_service_t", "dockerd_t", "container_runtime_t", "kernel_t")
#: What every engine hides of the kernel, and what it lets nobody write to; each since 20.10, others came and went.
MASKED_PATHS = ("/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/scsi", "/sys/firmware")
READ_ONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_SECCOMP_MODES = {"0": "disabled", "1": "strict", "2": "filter"}


def capability_names(names: list[str]) -> list[str]:
    """Return capability names as they are compared: upper case, without CAP_, sorted."""
    return sorted({name.upper()[4:] if name.upper().startswith("CAP_") else name.upper() for name in names})


def claimed_capabilities(container: Document) -> frozenset[str]:
    """Return the capabilities that the container's configuration asks for."""
    everything = frozenset(CAPABILITIES)
    if container.boolean("HostConfig", "Privileged"):
        return everything
    added = set(capability_names(container.strings("HostConfig", "CapAdd")))
    dropped = set(capability_names(container.strings("HostConfig", "CapDrop")))
    if "ALL" in added:  # which --cap-drop ALL does not take back
        return everything - dropped
    base = frozenset() if "ALL" in dropped else DEFAULT_CAPABILITIES
    return (base - dropped) | added


def security_options(container: Document, name: str) -> list[str]:
    """Return the values of such options in SecurityOpt (`name`, `name=value` or the old `name:value`)."""
    found = []
    for text in container.strings("HostConfig", "SecurityOpt"):
        head, separator, value = text.partition("=")
        if not separator:
            head, separator, value = text.partition(":")
        if head == name:
            found.append(value)
    return found


def security_option(container: Document, name: str) -> str | None:
    """Return the value of the last such option, None where there is none."""
    return next(reversed(security_options(container, name)), None)


def no_new_privileges(container: Document) -> bool | None:
    """Tell whether the container's own option keeps its processes from gaining privileges; None where it has none."""
    told = security_option(container, "no-new-privileges")
    return None if told is None else told.lower() in ("", "true", "1", "t")


def seccomp_profile(container: Document, daemon_default: str | None) -> str:
    """Return builtin, unconfined or custom; a custom profile's content is not shown."""
    told = security_option(container, "seccomp")
    if told is None:
        if container.boolean("HostConfig", "Privileged"):
            return "unconfined"
        if daemon_default is None:
            raise UnreadableError("the daemon's default seccomp profile is unknown")
        told = daemon_default
    return told if told in ("builtin", "unconfined") else "custom"


def dangerous_calls(container: Document, daemon_default: list[str] | None) -> list[str]:
    """Return the dangerous system calls that the container's seccomp profile allows."""
    told = security_option(container, "seccomp")
    if told is None and container.boolean("HostConfig", "Privileged"):
        told = "unconfined"
    if told is None and daemon_default is None:
        raise UnreadableError("what the daemon's default seccomp profile allows is unknown")
    return list(daemon_default or ()) if told is None else seccomp.dangerous_calls(told)


def apparmor_profile(container: Document) -> str:
    """Return the AppArmor profile that a container runs or would run under, where the engine uses AppArmor."""
    told = security_option(container, "apparmor")
    if told is None:
        return "unconfined" if container.boolean("HostConfig", "Privileged") else "docker-default"
    return told


def apparmor_enforces(label: str | None, profile: str) -> bool:
    """Tell whether a process with this label is held by the profile; one that only complains holds nothing.

    The kernel releases running processes when their profile is removed, as aa-remove-unknown(8) does with the engine's.
    """
    names, _separator, mode = (label or "").rpartition(" ")
    return mode == "(enforce)" and profile in names.split("//&")


def system_paths_unmasked(container: Document) -> bool:
    """Tell whether /proc and /sys are shown in full (`systempaths=unconfined`), or more of them than by default."""
    if container.boolean("HostConfig", "Privileged"):
        return True
    masked = set(container.strings("HostConfig", "MaskedPaths"))
    read_only = masked | set(container.strings("HostConfig", "ReadonlyPaths"))
    return not (masked.issuperset(MASKED_PATHS) and read_only.issuperset(READ_ONLY_PATHS))


def selinux_disabled(container: Document) -> bool:
    """Tell whether label separation is off, or void for a type that may do everything.

    The engine notes it as off for privileged and host-PID containers as well. Of several types the last one counts.
    """
    options = security_options(container, "label")
    types = [option.partition(":")[2] for option in options if option.startswith("type:")]
    return "disable" in options or bool(set(types[-1:]) & set(_UNCONFINED_TYPES))


def selinux_confines(label: str | None) -> bool:
    """Tell whether SELinux confines a process with this label; a container made before the engine used it has spc_t."""
    parts = (label or "").split(":")
    return len(parts) > 2 and parts[2] not in _UNCONFINED_TYPES


def kernel_view(files: FileSystem, pid: int) -> dict[str, Any]:
    """Return what the kernel enforces on the process; OSError when it has ended or is hidden."""
    status = read_status(files, pid)
    bits = int(status["CapBnd"], 16)
    try:
        label: str | None = files.read_text(f"/proc/{pid}/attr/current", 4096).rstrip("\0\n") or None
    except OSError:
        label = None  # a kernel without a security module answers EINVAL
    uid = int(status["Uid"].split()[0])
    # Each line: first user in the container, the same one on the host, how many.
    mapped = [line.split() for line in files.read_text(f"/proc/{pid}/uid_map", 4096).splitlines()]
    return {
        "seccomp": _SECCOMP_MODES.get(status["Seccomp"], status["Seccomp"]),
        "no_new_privileges": status["NoNewPrivs"] == "1",
        "capabilities": sorted(name for bit, name in enumerate(CAPABILITIES) if bits >> bit & 1),
        "uid": uid,
        "is_root": any(line[:2] == ["0", str(uid)] for line in mapped),
        "root_is_host_root": any(line[:2] == ["0", "0"] for line in mapped),
        "label": label,
    }
