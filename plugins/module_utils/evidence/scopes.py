# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The scopes of an evidence document. Importing them all takes longer than the engine needs to answer.

from __future__ import annotations

from typing import Any, Callable, Iterable

from ansible_collections.breakwater.docker.plugins.module_utils.ahead import Ahead
from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings, read_settings
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import (
    audit,
    container,
    daemon,
    engine,
    file,
    host,
    image,
    network,
    swarm,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.host_paths import (
    engine_sockets,
    served_sockets,
)
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, EngineReader, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import ProcessTable

_REMOTE = "the engine is remote"


def collect(
    answers: Callable[[], engine.EngineDocuments],
    reader: EngineReader,
    files: FileSystem,
    commands: CommandRunner,
    processes: ProcessTable,
    *,
    socket_path: str,
    deep_scan: bool,
) -> dict[str, Any]:
    """Return all scopes of an engine; EngineError or UnreadableError where it can't be examined.

    `answers` gives the engine's documents; the reader is free when it returns.
    """
    remote = engine.is_remote(socket_path)
    settings = DaemonSettings(invisible=_REMOTE) if remote else read_settings(files, processes, socket_path)
    documents = answers()
    images = Ahead(lambda: image.collect(reader, documents, files, deep_scan))
    live_rules = Lazy(lambda: audit.live_rules(files, commands))
    host_sources = host.HostSources(files, commands, socket_path, documents, live_rules)
    served = served_sockets(files, settings.process.pid) if settings.process else []
    file_sources = file.FileSources(files, settings, socket_path, documents, live_rules, served)
    daemon_evidence = daemon.collect(documents, files, commands, processes, settings)
    sockets = engine_sockets(files, settings, socket_path, served)
    return {
        "engine": engine.collect(documents, socket_path),
        "host": None if remote else host.collect(host_sources),
        "daemon": daemon_evidence,
        "files": [] if remote else file.collect(file_sources),
        "containers": container.collect(documents, files, processes, daemon_evidence, sockets),
        "networks": network.collect(documents, files, daemon_evidence["ip6tables"]),
        "registries": [] if remote else registries(files, processes, documents.containers, documents.networks),
        "images": images(),
        # after the images, which have done with the reader then: it serves one at a time
        "swarm": swarm.collect(reader, documents, files),
    }


def registries(
    files: FileSystem,
    processes: ProcessTable,
    containers: Iterable[dict[str, Any]] = (),
    networks: Iterable[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Return the evidence of the registries that run here, be there an engine or not."""
    if not processes.registries:
        return []
    from ansible_collections.breakwater.docker.plugins.module_utils.evidence import (  # noqa: PLC0415 (a dozen files)
        registry,
    )

    return registry.collect(files, processes, containers, networks)
