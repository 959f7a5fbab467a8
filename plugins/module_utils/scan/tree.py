# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Unpacks an image's layers, or a container's files, below a directory, for scanners that read a root file system. What
# is unpacked may be hostile: nothing is written outside of the directory, links can't lead out of it, devices and
# pipes are left out, and the size is bounded.
# Sources: the OCI image specification (layer.md: whiteouts), https://docs.docker.com/reference/cli/docker/image/save/.

from __future__ import annotations

import contextlib
import json
import os
import posixpath
import shutil
import stat
import tarfile
from pathlib import Path
from typing import IO, Iterator

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError

ENTRY_LIMIT = 2_000_000
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_MANIFEST_BYTES = 4 << 20
_CHUNK = 1 << 20


class TreeError(BreakwaterError):
    """The files can't be unpacked; the text says why."""


class Tree:
    """A root file system below `root`, which has to be an empty directory that nobody else may enter."""

    def __init__(self, root: Path, max_bytes: int) -> None:
        self._root = str(root)
        self._left = max_bytes
        self._entries = 0

    def unpack_image(self, archive: Path) -> None:
        """Apply the layers in an archive of `docker save`, the lowest first; TreeError where that can't be done."""
        with _readable(str(archive)), tarfile.open(archive) as outer:
            for name in _layer_names(outer):
                layer = outer.extractfile(name)
                if layer is None:
                    raise TreeError(f"the engine's archive has no layer {name}")
                with tarfile.open(fileobj=layer) as content:
                    self._apply(content)

    def unpack_stream(self, stream: IO[bytes]) -> None:
        """Unpack the files of a container; TreeError where that can't be done."""
        with _readable("the container's files"), tarfile.open(fileobj=stream, mode="r|") as content:
            for member in content:
                self._place(content, member)

    def _apply(self, layer: tarfile.TarFile) -> None:
        """Remove what the layer hides before its own files come, since their order in it is free."""
        for member in layer:
            name = posixpath.basename(member.name)
            place = self._real(member.name) if name.startswith(_WHITEOUT) else None
            if place is None:
                continue
            if name == _OPAQUE:
                for hidden in os.listdir(os.path.dirname(place)):
                    _remove(posixpath.join(os.path.dirname(place), hidden))
            elif name[len(_WHITEOUT) :] not in ("", ".", ".."):
                _remove(posixpath.join(os.path.dirname(place), name[len(_WHITEOUT) :]))
        for member in layer:
            if not posixpath.basename(member.name).startswith(_WHITEOUT):
                self._place(layer, member)

    def _real(self, name: str, create: bool = False) -> str | None:
        """Return where an entry belongs; None where a parent is missing or is no directory, but a link, say."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts or ".." in parts:
            return None
        place = self._root
        for part in parts[:-1]:
            place = posixpath.join(place, part)
            try:
                if not stat.S_ISDIR(os.lstat(place).st_mode):
                    return None
            except FileNotFoundError:
                if not create:
                    return None
                os.mkdir(place, 0o755)
        return posixpath.join(place, parts[-1])

    def _place(self, source: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        self._entries += 1
        if self._entries > ENTRY_LIMIT:
            raise TreeError(f"it holds more than {ENTRY_LIMIT} files")
        place = self._real(member.name, create=True)
        if place is None:
            return
        if member.isdir():
            if not (os.path.isdir(place) and not os.path.islink(place)):
                _remove(place)
                os.mkdir(place)
        elif member.isfile():
            _remove(place)
            self._write(source, member, place)
        elif member.issym():
            _remove(place)
            os.symlink(self._inside(place, member.linkname), place)
        elif member.islnk():
            target = self._real(member.linkname)
            if target and target != place and os.path.isfile(target) and not os.path.islink(target):
                _remove(place)
                os.link(target, place)
            return
        else:
            return
        os.lchown(place, member.uid, member.gid)
        if not member.issym():
            os.chmod(place, member.mode & 0o7777)
            os.utime(place, (member.mtime, member.mtime))

    def _write(self, source: tarfile.TarFile, member: tarfile.TarInfo, place: str) -> None:
        self._left -= member.size
        if self._left < 0:
            raise TreeError("it holds more than the engine says")
        content = source.extractfile(member)
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            if content is not None:
                shutil.copyfileobj(content, file, _CHUNK)

    def _inside(self, place: str, target: str) -> str:
        """Return a link's target, relative and within the tree; what would leave the tree ends at its root."""
        start = posixpath.dirname(place)[len(self._root) :] or "/"
        wanted = posixpath.normpath(posixpath.join("/", start, target)).lstrip("/")
        return posixpath.relpath(posixpath.join("/", wanted), posixpath.join("/", start))


def _layer_names(outer: tarfile.TarFile) -> list[str]:
    manifest = outer.extractfile("manifest.json")
    if manifest is None:
        raise TreeError("the engine's archive has no manifest.json")
    images = json.loads(manifest.read(_MANIFEST_BYTES))
    return [str(name) for name in images[0]["Layers"]]


def _remove(place: str) -> None:
    """Remove what is at a path, be it a directory with all below it."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISDIR(os.lstat(place).st_mode):
            shutil.rmtree(place)
        else:
            os.unlink(place)


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turn what an archive that is damaged or unknown raises into a TreeError."""
    try:
        yield
    except tarfile.ReadError:
        raise TreeError(f"{what} holds a layer that can't be read, such as one compressed by zstd") from None
    except (tarfile.TarError, EOFError, KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise TreeError(f"{what} is damaged: {error}") from None
    except OSError as error:
        raise TreeError(f"{what} can't be unpacked: {error.strerror or error}") from None
