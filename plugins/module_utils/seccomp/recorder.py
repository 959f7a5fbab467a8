# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Records the system calls of a container: the kernel asks a listener about each of them, and it says to go on. Unlike
# the kernel's log nothing is lost by a rate limit, and unlike strace nothing has to be installed.
# Sources: seccomp_unotify(2), OCI runtime specification, config-linux.md, "Seccomp" (listenerPath).

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import select
import socket
import struct
import threading
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import syscalls
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import Profile, document

#: struct seccomp_notif: id, pid, flags, and struct seccomp_data: number, architecture, instruction, six arguments.
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
#: struct seccomp_notif_resp: id, value, error, flags.
_RESPONSE = struct.Struct("=QqiI")
_GO_ON = 1
_RECEIVE = 3 << 30 | _NOTIFICATION.size << 16 | ord("!") << 8
_SEND = 3 << 30 | _RESPONSE.size << 16 | ord("!") << 8 | 1
#: AUDIT_ARCH_* of linux/audit.h by what uname(1) calls the machine.
_AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000
_POLL_MILLISECONDS = 200
#: Runtimes hand over the listener by `write`, and make the others whenever a signal, memory or a lock of their own
#: wants it: until the listener has been handed over, nobody would answer. Every profile has them.
_NEVER_ASKED = ("futex", "madvise", "mmap", "munmap", "rt_sigreturn", "sched_yield", "write")


def asking(base: Profile, listener: str) -> dict[str, Any]:
    """Return the profile by which the kernel asks the listener at the path about all that `base` allows."""
    content = document(base, allowing="SCMP_ACT_NOTIFY")
    for rule in content["syscalls"]:
        rule["names"] = [name for name in rule["names"] if name not in _NEVER_ASKED]
    content["syscalls"].append({"names": list(_NEVER_ASKED), "action": "SCMP_ACT_ALLOW"})
    return {**content, "listenerPath": listener}


class Recorder:
    """Listens at a socket that runtimes hand their containers' filters to; a context manager."""

    def __init__(self, path: str, machine: str) -> None:
        """Prepare to listen at `path`; InputError for a machine whose system calls are not known."""
        self._path = path
        self._names: Mapping[int, str] = syscalls.numbers(machine)
        self._architecture = _AUDIT_ARCHITECTURES[machine]
        self._calls: dict[str, set[int]] = {name: set() for name in _NEVER_ASKED}
        self._foreign: set[str] = set()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._server = socket.socket(socket.AF_UNIX)

    def __enter__(self) -> Recorder:
        self._server.bind(self._path)
        self._server.listen()
        self._server.settimeout(_POLL_MILLISECONDS / 1000)
        self._start(self._accept)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._server.close()

    def calls(self) -> dict[str, set[int]]:
        """Return the recorded calls with their first arguments; BreakwaterError when some have no name here."""
        if self._foreign:
            raise BreakwaterError(
                f"The workload makes system calls that can't be recorded: {', '.join(sorted(self._foreign))}."
                " Give it a profile by hand, with the engine's own one as base."
            )
        return self._calls

    def _start(self, target: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(socket.timeout):
                connection, _address = self._server.accept()
                with connection:
                    _data, ancillary, _flags, _sender = connection.recvmsg(1 << 16, socket.CMSG_SPACE(4))
                for _level, _kind, content in ancillary:
                    self._start(self._record, array.array("i", content)[0])

    def _record(self, listener: int) -> None:
        """Let the calls go on that one filter asks about, until no process has it any more."""
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        try:
            while not self._stopping.is_set():
                for _handle, event in poll.poll(_POLL_MILLISECONDS):
                    if event & select.POLLHUP:
                        return
                    self._answer(listener)
        finally:
            os.close(listener)

    def _answer(self, listener: int) -> None:
        buffer = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(listener, _RECEIVE, buffer)
            call, _pid, _flags, number, architecture, _instruction, *arguments = _NOTIFICATION.unpack(buffer)
            self._note(number, architecture, arguments[0])
            fcntl.ioctl(listener, _SEND, bytearray(_RESPONSE.pack(call, 0, 0, _GO_ON)))
        except OSError as error:
            # the process was interrupted or killed while it waited
            if error.errno not in (errno.ENOENT, errno.EINTR, errno.EINPROGRESS):
                raise

    def _note(self, number: int, architecture: int, argument: int) -> None:
        if architecture != self._architecture or number & _X32:
            self._foreign.add("those of programs for another architecture than the host's")
        elif number not in self._names:
            self._foreign.add(f"number {number}")
        else:
            self._calls.setdefault(self._names[number], set()).add(argument)
