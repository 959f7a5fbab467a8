# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Attempts to get out of a container and at the kernel: threats T1, T2, T3 and T5. None goes further than its first
# step: files are opened and not written, calls get arguments that can't do anything, mounts are the container's own.
# Sources: the manual page of each call, section 2; capabilities(7); the kernel's headers for the numbers.

from __future__ import annotations

import errno
import struct
from typing import Callable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.evidence.confinement import (
    CAPABILITIES,
    DANGEROUS_CAPABILITIES,
)
from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program, Word
from ansible_collections.breakwater.docker.plugins.module_utils.probe.model import (
    Observation,
    Probe,
    Surroundings,
    succeeds,
)
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.syscalls import CONSTANTS

AT_FDCWD = -100
O_RDONLY, O_WRONLY, O_NONBLOCK = 0, 1, 0o4000
_S_IFBLK = 0o060000
_MOUNT_FLAGS = 1 | 2 | 4 | 8  # read-only, nosuid, nodev, noexec
_SYSLOG_READ_ALL = 3
_KEY_SPEC_SESSION_KEYRING = -3
_UFFD_USER_MODE_ONLY = 1
_PTRACE_SEIZE = 0x4206
_PR_SET_DUMPABLE = 4
_CAPABILITY_VERSION_3 = 0x20080522
_ETH_P_ALL = 0x0300
_SOCK_STREAM, _SOCK_RAW, _SOCK_SEQPACKET = 1, 3, 5

#: The file that is there when the kernel has such sockets; asking for others would load a module into it.
SOCKET_FILES = {
    "vsock": "/sys/module/vsock",
    "crypto_socket": "/sys/module/af_alg",
    "raw_socket": "/proc/net/packet",
}

Attempt = Callable[[Program, Surroundings], None]


def opens(name: str, path: str, flags: int) -> Attempt:
    """Return an attempt to open a file."""
    return calls(name, "openat", AT_FDCWD, path, flags, 0)


def calls(name: str, call: str, *arguments: int | str | bytes) -> Attempt:
    """Return an attempt at one system call."""

    def attempt(program: Program, _around: Surroundings) -> None:
        program.call(call, *arguments, tell=name)

    return attempt


def _shocker(program: Program, _around: Surroundings) -> None:
    handle = program.data(struct.pack("<Ii", 128, 0) + bytes(128))
    on_host = program.call("openat", AT_FDCWD, "/etc/hostname", O_RDONLY, 0)
    program.call("name_to_handle_at", AT_FDCWD, "/etc/hostname", handle, program.data(bytes(4)), 0)
    program.call("open_by_handle_at", on_host, handle, O_RDONLY, tell="shocker")


def _host_device(program: Program, around: Surroundings) -> None:
    major, minor = around.device
    number = (minor & 0xFF) | major << 8 | (minor & ~0xFF) << 12
    program.call("mknodat", AT_FDCWD, "/dev/breakwater", _S_IFBLK | 0o600, number)
    program.call("openat", AT_FDCWD, "/dev/breakwater", O_RDONLY | O_NONBLOCK, 0, tell="host_device")


def _control_group(program: Program, around: Surroundings) -> None:
    program.call("mount", "cgroup", "/cgroup", "cgroup", 0, around.controller, tell="control_group")


def _kernel_memory(program: Program, _around: Surroundings) -> None:
    # a masked file can be opened, since it is /dev/null then, and has nothing to read
    file = program.call("openat", AT_FDCWD, "/proc/kcore", O_RDONLY, 0, tell="kernel_memory.open")
    program.call("read", file, program.data(bytes(8)), 8, tell="kernel_memory")


def _judge_kernel_memory(told: Mapping[str, int]) -> Observation:
    if told.get("kernel_memory.open", 0) < 0:
        return succeeds("kernel_memory.open", "")(told)
    if told.get("kernel_memory") == 0:
        return Observation(False, "/proc/kcore is masked")
    return succeeds("kernel_memory", "it reads the kernel's memory")(told)


def _user_namespace(program: Program, _around: Surroundings) -> None:
    with program.child():
        program.call("unshare", CONSTANTS["CLONE_NEWUSER"], tell="user_namespace")


def _join_namespace(program: Program, _around: Surroundings) -> None:
    own = program.call("openat", AT_FDCWD, "/proc/self/ns/uts", O_RDONLY, 0)
    program.call("setns", own, CONSTANTS["CLONE_NEWUTS"], tell="join_namespace")


def _trace_process(program: Program, _around: Surroundings) -> None:
    # its parent has said, as agents that hold keys do, that nobody is to look into it; whoever traces it ends at once
    program.call("prctl", _PR_SET_DUMPABLE, 0)
    with program.child():
        parent = program.call("getppid")
        program.call("ptrace", _PTRACE_SEIZE, parent, 0, 0, tell="trace_process")
    program.call("prctl", _PR_SET_DUMPABLE, 1)


def _perf(program: Program, _around: Surroundings) -> None:
    # perf_event_attr: type software, 64 bytes long, the CPU's clock, disabled, neither kernel nor hypervisor
    attributes = struct.pack("<IIQQQQQ", 1, 64, 0, 0, 0, 0, 1 | 1 << 5 | 1 << 6).ljust(64, b"\0")
    program.call("perf_event_open", attributes, 0, -1, -1, 0, tell="perf_event")


def _capability_set(program: Program, _around: Surroundings) -> None:
    sets = program.data(bytes(24))
    program.call("capget", struct.pack("<Ii", _CAPABILITY_VERSION_3, 0), sets)
    program.tell("capability_set.low", Word(sets))
    program.tell("capability_set.high", Word(sets + 12))


def _judge_capability_set(told: Mapping[str, int]) -> Observation:
    try:
        low, high = (told[f"capability_set.{half}"] & 0xFFFFFFFF for half in ("low", "high"))
    except KeyError:
        return Observation(None, "it did not get so far")
    effective = {name for bit, name in enumerate(CAPABILITIES) if (low | high << 32) >> bit & 1}
    grave = sorted(effective & DANGEROUS_CAPABILITIES)
    if grave:
        return Observation(True, f"the process has {len(effective)} capabilities, {', '.join(grave)} among them")
    return Observation(False, f"the process has {len(effective)} capabilities, none that leads to the host")


def _capability_raise(program: Program, _around: Surroundings) -> None:
    wanted = 1 << CAPABILITIES.index("SYS_ADMIN")
    with program.child():
        header = struct.pack("<Ii", _CAPABILITY_VERSION_3, 0)
        program.call("capset", header, struct.pack("<6I", wanted, wanted, 0, 0, 0, 0), tell="capability_raise")


PROBES = (
    Probe(
        *("shocker", "Open a file of the host by its handle (Shocker)", ("T1",), _shocker),
        succeeds("shocker", "it opens a file of the host's file system by its handle"),
    ),
    Probe(
        *("host_device", "Open a block device of the host", ("T1", "T5"), _host_device),
        succeeds("host_device", "it opens a disk of the host", errno.ENXIO, errno.ENODEV, errno.EBUSY),
    ),
    Probe(
        *("mount", "Mount a file system", ("T1", "T2")),
        calls("mount", "mount", "breakwater", "/mnt", "tmpfs", _MOUNT_FLAGS, 0),
        succeeds("mount", "it mounts a file system"),
    ),
    Probe(
        *("control_group", "Mount the control groups (release_agent)", ("T1", "T2"), _control_group),
        succeeds("control_group", "it mounts control groups of version 1, whose release_agent runs programs of root"),
    ),
    Probe(
        *("core_pattern", "Write to /proc/sys/kernel/core_pattern", ("T1", "T5")),
        opens("core_pattern", "/proc/sys/kernel/core_pattern", O_WRONLY),
        succeeds("core_pattern", "it opens core_pattern for writing, and could run programs as the host's root"),
    ),
    Probe(
        *("user_namespace", "Make a user namespace", ("T2",), _user_namespace),
        succeeds("user_namespace", "it makes a user namespace, in which it has all capabilities"),
    ),
    Probe(
        *("join_namespace", "Join a namespace", ("T2",), _join_namespace),
        succeeds("join_namespace", "it joins a namespace"),
    ),
    Probe(
        *("trace_process", "Trace a process that guards itself (ptrace)", ("T2",), _trace_process),
        succeeds("trace_process", "it traces a process that guards itself, and reads its memory"),
    ),
    Probe(
        *("keyring", "Use the kernel's keyrings", ("T2",)),
        calls("keyring", "keyctl", 0, _KEY_SPEC_SESSION_KEYRING, 0),
        succeeds("keyring", "it uses keyrings, which have no namespace", errno.ENOKEY),
    ),
    Probe(
        *("bpf", "Load a BPF map", ("T2",), calls("bpf", "bpf", 0, 0, 0)),
        succeeds("bpf", "it uses BPF", errno.EINVAL, errno.EFAULT),
    ),
    Probe(
        *("perf_event", "Measure by perf events", ("T2",), _perf),
        succeeds("perf_event", "it opens a perf event"),
    ),
    Probe(
        *("userfaultfd", "Handle page faults (userfaultfd)", ("T2",)),
        calls("userfaultfd", "userfaultfd", _UFFD_USER_MODE_ONLY),
        succeeds("userfaultfd", "it uses userfaultfd", errno.EINVAL),
    ),
    Probe(
        *("io_uring", "Set io_uring up", ("T2",), calls("io_uring", "io_uring_setup", 1, 0)),
        succeeds("io_uring", "it uses io_uring", errno.EFAULT, errno.EINVAL),
    ),
    Probe(
        *("vsock", "Talk to the hypervisor (AF_VSOCK)", ("T2",)),
        calls("vsock", "socket", CONSTANTS["AF_VSOCK"], _SOCK_STREAM, 0),
        succeeds("vsock", "it has a socket to the hypervisor"),
    ),
    Probe(
        *("crypto_socket", "Use the kernel's cryptography (AF_ALG)", ("T2",)),
        calls("crypto_socket", "socket", CONSTANTS["AF_ALG"], _SOCK_SEQPACKET, 0),
        succeeds("crypto_socket", "it has a socket to the kernel's cryptography"),
    ),
    Probe(
        *("capability_set", "Hold capabilities that lead to the host", ("T3",), _capability_set),
        _judge_capability_set,
    ),
    Probe(
        *("capability_raise", "Take the capability SYS_ADMIN", ("T3",), _capability_raise),
        succeeds("capability_raise", "it takes SYS_ADMIN, by which the others can be had"),
    ),
    Probe(
        *("raw_socket", "Send and read raw packets (AF_PACKET)", ("T3", "T6")),
        calls("raw_socket", "socket", CONSTANTS["AF_PACKET"], _SOCK_RAW, _ETH_P_ALL),
        succeeds("raw_socket", "it has a raw socket, and could answer for its neighbours"),
    ),
    Probe(
        *("sysrq", "Write to /proc/sysrq-trigger", ("T5",), opens("sysrq", "/proc/sysrq-trigger", O_WRONLY)),
        succeeds("sysrq", "it opens sysrq-trigger for writing, and could restart the host"),
    ),
    Probe(
        *("kernel_memory", "Read the kernel's memory", ("T5",), _kernel_memory),
        _judge_kernel_memory,
    ),
    Probe(
        *("kernel_module", "Load a kernel module", ("T5",), calls("kernel_module", "finit_module", -1, "", 0)),
        succeeds("kernel_module", "it may load modules", errno.EBADF, errno.EINVAL),
    ),
    Probe(
        *("kernel_log", "Read the kernel's log", ("T5",), calls("kernel_log", "syslog", _SYSLOG_READ_ALL, 0, 0)),
        succeeds("kernel_log", "it may read the kernel's log", errno.EINVAL),
    ),
)
