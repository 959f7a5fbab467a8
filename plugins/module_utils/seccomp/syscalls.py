# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Names of system calls and of the constants that filters compare arguments with.
# Sources: syscalls(2), address_families(7), clone(2), and the kernel's headers for the numbers.

from __future__ import annotations

import difflib
from typing import Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.syscall_tables import COMPAT, NATIVE

ENOSYS = 38
EPERM = 1
#: What the filter calls a machine, by what uname(1) does.
ARCHITECTURES: Mapping[str, str] = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}
#: C libraries fall back on an older call when these don't exist (ENOSYS); an EPERM they hand on to the program.
WITH_FALLBACK = ("clone3", "close_range", "epoll_pwait2", "faccessat2", "fchmodat2", "openat2", "statx")
#: Calls that 32-bit programs can also reach through one whose arguments, being in memory, no filter sees.
_MULTIPLEXED = {
    "socketcall": (
        "accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmsg send"
        " sendmmsg sendmsg sendto setsockopt shutdown socket socketpair"
    ),
    "ipc": "msgctl msgget msgrcv msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget",
}
#: Arguments of which the kernel looks at the lower 32 bits only, and the greatest value that means anything. A filter
#: sees 64 bits: without this bound, `not 38` would let through 38 with any bit above.
BOUNDED_ARGUMENTS: Mapping[tuple[str, int], int] = {("socket", 0): 63, ("socketpair", 0): 63}
CONSTANTS: Mapping[str, int] = {
    "AF_UNIX": 1,
    "AF_INET": 2,
    "AF_INET6": 10,
    "AF_NETLINK": 16,
    "AF_PACKET": 17,
    "AF_ALG": 38,
    "AF_VSOCK": 40,
    "AF_XDP": 44,
    "CLONE_NEWTIME": 0x80,
    "CLONE_NEWNS": 0x20000,
    "CLONE_NEWCGROUP": 0x2000000,
    "CLONE_NEWUTS": 0x4000000,
    "CLONE_NEWIPC": 0x8000000,
    "CLONE_NEWUSER": 0x10000000,
    "CLONE_NEWPID": 0x20000000,
    "CLONE_NEWNET": 0x40000000,
}


def numbers(machine: str) -> dict[int, str]:
    """Return the names of a machine's system calls by number; InputError for one that there is no table of."""
    if machine not in NATIVE:
        raise InputError(f"There is no table of the system calls of {machine}: only {', '.join(NATIVE)} are supported.")
    table: dict[int, str] = {}
    number = 0
    for word in NATIVE[machine].split():
        if word.isdigit():
            number = int(word)
        else:
            table[number] = word
            number += 1
    return table


def require_known(names: Sequence[str], where: str) -> None:
    """Raise InputError for a name that no supported machine knows; `where` is what the message calls their place."""
    known = {name for machine in NATIVE for name in numbers(machine).values()} | set(COMPAT.split())
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 1)
            hint = f"did you mean {near[0]}?" if near else "syscalls(2) lists them."
            raise InputError(f"{where} names {name!r}, which is no system call: {hint} Nothing was changed.")


def ways_around(name: str) -> list[str]:
    """Return the calls that have to go as well when `name` is refused, since it can be reached through them."""
    return [multiplexer for multiplexer, names in _MULTIPLEXED.items() if name in names.split()]


def constant(text: str, where: str) -> int:
    """Return the number in `text`: decimal, 0x…, or a constant's name; InputError when it is none of 64 bits."""
    try:
        value = CONSTANTS[text] if text in CONSTANTS else int(text, 0)
    except ValueError:
        value = -1
    if not 0 <= value < 1 << 64:
        raise InputError(
            f"{where} compares with {text!r}: write a number from 0 to 2^64-1 or one of {', '.join(CONSTANTS)}."
        )
    return value
