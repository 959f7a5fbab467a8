# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Puts one host's evidence document (schema 1) together: each document of the engine and each process is read once.

from __future__ import annotations

import time
from typing import Any, Dict

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import read_settings
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

SCHEMA_VERSION = 1
_SYSTEMD = "/run/systemd/system"
_NOTHING: Dict[str, Any] = {"daemon": None, "swarm": None, "containers": [], "networks": [], "images": []}


def collect(
    reader: EngineReader, files: FileSystem, commands: CommandRunner, socket_path: str, deep_scan: bool = False
) -> Dict[str, Any]:
    """Return the evidence document of this host; whatever the engine answers, this does not raise.

    Where the engine can't be examined, `engine` says why, `daemon` and `swarm` are null and the engine's lists empty.
    """
    processes = scan(files)
    settings = read_settings(files, processes, socket_path)
    try:
        _refuse_to_start(files, commands, processes, socket_path)
        documents = engine.read_documents(reader, files)
        daemon_evidence = daemon.collect(documents, files, commands, processes, settings)
        scopes = {
            "engine": engine.collect(documents, socket_path),
            "daemon": daemon_evidence,
            "containers": container.collect(documents, files, processes, daemon_evidence, socket_path),
            "networks": network.collect(documents, files),
            "images": image.collect(reader, documents, files, deep_scan),
            "swarm": swarm.collect(reader, documents, commands),
        }
    except EngineError as error:
        scopes = {"engine": engine.failed(error, socket_path), **_NOTHING}
    return {
        "schema": SCHEMA_VERSION,
        "collected_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **scopes,
        "host": host.collect(files, commands, processes, settings),
        "files": file.collect(files, settings),
    }


def _refuse_to_start(files: FileSystem, commands: CommandRunner, processes: ProcessTable, socket_path: str) -> None:
    """Raise EngineError where systemd holds the socket of a stopped engine: connecting to it would start the engine."""
    if processes.daemons or socket_path not in ("/var/run/docker.sock", "/run/docker.sock"):
        return
    try:
        files.stat(_SYSTEMD)
    except OSError:
        return
    states = commands.run(["systemctl", "is-active", "docker.service", "docker.socket"]).stdout.split()
    if states[1:] == ["active"] and states[0] in ("inactive", "failed"):
        raise EngineError("stopped", "docker.service is stopped, and docker.socket would start it: start it yourself.")
