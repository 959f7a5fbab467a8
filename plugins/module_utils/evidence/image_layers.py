# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Programs in an image that run with other rights than their caller's, found in the layers' directories on disk.
# Source: the kernel's Documentation/filesystems/overlayfs. Directories that a layer made opaque are not recognised.

from __future__ import annotations

import posixpath
import stat
from typing import Iterator, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: How many files all scans of one run look at together.
ENTRY_LIMIT = 1_000_000


class LayerScanner:
    """Scans the layers of images; a layer that several images share is walked once."""

    def __init__(self, files: FileSystem, data_root: str) -> None:
        self._files = files
        self._data_root = data_root.rstrip("/") + "/"
        self._known: dict[str, list[str]] = {}
        self._entries = 0

    def setuid_files(self, inspection: Mapping[str, object]) -> list[str]:
        """Return the paths in the image, sorted, of files with a setuid or setgid bit.

        UnreadableError for a storage driver without such directories, or when there are more than ENTRY_LIMIT files;
        OSError when the layers may not be read.
        """
        layers = self._layers(Document(inspection, "the engine's answer about an image"))
        found = set()
        for depth, layer in enumerate(layers):
            for path in self._scan(layer):
                if not any(self._hides(upper, path) for upper in layers[:depth]):
                    found.add(path)
        return sorted(found)

    def _layers(self, image: Document) -> list[str]:
        """Return the directories of the layers, the uppermost first."""
        if not image.has("GraphDriver", "Data", "UpperDir"):
            raise UnreadableError("the storage driver keeps the image's layers in no directory that can be scanned")
        upper = image.string("GraphDriver", "Data", "UpperDir")
        lower = image.string("GraphDriver", "Data", "LowerDir") if image.has("GraphDriver", "Data", "LowerDir") else ""
        layers = [upper, *(path for path in lower.split(":") if path)]
        for path in layers:
            if not path.startswith(self._data_root) or ".." in path.split("/"):
                raise UnreadableError(f"the engine names a layer outside of its directory {self._data_root}")
        return layers

    def _scan(self, layer: str) -> Sequence[str]:
        if layer not in self._known:
            self._known[layer] = list(self._walk(layer, ""))
        return self._known[layer]

    def _walk(self, layer: str, start: str) -> Iterator[str]:
        pending = [start]
        while pending:
            directory = pending.pop()
            for name in self._files.listdir(layer + directory):
                self._entries += 1
                if self._entries > ENTRY_LIMIT:
                    raise UnreadableError(f"the images hold more than {ENTRY_LIMIT} files, where the scan stops")
                path = f"{directory}/{name}"
                mode = self._files.lstat(layer + path).st_mode
                if stat.S_ISDIR(mode):
                    pending.append(path)
                elif stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                    yield path

    def _hides(self, layer: str, path: str) -> bool:
        """Tell whether the upper layer replaced or removed (by a device in its place) the path or a parent of it."""
        current = path
        while current != "/":
            try:
                status = self._files.lstat(layer + current)
            except (FileNotFoundError, NotADirectoryError):
                current = posixpath.dirname(current)
                continue
            return current == path or not stat.S_ISDIR(status.st_mode)
        return False
