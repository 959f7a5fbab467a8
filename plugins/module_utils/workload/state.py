# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What an engine has of a workload.

from __future__ import annotations

import posixpath
import re
from typing import Any, Iterable, Mapping, NamedTuple
from urllib.parse import quote

from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import MissingDocumentError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import (
    expect_object,
    expect_objects,
    inspect_all,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import StoppedEngineError

#: With user namespaces the engine's directory is named by the user and group of the host that are root in containers.
_REMAPPED = re.compile(r"(\d+)\.(\d+)")


class State(NamedTuple):
    """An engine's containers, networks and volumes by name, and the images that were asked for."""

    present: bool = False
    log_driver: str = "json-file"
    root: tuple[int, int] = (0, 0)
    """User and group on the host of root in a container."""
    containers: Mapping[str, Mapping[str, Any]] = {}
    """Inspection documents of all containers."""
    networks: Mapping[str, Mapping[str, Any]] = {}
    volumes: Mapping[str, Mapping[str, Any]] = {}
    images: Mapping[str, Mapping[str, Any]] = {}
    """Inspection documents of those that are on the host."""

    def labels(self, name: str) -> Mapping[str, str]:
        """Return the labels of a container; none where there is no such container."""
        return self.containers.get(name, {}).get("Config", {}).get("Labels") or {}

    def running(self, name: str) -> bool:
        """Tell whether there is such a container, and whether it runs."""
        return bool(self.containers.get(name, {}).get("State", {}).get("Running"))


def read(reader: EngineReader, images: Iterable[str]) -> State:
    """Ask the engine; where none is there, the state is that of a new one.

    EngineError when it does not answer; StoppedEngineError when that would start it.
    """
    try:
        info = expect_object(reader.get("/info"), "/info")
    except StoppedEngineError:
        raise
    except EngineError as error:
        if error.status in ("absent", "stopped"):
            return State()
        raise
    inspected = list(inspect_all(reader))
    volumes = expect_object(reader.get("/volumes"), "/volumes").get("Volumes")
    return State(
        present=True,
        log_driver=str(info.get("LoggingDriver", "")),
        root=container_root(str(info.get("DockerRootDir", ""))),
        containers={str(item["Name"]).lstrip("/"): item for item in inspected},
        networks={item["Name"]: item for item in expect_objects(reader.get("/networks"), "/networks")},
        volumes={item["Name"]: item for item in expect_objects(volumes, "/volumes")},
        images={name: image for name in images for image in _image(reader, name)},
    )


def _image(reader: EngineReader, name: str) -> list[dict[str, Any]]:
    path = f"/images/{quote(name, safe='/:@')}/json"
    try:
        return [expect_object(reader.get(path), path)]
    except MissingDocumentError:
        return []


def container_root(directory: str) -> tuple[int, int]:
    """Return user and group on the host of root in a container, by the engine's directory (DockerRootDir)."""
    match = _REMAPPED.fullmatch(posixpath.basename(directory.rstrip("/")))
    return (int(match[1]), int(match[2])) if match else (0, 0)
