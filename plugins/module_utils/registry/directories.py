# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The directories of a registry: its account's, and labelled where the kernel has SELinux.

from __future__ import annotations

import os

from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.policy import PolicyHost


def make(directory: str, mode: int, files: FileSystem, commands: CommandRunner) -> None:
    """Make a directory that is missing; SELinux's policy labels it, not the one above.

    BreakwaterError when it can't be labelled.
    """
    if os.path.isdir(directory):
        return
    os.makedirs(directory, mode=mode)
    if exists(files, "/sys/fs/selinux/enforce"):
        PolicyHost(commands).relabel([directory])


def give(directory: str, owner: tuple[int, int]) -> None:
    """Make a directory with all that is in it the property of `owner`."""
    os.chown(directory, *owner)
    for place, directories, files in os.walk(directory):
        for name in (*directories, *files):
            os.lchown(os.path.join(place, name), *owner)
