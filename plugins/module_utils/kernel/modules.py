# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Kernel modules that must not be loaded, and those that Docker can't do without. Sources: modprobe.d(5),
# proc_modules(5), kmod's modules.builtin, moby/moby contrib/check-config.sh.

from __future__ import annotations

import posixpath
import re
from typing import Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import HEADER, names_in, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.kernel.sysctls import Skipped
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

PATH = "/etc/modprobe.d/zz-breakwater.conf"
_DIRECTORIES = ("/etc/modprobe.d", "/run/modprobe.d", "/usr/local/lib/modprobe.d", "/usr/lib/modprobe.d")
_LOAD_DIRECTORIES = ("/etc/modules-load.d", "/run/modules-load.d", "/usr/lib/modules-load.d")
_VENDOR = "/sys/class/dmi/id/sys_vendor"
_NEEDED = (
    *("bridge", "br_netfilter", "nf_conntrack", "nf_nat", "overlay", "veth"),
    *("xt_MASQUERADE", "xt_addrtype", "xt_conntrack"),
)
_NEEDED_BY = {"swarm": ("ip_vs", "vxlan")}
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_FORBIDDEN = re.compile(r"^[ \t]*(?:install\s+(\S+)\s+\S*/(?:false|true)\b|blacklist\s+(\S+))", re.MULTILINE)


def needed(uses: Sequence[str]) -> list[str]:
    """Return the modules of an engine; `uses` names what it is used for beyond plain containers."""
    return [*_NEEDED, *(module for use in uses for module in _NEEDED_BY.get(use, ()))]


def make_plan(blocked: Mapping[str, str], uses: Sequence[str], files: FileSystem) -> tuple[str, tuple[Skipped, ...]]:
    """Return the text of the file that blocks modules (name to reason), and those that the machine needs, left out.

    InputError for a module that Docker needs.
    """
    vital = {_same(module) for module in needed(uses)} & {_same(module) for module in blocked}
    if vital:
        raise InputError(f"Docker needs {', '.join(sorted(vital))}: don't block it. Nothing was changed.")
    loaded = _loaded(files)
    lines, skipped = [HEADER], []
    for module, reason in sorted(blocked.items()):
        if not _NAME.fullmatch(module):
            raise InputError(f"{module} is no name of a kernel module: correct it. Nothing was changed.")
        if module == "udf" and text_of(files, _VENDOR).strip() == "Microsoft Corporation":
            skipped.append(Skipped(module, "Azure tells a new machine by a disc of it who may log in"))
        elif _same(module) in loaded:
            skipped.append(Skipped(module, "the module is loaded, so something may use it; unload it and run again"))
        else:
            lines.append(f"# {' '.join(reason.split())}\ninstall {module} /bin/false\n")
    return "".join(lines), tuple(skipped)


def forbidden_needs(uses: Sequence[str], files: FileSystem) -> list[tuple[str, str]]:
    """Return which modules of Docker's are forbidden, and by what."""
    found = []
    present = _builtin(files)
    vital = {_same(module): module for module in needed(uses)}
    for path in (path for path in _config_files(files, _DIRECTORIES) if path != PATH):
        for names in _FORBIDDEN.findall(text_of(files, path)):
            module = _same(names[0] or names[1])
            if module in vital and module not in present:
                found.append((vital[module], path))
    blacklist = re.search(r"\bmodule_blacklist=(\S+)", text_of(files, "/proc/cmdline"))
    listed = {_same(name) for name in blacklist.group(1).split(",")} if blacklist else set()
    return found + [(vital[module], "the kernel's command line") for module in sorted(listed & vital.keys())]


def unloaded_needs(uses: Sequence[str], files: FileSystem, at_boot: bool) -> list[str]:
    """Return which modules of Docker's are not there, or at boot will not be; none where the kernel's are unknown."""
    builtin = _builtin(files)
    if not builtin:
        return []
    paths = _config_files(files, _LOAD_DIRECTORIES) if at_boot else []
    present = {_same(word) for path in paths for word in text_of(files, path).split()} if at_boot else _loaded(files)
    return [module for module in needed(uses) if _same(module) not in builtin | present]


def _same(module: str) -> str:
    return module.replace("-", "_").lower()


def _loaded(files: FileSystem) -> set[str]:
    return {_same(line.split()[0]) for line in text_of(files, "/proc/modules").splitlines() if line.strip()}


def _builtin(files: FileSystem) -> set[str]:
    release = text_of(files, "/proc/sys/kernel/osrelease").strip()
    listed = text_of(files, f"/lib/modules/{release}/modules.builtin").split()
    return {_same(posixpath.basename(path).partition(".ko")[0]) for path in listed}


def _config_files(files: FileSystem, directories: Sequence[str]) -> list[str]:
    return [
        f"{directory}/{name}"
        for directory in directories
        for name in names_in(files, directory)
        if name.endswith(".conf")
    ]
