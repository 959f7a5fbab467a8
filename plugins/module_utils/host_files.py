# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Files that a host may or may not have, and the first line of those that the role docker_host writes.

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

HEADER = "# Written by the role breakwater.docker.docker_host, which overwrites changes.\n"


def exists(files: FileSystem, path: str) -> bool:
    """Tell whether `path` leads to anything that may be looked at."""
    try:
        files.stat(path)
    except OSError:
        return False
    return True


def text_of(files: FileSystem, path: str) -> str:
    """Return a file's text, empty where it can't be read."""
    try:
        return files.read_text(path)
    except OSError:
        return ""


def names_in(files: FileSystem, directory: str) -> list[str]:
    """Return the names in a directory, sorted; none where it can't be read."""
    try:
        return files.listdir(directory)
    except OSError:
        return []
