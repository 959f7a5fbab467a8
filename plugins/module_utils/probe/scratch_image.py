# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Images of nothing but given files, made on the host itself: nothing is pulled and nothing is built.

from __future__ import annotations

import io
import tarfile
import tempfile
from typing import Iterable, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker


class Entry(NamedTuple):
    """A file, or a directory where there is no content; a program by default."""

    path: str
    content: bytes | None
    mode: int = 0o555
    owner: int = 0


def load(docker: Docker, name: str, entries: Iterable[Entry], *changes: str) -> None:
    """Make the image `name`; `changes` are lines of a Dockerfile, without RUN. BreakwaterError when it fails."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            for path, content, mode, owner in entries:
                entry = tarfile.TarInfo(path)
                entry.mode, entry.uid, entry.gid = mode, owner, owner
                entry.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
                entry.size = len(content or b"")
                tar.addfile(entry, io.BytesIO(content or b""))
        file.flush()
        options = (word for change in changes for word in ("--change", change))
        docker.call("import", *options, file.name, name)
