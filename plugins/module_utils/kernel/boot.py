# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Parameters of the kernel's command line, which GRUB passes at the next boot. Sources: update-grub(8), Debian's
# grub-mkconfig (reads /etc/default/grub.d/*.cfg), kernel-command-line(7).

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import HEADER, exists, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.kernel.sysctls import Skipped
from ansible_collections.breakwater.docker.plugins.module_utils.namespaces import in_container
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

PATH = "/etc/default/grub.d/zz-breakwater.cfg"
GRUB = "/etc/default/grub"
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]+(=[A-Za-z0-9_.,:+@/-]+)?")
#: Seconds for probing all disks for other systems.
_TIMEOUT = 300


class BootPlan(NamedTuple):
    """The drop-in's text (None for no drop-in), parameters that wait for a reboot, and those that GRUB can't pass."""

    text: str | None
    waiting: tuple[str, ...]
    skipped: tuple[Skipped, ...]


def make_plan(parameters: Sequence[str], files: FileSystem) -> BootPlan:
    """Plan the drop-in for `parameters`; InputError for what is none."""
    for parameter in parameters:
        if not _PARAMETER.fullmatch(parameter):
            raise InputError(f"{parameter!r} is no kernel parameter: correct it. Nothing was changed.")
    missing = [parameter for parameter in parameters if parameter not in files.read_text("/proc/cmdline").split()]
    reason = ""
    if in_container(files):
        reason = "this host is a container, which does not boot a kernel"
    elif not exists(files, GRUB):
        reason = "this host does not boot by GRUB; add it to the command line of its boot loader"
    if reason:
        return BootPlan(None, (), tuple(Skipped(parameter, reason) for parameter in missing))
    return BootPlan(drop_in(parameters, HEADER) if parameters else None, tuple(missing), ())


def drop_in(parameters: Sequence[str], header: str) -> str:
    """Return the text of a file by which GRUB passes further parameters."""
    return f'{header}GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {" ".join(parameters)}"\n'


def apply(commands: CommandRunner, path: str = PATH) -> None:
    """Let GRUB use the drop-ins, of which the one at `path` was changed; BreakwaterError when it can't."""
    done = commands.run(("update-grub",), timeout=_TIMEOUT)
    if done.rc != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["it does not say why"]
        raise BreakwaterError(f"update-grub failed after {path} was changed: {reason[0]}. Mend it and run again.")


def hardened_kernel(files: FileSystem) -> str | None:
    """Return the name of the patches of a hardened kernel, None for an ordinary one."""
    release = text_of(files, "/proc/sys/kernel/osrelease")
    if "grsec" in release or exists(files, "/proc/sys/kernel/grsecurity"):
        return "grsecurity"
    return "linux-hardened" if "hardened" in release else None
