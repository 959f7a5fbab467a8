# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A host's SELinux: whether the kernel has it, its mode now and at the next boot, and the way from one to another.
# Sources: selinux(8), selinux_config(5), kernel-command-line(7), selinux-autorelabel of policycoreutils.

from __future__ import annotations

import re
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.kernel import selinux_mode
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.kernel import boot
from ansible_collections.breakwater.docker.plugins.module_utils.namespaces import in_container
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.denials import (
    Denial,
    Kernel,
    shown,
    since_boot,
    type_of,
)

ENFORCING, PERMISSIVE, DISABLED = "enforcing", "permissive", "disabled"
CONFIG = "/etc/selinux/config"
#: Labels all file systems at the boot that finds it, and boots again.
RELABEL = "/.autorelabel"
_RELABEL_ALL = "-F\n"
DROP_IN = "/etc/default/grub.d/zz-breakwater-selinux.cfg"
HEADER = "# Written by the role breakwater.docker.docker_selinux, which overwrites changes.\n"
_ENFORCE = "/sys/fs/selinux/enforce"
_PARAMETERS = ("security=selinux", "selinux=1")
_MODE = re.compile(r"^SELINUX=.*$", re.MULTILINE)


class Plan(NamedTuple):
    """Texts of files by path (None to remove one), the kernel's mode from now on, and whether a boot is outstanding."""

    texts: dict[str, str | None]
    mode: str
    reboot: bool


def obstacle(files: FileSystem) -> str:
    """Say why this host can't have SELinux; empty where it can."""
    if in_container(files):
        return "This host is a container, whose kernel is another host's: SELinux is set up there."
    if exists(files, _ENFORCE):
        return ""
    release = text_of(files, "/proc/sys/kernel/osrelease").strip()
    if "CONFIG_SECURITY_SELINUX=y" in text_of(files, f"/boot/config-{release}"):
        return ""
    modules = text_of(files, "/sys/kernel/security/lsm").strip() or "none that it tells of"
    return f"The kernel {release} has no SELinux; its security modules are {modules}."


def uptime(files: FileSystem) -> float:
    """Return for how many seconds the kernel has been up."""
    return float(text_of(files, "/proc/uptime").partition(" ")[0] or 0)


def make_plan(state: str, files: FileSystem) -> Plan:
    """Plan the way to `state`, of which a boot may be a part; InputError where the kernel's parameters contradict it.

    A kernel without SELinux becomes permissive first, whatever is wanted, and labels the file systems.
    """
    kernel, parameters = selinux_mode(files), text_of(files, "/proc/cmdline").split()
    if state == DISABLED:
        texts: dict[str, str | None] = {CONFIG: _config(files, DISABLED), DROP_IN: None}
        if text_of(files, RELABEL) == _RELABEL_ALL:  # Debian makes an empty one at each boot without SELinux
            texts[RELABEL] = None
        return Plan(texts, DISABLED if kernel == DISABLED else PERMISSIVE, kernel != DISABLED)
    if kernel != DISABLED:
        unlabelled = type_of(text_of(files, "/proc/1/attr/current")) in ("kernel_t", "")
        texts = {CONFIG: _config(files, PERMISSIVE if unlabelled else state)}
        if unlabelled:
            return Plan({**texts, RELABEL: _RELABEL_ALL}, PERMISSIVE, True)
        return Plan(texts, state, False)
    choice = [item for item in parameters if item == "selinux=0" or (item.startswith("lsm=") and "selinux" not in item)]
    if choice:
        raise InputError(
            f"The kernel was booted with {choice[0]}, which leaves no SELinux: take it out of the boot loader's"
            " configuration and boot. Nothing was changed."
        )
    texts = {CONFIG: _config(files, PERMISSIVE), RELABEL: _RELABEL_ALL}
    if "selinux" not in text_of(files, "/sys/kernel/security/lsm") or exists(files, DROP_IN):
        if boot.obstacle(files):
            raise InputError(
                f"This host does not boot by GRUB with update-grub: add {' '.join(_PARAMETERS)} to the command line of"
                " its boot loader, and boot. Nothing was changed."
            )
        texts[DROP_IN] = boot.drop_in(_PARAMETERS, HEADER)
        lost = boot.lost(DROP_IN, texts[DROP_IN], files)
        if lost:
            raise InputError(
                f"The last boot was without {' '.join(lost)}, though {boot.GENERATED} has it: see to what boots this"
                " host. Nothing was changed."
            )
    return Plan(texts, PERMISSIVE, True)


def _config(files: FileSystem, mode: str) -> str | None:
    """Return the configuration with this mode; None where there is none to be disabled."""
    text = text_of(files, CONFIG)
    if _MODE.search(text):
        return _MODE.sub(f"SELINUX={mode}", text)
    if not text and mode == DISABLED:
        return None
    return f"{text}SELINUX={mode}\n" + ("" if "SELINUXTYPE=" in text else "SELINUXTYPE=default\n")


def refused(files: FileSystem, kernel: Kernel, own_types: Sequence[str], accepted: Sequence[str]) -> list[str]:
    """Return, as rules of a policy, what Docker's domains were denied since the boot and would be denied again."""
    permissions: dict[str, set[str]] = {}
    denials: list[Denial] = since_boot(files, own_types)
    for denial in denials:
        if shown(denial) not in accepted and not kernel.allows(denial):
            permissions.setdefault(shown(denial), set()).update(denial.permissions)
    return [f"{access} {{ {' '.join(sorted(names))} }}" for access, names in sorted(permissions.items())]


def apply(plan: Plan, files: FileSystem, commands: CommandRunner, root: str = "") -> None:
    """Write the files, let GRUB know, and set the kernel's mode; BreakwaterError when one of them refuses."""
    changed = changes(plan, files)
    for path, text in changed.items():
        if path != DROP_IN:
            ConfigFile(root + path).put(text)
    if DROP_IN in changed:  # at last, since a boot with SELinux must not be before that mode and labels are prepared
        boot.apply(DROP_IN, changed[DROP_IN], files, commands, root)
    kernel = selinux_mode(files)
    if kernel not in (DISABLED, plan.mode):
        try:
            with open(root + _ENFORCE, "w", encoding="ascii") as stream:
                stream.write("1" if plan.mode == ENFORCING else "0")
        except OSError as error:
            raise BreakwaterError(
                f"The kernel does not become {plan.mode}: {error.strerror}. A boot by {CONFIG} makes it so."
            ) from None


def changes(plan: Plan, files: FileSystem) -> dict[str, str | None]:
    """Return the texts of the files that are to change, None for those to remove.

    GRUB may not have been told of its own before.
    """
    return {
        path: text
        for path, text in plan.texts.items()
        if (exists(files, path) if text is None else not exists(files, path) or text_of(files, path) != text)
        or (path == DROP_IN and boot.lacking(text, files))
    }
