# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Parameters of the kernel's command line, which GRUB passes at the next boot. Sources: update-grub(8), Debian's
# grub-mkconfig (reads /etc/default/grub.d/*.cfg), kernel-command-line(7).

from __future__ import annotations

import contextlib
import re
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import HEADER, exists, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.kernel.sysctls import Skipped
from ansible_collections.breakwater.docker.plugins.module_utils.namespaces import in_container
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import boot_time

PATH = "/etc/default/grub.d/zz-breakwater.cfg"
GRUB = "/etc/default/grub"
#: Debian's, and with it comes the directory of drop-ins.
UPDATE = "/usr/sbin/update-grub"
#: By which the next boot goes.
GENERATED = "/boot/grub/grub.cfg"
_DROP_IN = re.compile(r'GRUB_CMDLINE_LINUX="\$GRUB_CMDLINE_LINUX (.*)"')
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]+(=[A-Za-z0-9_.,:+@/-]+)?")
#: Seconds for probing all disks for other systems.
_TIMEOUT = 300


class BootPlan(NamedTuple):
    """The drop-in's text (None for no drop-in), parameters that wait for a reboot, and those that don't arrive by one.

    GRUB `lacks` some until it is told the drop-in.
    """

    text: str | None
    waiting: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    lacks: tuple[str, ...] = ()


def make_plan(parameters: Sequence[str], files: FileSystem) -> BootPlan:
    """Plan the drop-in for `parameters`; InputError for what is none."""
    for parameter in parameters:
        if not _PARAMETER.fullmatch(parameter):
            raise InputError(f"{parameter!r} is no kernel parameter: correct it. Nothing was changed.")
    missing = [parameter for parameter in parameters if parameter not in files.read_text("/proc/cmdline").split()]
    reason = obstacle(files)
    if reason:
        return BootPlan(None, skipped=tuple(Skipped(parameter, reason) for parameter in missing))
    text = drop_in(parameters, HEADER) if parameters else None
    gone = lost(PATH, text, files)
    lost_reason = f"the last boot was without it, though {GENERATED} has it"
    skipped = tuple(Skipped(parameter, lost_reason) for parameter in gone)
    waiting = tuple(parameter for parameter in missing if parameter not in gone)
    return BootPlan(text, waiting, skipped, tuple(lacking(text, files)))


def obstacle(files: FileSystem) -> str:
    """Say why this host's parameters can't be set by a drop-in of GRUB; empty where they can."""
    if in_container(files):
        return "this host is a container, which does not boot a kernel"
    if not exists(files, GRUB) or not exists(files, UPDATE):
        return "this host does not boot by GRUB with update-grub; add it to the command line of its boot loader"
    return ""


def lacking(text: str | None, files: FileSystem) -> list[str]:
    """Return those of a drop-in's parameters that GRUB does not pass at the next boot, not having been told of them."""
    lines = [line.split() for line in text_of(files, GENERATED).splitlines() if line.lstrip().startswith("linux")]
    passed = {word for words in lines for word in words}
    return [parameter for parameter in _parameters(text) if parameter not in passed]


def drop_in(parameters: Sequence[str], header: str) -> str:
    """Return the text of a file by which GRUB passes further parameters."""
    return f'{header}GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX {" ".join(parameters)}"\n'


def apply(path: str, text: str | None, files: FileSystem, commands: CommandRunner, root: str = "") -> None:
    """Write the drop-in, or remove it, and tell GRUB; BreakwaterError, with the former drop-in back, when that fails.

    `root` is where it is written.
    """
    file = ConfigFile(root + path)
    former = file.read()
    file.put(text)
    refusal = "" if obstacle(files) else _update(text, files, commands)
    if refusal:
        file.put(former)
        raise BreakwaterError(f"update-grub failed: {refusal}. {path} is as before: mend it and run again.")


def lost(path: str, text: str | None, files: FileSystem) -> list[str]:
    """Return those that a boot since GRUB was told of the drop-in was without, so that another boot would be, too."""
    if text is None or text != text_of(files, path) or not _booted(files):
        return []
    present = [*lacking(text, files), *files.read_text("/proc/cmdline").split()]
    return [parameter for parameter in _parameters(text) if parameter not in present]


def _parameters(text: str | None) -> list[str]:
    found = _DROP_IN.search(text or "")
    return found[1].split() if found else []


def _update(text: str | None, files: FileSystem, commands: CommandRunner) -> str:
    """Let GRUB make its configuration anew and return what is wrong with it."""
    done = commands.run(("update-grub",), timeout=_TIMEOUT)
    if done.rc != 0:
        return (done.stderr.strip().splitlines()[-1:] or ["it does not say why"])[0].rstrip(".")
    without = " ".join(lacking(text, files))
    return f"{GENERATED} is without {without}, so look for what else sets GRUB_CMDLINE_LINUX" if without else ""


def _booted(files: FileSystem) -> bool:
    """Tell whether the host has booted since GRUB's configuration was made."""
    with contextlib.suppress(OSError):
        return files.stat(GENERATED).st_mtime < boot_time(files)
    return False


def hardened_kernel(files: FileSystem) -> str | None:
    """Return the name of the patches of a hardened kernel, None for an ordinary one."""
    release = text_of(files, "/proc/sys/kernel/osrelease")
    if "grsec" in release or exists(files, "/proc/sys/kernel/grsecurity"):
        return "grsecurity"
    return "linux-hardened" if "hardened" in release else None
