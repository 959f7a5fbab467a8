# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Profiles to start from, each of which allows what the one before it does and more, and sets of capabilities.
# They list what programs need, so that what they lack needs no mention here: io_uring, keyctl and add_key, bpf,
# perf_event_open, userfaultfd, ptrace and process_vm_*, unshare, setns, mount and its kin, modules, kexec, reboot,
# clocks, quotas, swap, nfsservctl, handles (open_by_handle_at), personality, memfd_create and
# execveat (programs without a file), packet sockets, AF_ALG, AF_VSOCK.
# Sources: syscalls(2), capabilities(7), and docs.docker.com/engine/containers/run for Docker's set of capabilities.

from __future__ import annotations

from typing import Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import confinement
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import conditions, syscalls
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.conditions import ALWAYS, Conjunction
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import Delta, Profile, changed

#: The runtime installs the filter and then still becomes the container's user, drops capabilities, closes files and
#: executes the program. No program can take a signal or end without the last but one line, and those of the last one
#: are calls only where the clock of the machine can't be read without them, so a recording elsewhere misses them.
_RUNTIME = """
    capget capset prctl setgid setgroups setuid setresgid setresuid getuid getgid geteuid getegid getpid getppid gettid
    chdir fchdir getcwd fchown fstat fstatfs newfstatat stat statx openat openat2 open close close_range fcntl
    getdents64 read write readlinkat readlink faccessat faccessat2 access epoll_create1 epoll_ctl epoll_pwait
    epoll_wait eventfd2 pipe2 futex mmap munmap mprotect madvise brk nanosleep sched_yield sched_getaffinity getrandom
    rseq set_tid_address set_robust_list arch_prctl sigaltstack rt_sigaction rt_sigprocmask prlimit64 clone_threads
    execve
    rt_sigreturn restart_syscall exit exit_group kill tkill tgkill
    clock_gettime clock_getres gettimeofday time getcpu
"""
#: A program that computes, reads and writes files that are there, and has threads and children.
_MINIMAL = """
    vfork fork wait4 waitid getpgid getpgrp setpgid getsid setsid getresuid getresgid getgroups
    lseek pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 lstat statfs umask dup dup2 dup3 pipe
    ioctl flock fadvise64 readahead poll ppoll select pselect6 eventfd epoll_create epoll_pwait2 mremap msync mincore
    mlock mlock2 munlock membarrier get_robust_list pause clock_nanosleep times alarm getitimer
    setitimer timer_create timer_delete timer_getoverrun timer_gettime timer_settime
    timerfd_create timerfd_gettime timerfd_settime signalfd4 signalfd rt_sigpending rt_sigsuspend rt_sigtimedwait
    uname sysinfo getrlimit setrlimit getrusage getpriority sched_getparam sched_getscheduler sched_get_priority_max
    sched_get_priority_min sched_setaffinity futex_waitv copy_file_range sendfile splice tee
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
"""
#: A worker keeps files of its own, locks memory and sends messages to its own kind, and calls other services.
_WORKER = """
    creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat chmod fchmod
    fchmodat fchmodat2 chown fchownat lchown truncate ftruncate fallocate fsync fdatasync sync_file_range sync syncfs
    utime utimes utimensat futimesat mknod mknodat getdents inotify_init inotify_init1 inotify_add_watch
    inotify_rm_watch setpriority mlockall munlockall
    shmget shmat shmdt shmctl semget semop semtimedop semctl msgget msgsnd msgrcv msgctl
    socket_families socketpair_families connect bind getsockname getpeername getsockopt setsockopt shutdown
    sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg
"""
#: A server also listens, and its master process gives up root for its workers.
_WEB = "listen accept accept4 setregid setreuid setfsuid setfsgid"

#: Clone only without any new namespace: a user namespace of one's own opens most of the kernel to a container's user.
#: clone3, whose flags no filter can see, does not exist for these profiles, and programs fall back on clone.
_NAMESPACES = sum(value for name, value in syscalls.CONSTANTS.items() if name.startswith("CLONE_NEW"))
#: CLONE_NEWTIME is the lowest bits of clone's exit signal, not a flag of it.
_CLONE_FLAGS = _NAMESPACES & ~syscalls.CONSTANTS["CLONE_NEWTIME"]
_NO_NAMESPACE: Conjunction = ((0, conditions.compare(conditions.MASKED, _CLONE_FLAGS, 0)),)
#: Families by name and no others, so that those which the kernel will learn are refused as well.
_FAMILIES = tuple(
    ((0, conditions.compare("SCMP_CMP_EQ", syscalls.CONSTANTS[name])),)
    for name in ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK")
)
#: Words of the lists above that stand for a call under conditions.
_CONDITIONAL: Mapping[str, tuple[str, tuple[Conjunction, ...]]] = {
    "clone_threads": ("clone", (_NO_NAMESPACE,)),
    "socket_families": ("socket", _FAMILIES),
    "socketpair_families": ("socketpair", _FAMILIES[:1]),
}
_PRESETS: Mapping[str, str] = {
    "runtime": _RUNTIME,
    "minimal": _RUNTIME + _MINIMAL,
    "worker": _RUNTIME + _MINIMAL + _WORKER,
    "web": _RUNTIME + _MINIMAL + _WORKER + _WEB,
}
NAMES = tuple(_PRESETS)

#: Capabilities that a container keeps, to be named in lower case where capabilities are listed.
CAPABILITIES: Mapping[str, tuple[str, ...]] = {
    "none": (),
    # ports below 1024, and nothing else; since 20.10 Docker lets programs bind them without it in most networks
    "web": ("NET_BIND_SERVICE",),
    # a master process that is started as root and gives it up, as nginx, Apache, Postfix do
    "give_up_root": ("CHOWN", "DAC_OVERRIDE", "NET_BIND_SERVICE", "SETGID", "SETUID"),
    "docker": tuple(sorted(confinement.DEFAULT_CAPABILITIES)),
}


def capabilities(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the capabilities that names of sets and of capabilities stand for; InputError for an unknown one."""
    found: set[str] = set()
    for name in names:
        [known] = confinement.capability_names([name])
        if name in CAPABILITIES:
            found.update(CAPABILITIES[name])
        elif known in confinement.CAPABILITIES:
            found.add(known)
        else:
            raise InputError(
                f"{where} names {name!r}, which is neither a capability nor one of the sets {', '.join(CAPABILITIES)}:"
                " capabilities(7) lists them. Nothing was changed."
            )
    return tuple(sorted(found))


def preset(name: str, architecture: str) -> Profile:
    """Return one of NAMES for the native programs of an architecture.

    32-bit programs don't run under it: they could make sockets of any family by a call whose arguments no filter sees.
    """
    allow: list[tuple[str, Conjunction]] = []
    for word in _PRESETS[name].split():
        call, alternatives = _CONDITIONAL.get(word, (word, (ALWAYS,)))
        allow.extend((call, alternative) for alternative in alternatives)
    return changed(Profile((architecture,)), Delta(tuple(allow)))
