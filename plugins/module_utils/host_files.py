# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Files that a host may or may not have, those that others must not read, and the first line of those of docker_host.

from __future__ import annotations

import os
import tempfile

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


def install(path: str, content: str | bytes, mode: int, owner: tuple[int, int] | None = None) -> None:
    """Replace a file, whole or not at all, by one that was never readable for others, and lasts through a power cut.

    `owner` is its uid and gid, by default the acting user's. Text is UTF-8; what a file held that is no UTF-8 survives
    being read with `surrogateescape`.
    """
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    directory = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{os.path.basename(path)}.", dir=directory)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            if owner:
                os.fchown(handle, *owner)
            os.fchmod(handle, mode)
            stream.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException as error:
        os.unlink(temporary)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = path  # the kernel says of a full disk only that one is full
        raise
    _sync(directory)


def _sync(directory: str) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
