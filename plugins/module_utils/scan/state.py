# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What scans keep on a host: outputs by image and content, so that what has not changed is scanned once, and a place for
# what they unpack, which is emptied whatever happens. All of it is for root only, since it tells how to break in.

from __future__ import annotations

import contextlib
import fcntl
import gzip
import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError

#: Raised when what is kept under a key means something else than before.
_FORMAT = 1


class ScanState:
    """The directory of the scans; a context manager that lets only one run in."""

    def __init__(self, directory: str) -> None:
        self._directory = Path(directory)
        self._used: set[str] = set()
        self._lock = -1

    def __enter__(self) -> ScanState:
        for path in (self._directory, self._cache, self._work):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chmod(path, 0o700)
        self._lock = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise BreakwaterError(f"Another scan runs on this host ({self._directory}): wait for its end.") from None
        self._empty()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._empty()
        os.close(self._lock)

    def _empty(self) -> None:
        """Remove what is unpacked, that of a run that was killed too."""
        for left in self._work.iterdir():
            shutil.rmtree(left, ignore_errors=True)

    @property
    def _cache(self) -> Path:
        return self._directory / "cache"

    @property
    def _work(self) -> Path:
        return self._directory / "work"

    @contextlib.contextmanager
    def room(self) -> Iterator[Path]:
        """Give an empty directory that is removed at the end."""
        path = Path(tempfile.mkdtemp(dir=self._work))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def free_bytes(self) -> int:
        """Return how much may still be written here."""
        return shutil.disk_usage(self._work).free

    def known(self, key: str) -> bytes | None:
        """Return the compressed output that is kept under a key."""
        self._used.add(key)
        try:
            data = (self._cache / key).read_bytes()
            gzip.decompress(data)
        except (OSError, EOFError):
            return None
        return data

    def keep(self, key: str, data: bytes) -> None:
        """Keep a compressed output, whole or not at all."""
        handle, name = tempfile.mkstemp(dir=self._work)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(name, self._cache / key)

    def forget_others(self) -> None:
        """Remove what this run did not ask for: images that are gone, and content that was replaced."""
        for path in self._cache.iterdir():
            if path.name not in self._used:
                path.unlink()


def key_of(parts: Mapping[str, str]) -> str:
    """Return the name of a cache entry for an image, a scanner, and what it compares with."""
    return hashlib.sha256(json.dumps([_FORMAT, dict(parts)], sort_keys=True).encode()).hexdigest()


def checksum(path: str) -> str:
    """Return the SHA-256 of a file in hexadecimal; OSError where it can't be read."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return digest.hexdigest()
