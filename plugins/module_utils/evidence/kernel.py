# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The kernel's part of a host's evidence. Sources: proc_sys_kernel(5) and its siblings, the kernel's
# Documentation/admin-guide (sysctl, LSM), kernel_lockdown(7), modprobe.d(5).

from __future__ import annotations

import posixpath
import re
from typing import Any, Callable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: Kernel settings that matter on a container host; a kernel without one of them gives null.
SYSCTLS = (
    "fs.protected_hardlinks",
    "fs.protected_symlinks",
    "fs.suid_dumpable",
    "kernel.dmesg_restrict",
    "kernel.io_uring_disabled",
    "kernel.kexec_load_disabled",
    "kernel.kptr_restrict",
    "kernel.perf_event_paranoid",
    "kernel.randomize_va_space",
    "kernel.unprivileged_bpf_disabled",
    "kernel.yama.ptrace_scope",
    "net.core.bpf_jit_harden",
    "net.ipv4.conf.all.accept_redirects",
    "net.ipv4.conf.all.accept_source_route",
    "net.ipv4.tcp_syncookies",
    "vm.unprivileged_userfaultfd",
)
_MODPROBE_DIRECTORIES = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d")
_AF_ALG_BLOCKED = re.compile(
    r"^[ \t]*(install\s+af_alg\s+\S*/(false|true)\b|blacklist\s+af_alg\b|alias\s+net-pf-38\s+off\b)", re.MULTILINE
)


def _optional(files: FileSystem, path: str) -> str | None:
    """Return a file's text, None where this kernel or host has no such file; other errors are raised."""
    try:
        return files.read_text(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def sysctls(files: FileSystem) -> dict[str, int | None]:
    """Return each of SYSCTLS as a number."""
    values: dict[str, int | None] = {}
    for name in SYSCTLS:
        text = (_optional(files, "/proc/sys/" + name.replace(".", "/")) or "").strip()
        values[name] = int(text) if re.fullmatch(r"-?\d+", text) else None
    return values


def release(files: FileSystem) -> str:
    """Return the running kernel's release."""
    return files.read_text("/proc/sys/kernel/osrelease").strip()


def security_modules(files: FileSystem) -> list[str]:
    """Return the active Linux security modules, in order; none where securityfs is not mounted."""
    return [name for name in (_optional(files, "/sys/kernel/security/lsm") or "").strip().split(",") if name]


def selinux_mode(files: FileSystem) -> str:
    """Return enforcing, permissive or disabled."""
    return {"1": "enforcing", "0": "permissive"}.get(
        (_optional(files, "/sys/fs/selinux/enforce") or "").strip(), "disabled"
    )


def lockdown(files: FileSystem) -> str | None:
    """Return none, integrity or confidentiality; None for a kernel without lockdown."""
    found = re.search(r"\[(\w+)\]", _optional(files, "/sys/kernel/security/lockdown") or "")
    return found.group(1) if found else None


def mitigations_off(files: FileSystem) -> bool:
    """Tell whether the kernel was started without the mitigations of CPU vulnerabilities."""
    return "mitigations=off" in files.read_text("/proc/cmdline").split()


def af_alg(files: FileSystem) -> str:
    """Tell how near the kernel's crypto sockets are: active, loadable (on a container's request) or unavailable."""
    protocols = _optional(files, "/proc/net/protocols") or ""
    if any(line.startswith("ALG ") for line in protocols.splitlines()):
        return "active"
    directory = posixpath.join("/lib/modules", release(files), "kernel/crypto")
    try:
        present = any(name.startswith("af_alg.ko") for name in files.listdir(directory))
    except FileNotFoundError:
        present = False
    closed = (_optional(files, "/proc/sys/kernel/modules_disabled") or "").strip() == "1"
    return "loadable" if present and not closed and not _af_alg_blocked(files) else "unavailable"


def _af_alg_blocked(files: FileSystem) -> bool:
    for directory in _MODPROBE_DIRECTORIES:
        try:
            names = files.listdir(directory)
        except FileNotFoundError:
            continue
        for name in names:
            text = _optional(files, posixpath.join(directory, name)) if name.endswith(".conf") else None
            if text and _AF_ALG_BLOCKED.search(text):
                return True
    return False


def cgroup_version(files: FileSystem) -> int:
    """Return 2 where /sys/fs/cgroup is the unified hierarchy, else 1."""
    return 2 if _optional(files, "/sys/fs/cgroup/cgroup.controllers") is not None else 1


READERS: Mapping[str, Callable[[FileSystem], Any]] = {
    "kernel": release,
    "grsecurity": lambda files: "grsec" in release(files),
    "sysctls": sysctls,
    "security_modules": security_modules,
    "selinux_mode": selinux_mode,
    "lockdown": lockdown,
    "mitigations_off": mitigations_off,
    "af_alg": af_alg,
    "cgroup_version": cgroup_version,
}
