# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What SELinux denied Docker's domains since the boot, or would have denied. Sources: auditd's log format, the SELinux
# Notebook (AVC audit events, the SELinux file system).

from __future__ import annotations

import os
import re
from typing import Iterable, Iterator, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import boot_time

_SELINUXFS = "/sys/fs/selinux"
_DIRECTORY = "/var/log/audit"
#: Bytes of each of auditd's files that are read; auditd starts a new one after 8 MiB.
_LIMIT = 64 << 20
#: The permissions are within the first braces: what stands before is of bounded form, so that no text that a program
#: has the kernel record takes time by the square of its length.
_RECORD = re.compile(
    r"^(?:node=\S+ )?type=(?:USER_)?AVC msg=audit\((\d+\.\d+):\d+\):[^{}\n]* denied  \{ ([^{}\n]+) \}"
    r".*? scontext=(\S+) tcontext=(\S+) tclass=(\w+)",
    re.MULTILINE,
)
#: Domains of the engine and its containers, in Debian's policy and in container-selinux.
_DOMAIN = re.compile(r"(docker|container|svirt_lxc|spc_)\w*")


class Denial(NamedTuple):
    """An access that was denied: full contexts of process and object, class, permissions."""

    source: str
    target: str
    object_class: str
    permissions: frozenset[str]


def type_of(context: str) -> str:
    """Return the type in a context; empty for what is none."""
    return "".join(context.split(":")[2:3])


def shown(denial: Denial) -> str:
    """Return the access as a rule of a policy writes it, which is also the form of an accepted one."""
    return f"{type_of(denial.source)} {type_of(denial.target)}:{denial.object_class}"


def since_boot(files: FileSystem, own_types: Iterable[str]) -> list[Denial]:
    """Return what the engine's domains and `own_types` were denied since the boot, as auditd recorded it.

    BreakwaterError where there is no record, without which nothing is known.
    """
    try:
        names = [name for name in files.listdir(_DIRECTORY) if name.startswith("audit.log")]
    except OSError:
        names = []
    if not names:
        raise BreakwaterError(
            f"{_DIRECTORY} has no audit.log, so nobody knows what SELinux would deny: let auditd run, use the"
            " containers for a while, and run again. SELinux stays permissive."
        )
    types, booted = set(own_types), boot_time(files)
    found: dict[Denial, None] = {}
    for name in names:
        for time, permissions, source, target, object_class in _records(files, f"{_DIRECTORY}/{name}"):
            if float(time) >= booted and (_DOMAIN.fullmatch(type_of(source)) or type_of(source) in types):
                denial = Denial(source, target, object_class, frozenset(permissions.split()))
                found[denial] = None
    return list(found)


def _records(files: FileSystem, path: str) -> Iterator[tuple[str, ...]]:
    try:
        yield from _RECORD.findall(files.read_text(path, _LIMIT))
    except FileNotFoundError:
        return  # auditd has just given it another name


class Kernel:
    """Asks the policy in the kernel about an access, below the directory `root`."""

    def __init__(self, files: FileSystem, root: str = "") -> None:
        self._files = files
        self._access = f"{root}{_SELINUXFS}/access"

    def allows(self, denial: Denial) -> bool:
        """Tell whether the policy allows the access by now; one that concerns a type that is gone can't happen."""
        number = self._number(denial.object_class, "index")
        bits = [self._number(denial.object_class, f"perms/{name}") for name in denial.permissions]
        if number is None or None in bits:
            return False
        try:
            handle = os.open(self._access, os.O_RDWR)
        except OSError:
            return False
        try:
            os.write(handle, f"{denial.source} {denial.target} {number}".encode())
            allowed = int(os.read(handle, 4096).split()[0], 16)
        except OSError:
            return True  # the kernel does not know one of the types any more
        finally:
            os.close(handle)
        return all(allowed >> (bit - 1) & 1 for bit in bits if bit is not None)

    def _number(self, object_class: str, name: str) -> int | None:
        text = text_of(self._files, f"{_SELINUXFS}/class/{object_class}/{name}").strip()
        return int(text) if text.isdigit() else None
