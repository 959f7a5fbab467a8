# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Paths as the kernel sees them, so that /lib/systemd/system and /usr/lib/systemd/system are one. path_resolution(7)

from __future__ import annotations

import errno
import os
import posixpath
import re

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: Where an engine has its data that names no other directory.
DATA_ROOT = "/var/lib/docker"
#: The kernel gives up after as many symbolic links.
_MAXIMUM_LINKS = 40
#: The kernel takes no longer path, so that such a one leads nowhere.
_MAXIMUM_PATH = 4096
#: With userns-remap the engine reports a directory below its own, named by the remapped user and group.
REMAPPED = re.compile(r"\d+\.\d+")


def resolve(files: FileSystem, path: str, root: str = "") -> str:
    """Return the absolute path that `path` leads to, every symbolic link followed; parts may not exist.

    With `root` the links are those of somebody who has that directory as root: none leads out of it, and OSError is
    raised for so many that the kernel would go on following them.
    """
    if len(path) > _MAXIMUM_PATH:
        return root + path
    todo = _parts(path)
    done = "/"
    links = 0
    while todo:
        part = todo.pop()
        if part == ".":
            continue
        if part == "..":
            done = posixpath.dirname(done)
            continue
        candidate = posixpath.join(done, part)
        if len(candidate) > _MAXIMUM_PATH:
            return root + candidate
        try:
            target = files.readlink(root + candidate)
        except OSError:
            target = None
        if target is not None and links == _MAXIMUM_LINKS:
            if root:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), candidate)
            target = None
        if target is None:
            done = candidate
            continue
        links += 1
        todo += _parts(target)
        if target.startswith("/"):
            done = "/"
    return root + done


def _parts(path: str) -> list[str]:
    """Return the parts of a path, the last one first."""
    return [part for part in reversed(path.split("/")) if part]


def exists(files: FileSystem, path: str) -> bool:
    """Tell whether `path` leads to anything; OSError where this can't be told."""
    try:
        files.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def resolve_parent(files: FileSystem, path: str) -> str:
    """Return `path` with its directory resolved and its last part as it is, which is how a watch finds its file."""
    directory, name = posixpath.split(path.rstrip("/") or "/")
    return posixpath.join(resolve(files, directory), name)


def data_root(documents: EngineDocuments) -> str:
    """Return the directory of the engine's data, without the part that user namespaces add."""
    path = Document(documents.info, "the engine's answer to /info").string("DockerRootDir")
    if not path.startswith("/"):
        raise UnreadableError("the engine's answer to /info names no DockerRootDir")
    return without_remapping(path)


def data_root_as_told(files: FileSystem, documents: EngineDocuments, told: object) -> str:
    """Return that directory as the engine was `told` it, where that leads there."""
    root = data_root(documents)
    return told if isinstance(told, str) and resolve(files, told) == root else root


def without_remapping(data_root: str) -> str:
    """Return the directory that the engine was told, of the one that it reports."""
    directory, name = posixpath.split(data_root.rstrip("/"))
    return directory if REMAPPED.fullmatch(name) else data_root
