# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether a host has its kernel for itself. Sources: namespaces(7), the kernel's include/linux/proc_ns.h.

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: The first PID namespace of every kernel has this number.
_INITIAL = "pid:[4026531836]"


def in_container(files: FileSystem) -> bool:
    """Tell whether this is a container, which shares its kernel's settings with the machine."""
    try:
        return files.readlink("/proc/self/ns/pid") != _INITIAL
    except OSError:
        return False
