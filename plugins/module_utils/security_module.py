# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Which of the two security modules that know containers the kernel runs. Sources: apparmor(7), selinux(8).

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

APPARMOR, SELINUX = "apparmor", "selinux"


def active(files: FileSystem) -> str | None:
    """Return APPARMOR or SELINUX, None for neither; a kernel of today runs one of them at most."""
    if text_of(files, "/sys/module/apparmor/parameters/enabled").startswith("Y"):
        return APPARMOR
    return SELINUX if exists(files, "/sys/fs/selinux/enforce") else None
