# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Lets the engine write the layers of an image, or the files of a container, into a file or a stream. No container is
# made, started or stopped for it. Source: https://docs.docker.com/reference/api/engine/ (ImageGet, ContainerExport).

from __future__ import annotations

import contextlib
import http.client
import shutil
from pathlib import Path
from typing import IO, Iterator
from urllib.parse import quote

from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.unix_http import UnixConnection

_CHUNK = 1 << 20


def save_image(socket_path: str, identifier: str, target: Path, timeout: float) -> None:
    """Write the archive that `docker save` makes of an image to `target`; EngineError says why not."""
    path = f"/images/{quote(identifier, safe='')}/get"
    with _stream(socket_path, path, timeout) as stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file, _CHUNK)


@contextlib.contextmanager
def export_container(socket_path: str, identifier: str, timeout: float) -> Iterator[IO[bytes]]:
    """Give the stream of a container's files as `docker export` makes it; EngineError says why not."""
    with _stream(socket_path, f"/containers/{quote(identifier, safe='')}/export", timeout) as stream:
        yield stream


@contextlib.contextmanager
def _stream(socket_path: str, path: str, timeout: float) -> Iterator[IO[bytes]]:
    connection = UnixConnection(socket_path, timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            raise EngineError("invalid", f"The engine answered {path} with HTTP {answer.status}.")
        yield answer
    except (OSError, http.client.HTTPException) as error:
        raise EngineError("unreadable", f"The engine did not give {path} to its end: {error}.") from None
    finally:
        connection.close()
