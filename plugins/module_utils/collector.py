# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Puts one host's evidence document (schema 1) together: each document of the engine and each process is read once.

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Dict, List

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings, read_settings
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import (
    container,
    daemon,
    engine,
    file,
    host,
    image,
    network,
    swarm,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, EngineReader, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import ProcessTable, scan

Document = Dict[str, Any]


@dataclass(frozen=True)
class EngineDocuments:
    """What the engine said: each list is read once and shared by the scopes that need it."""

    version: Document
    info: Document
    containers: List[Document]
    """Inspection documents of all containers, stopped ones included."""
    images: List[Document]
    """Entries of `/images/json`."""
    networks: List[Document]
    """Entries of `/networks`."""
    volumes: List[Document]
    """Entries of `/volumes`."""


def read_documents(reader: EngineReader) -> EngineDocuments:
    """Ask the engine for everything that the scopes share; EngineError when it can't be examined."""
    version = engine.checked_version(reader.get("/version"))
    info = engine.expect_object(reader.get("/info"), "/info")
    networks = engine.expect_objects(reader.get("/networks"), "/networks")
    images = engine.expect_objects(reader.get("/images/json"), "/images/json")
    volumes = engine.expect_objects(
        engine.expect_object(reader.get("/volumes"), "/volumes").get("Volumes") or [], "/volumes"
    )
    return EngineDocuments(version, info, container.inspect_all(reader), images, networks, volumes)


def collect(
    reader: EngineReader, files: FileSystem, commands: CommandRunner, socket_path: str, deep_scan: bool = False
) -> Document:
    """Return the evidence document of this host; whatever the engine answers, this does not raise.

    Where the engine can't be examined, `engine` says why, `daemon` and `swarm` are null and the engine's lists empty.
    """
    processes = scan(files)
    settings = read_settings(files, processes, socket_path)
    try:
        documents = read_documents(reader)
        scopes = {
            "engine": engine.collect(documents.version, documents.info, socket_path),
            **_engine_scopes(reader, files, commands, documents, processes, settings, deep_scan),
        }
    except EngineError as error:
        scopes = {
            "engine": engine.failed(error, socket_path),
            **{"daemon": None, "swarm": None, "containers": [], "images": [], "networks": []},
        }
    return {
        "schema": 1,
        "collected_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **scopes,
        "host": host.collect(files, commands, processes, settings),
        "files": file.collect(files, settings),
    }


def _engine_scopes(
    reader: EngineReader,
    files: FileSystem,
    commands: CommandRunner,
    documents: EngineDocuments,
    processes: ProcessTable,
    settings: DaemonSettings,
    deep_scan: bool,
) -> Document:
    return {
        "daemon": daemon.collect(documents, files, commands, processes, settings),
        "containers": container.collect(documents, files, processes),
        "networks": network.collect(documents),
        "images": image.collect(reader, documents, files, deep_scan),
        "swarm": swarm.collect(reader, documents, commands),
    }
