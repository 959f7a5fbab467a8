# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Programs in an image that run with other rights than their caller's, and files with secrets, found in the layers'
# directories on disk; those of containerd's image store can be found while a container of the image runs. Of a secret
# only the file's path leaves the host.
# Source: the kernel's Documentation/filesystems/overlayfs. Directories that a layer made opaque are not recognised.

from __future__ import annotations

import os
import posixpath
import re
import stat
from typing import Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.mounts import lower_layers, read_mounts
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.redact import holds_key, holds_secret

#: How many files all scans of one run look at together.
ENTRY_LIMIT = 1_000_000
#: Files that are longer are no key and no file of credentials, and are not read.
_LONGEST_SECRET = 64 << 10
#: Files whose name says that they are a secret, and files of settings that often hold one.
_SECRET_NAME = re.compile(
    r"/(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.git-credentials|\.pgpass|\.htpasswd|\.aws/credentials)$"
    r"|\.(?:p12|pfx|kdbx)$"
)
_SETTINGS_NAME = re.compile(r"/(?:\.env(?:\.[a-z]+)?|\.npmrc|\.pypirc|\.my\.cnf)$")
#: Manuals show keys that open nothing.
_MANUALS = ("/usr/share/doc/", "/usr/share/man/")


class _Found(NamedTuple):
    setuid: Sequence[str]
    secrets: Sequence[str]


class LayerScanner:
    """Scans the layers of images; a layer that several images share is walked once."""

    def __init__(self, files: FileSystem, data_root: str, containers: Sequence[Mapping[str, object]] = ()) -> None:
        """Prepare to scan below the engine's `data_root`; `containers` are the inspection documents of all."""
        self._files = files
        self._data_root = data_root.rstrip("/") + "/"
        self._containers = containers
        self._mounts = Lazy(lambda: {mount.point: mount for mount in read_mounts(files)})
        self._known: dict[str, _Found] = {}
        self._entries = 0

    def setuid_files(self, inspection: Mapping[str, object]) -> list[str]:
        """Return the paths in the image, sorted, of files with a setuid or setgid bit.

        UnreadableError for a storage driver without such directories, or when there are more than ENTRY_LIMIT files;
        OSError when the layers may not be read.
        """
        layers = self._layers(Document(inspection, "the engine's answer about an image"))
        found = set()
        for depth, layer in enumerate(layers):
            for path in self._scan(layer).setuid:
                if not any(self._hides(upper, path) for upper in layers[:depth]):
                    found.add(path)
        return sorted(found)

    def secret_files(self, inspection: Mapping[str, object]) -> list[str]:
        """Return the paths, sorted, of files with a secret in any layer, those that an upper layer removed too.

        Whoever may pull the image can unpack each of its layers. Errors as `setuid_files`.
        """
        layers = self._layers(Document(inspection, "the engine's answer about an image"))
        return sorted({path for layer in layers for path in self._scan(layer).secrets})

    def _layers(self, image: Document) -> list[str]:
        """Return the directories of the layers, the uppermost first."""
        if not image.has("GraphDriver", "Data", "UpperDir"):
            return self._mounted_layers(image.string("Id"))
        upper = image.string("GraphDriver", "Data", "UpperDir")
        lower = image.string("GraphDriver", "Data", "LowerDir") if image.has("GraphDriver", "Data", "LowerDir") else ""
        layers = [upper, *(path for path in lower.split(":") if path)]
        for path in layers:
            if not path.startswith(self._data_root) or ".." in path.split("/"):
                raise UnreadableError(f"the engine names a layer outside of its directory {self._data_root}")
        return layers

    def _mounted_layers(self, identifier: str) -> list[str]:
        """Return the layers below a running container's own: containerd's image store tells by no API what it has."""
        for container in self._containers:
            mount = self._mounts().get(f"{self._data_root}rootfs/overlayfs/{container.get('Id')}")
            if container.get("Image") == identifier and mount:
                return lower_layers(mount)
        raise UnreadableError(
            "the storage driver keeps the image's layers in no directory that can be scanned (containerd's image store"
            " shows them while a container of the image runs)"
        )

    def _scan(self, layer: str) -> _Found:
        if layer not in self._known:
            setuid: list[str] = []
            secrets: list[str] = []
            for path, status in self._walk(layer):
                if status.st_mode & (stat.S_ISUID | stat.S_ISGID):
                    setuid.append(path)
                if self._is_secret(layer, path, status.st_size):
                    secrets.append(path)
            self._known[layer] = _Found(setuid, secrets)
        return self._known[layer]

    def _walk(self, layer: str) -> Iterator[tuple[str, os.stat_result]]:
        """Yield each regular file with its status."""
        pending = [""]
        while pending:
            directory = pending.pop()
            for name in self._files.listdir(layer + directory):
                self._count()
                path = f"{directory}/{name}"
                status = self._files.lstat(layer + path)
                if stat.S_ISDIR(status.st_mode):
                    pending.append(path)
                elif stat.S_ISREG(status.st_mode):
                    yield path, status

    def _count(self) -> None:
        """Count a look at a file; UnreadableError when it is one too many for all scans together."""
        self._entries += 1
        if self._entries > ENTRY_LIMIT:
            raise UnreadableError(f"the images hold more than {ENTRY_LIMIT} files, where the scan stops")

    def _is_secret(self, layer: str, path: str, size: int) -> bool:
        if not 0 < size <= _LONGEST_SECRET or path.startswith(_MANUALS):
            return False
        if _SECRET_NAME.search(path):
            return True
        text = self._files.read_text(layer + path, _LONGEST_SECRET)
        return holds_key(text) or (bool(_SETTINGS_NAME.search(path)) and _any_line(text))

    def _hides(self, layer: str, path: str) -> bool:
        """Tell whether the upper layer replaced or removed (by a device in its place) the path or a parent of it."""
        current = path
        while current != "/":
            self._count()
            try:
                status = self._files.lstat(layer + current)
            except (FileNotFoundError, NotADirectoryError):
                current = posixpath.dirname(current)
                continue
            return current == path or not stat.S_ISDIR(status.st_mode)
        return False


def _any_line(text: str) -> bool:
    return any(holds_secret(line.strip()) for line in text.splitlines())
