# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Puts one host's evidence document (schema 1) together: each document of the engine and each process is read once.

from __future__ import annotations

import time
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.ahead import Ahead
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import engine
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, EngineReader, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan

SCHEMA_VERSION = 1
#: What a document holds besides `engine` when the engine can't be examined.
_NOTHING: dict[str, Any] = {
    **dict.fromkeys(("host", "daemon", "swarm")),
    **{scope: [] for scope in ("files", "images", "containers", "networks", "registries")},
}


def collect(
    reader: EngineReader, files: FileSystem, commands: CommandRunner, socket_path: str, deep_scan: bool = False
) -> dict[str, Any]:
    """Return the evidence document of this host; whatever the engine answers, this does not raise.

    `socket_path` is the address of a remote engine, whose host can't be seen: there is no evidence of host and files.
    Where the engine can't be examined `engine` says why, and there is no other evidence; but registries are examined
    on a host without an engine, too.
    """
    answers = Ahead(lambda: engine.read_documents(reader, files))
    processes = scan(files)
    from ansible_collections.breakwater.docker.plugins.module_utils.evidence import (  # noqa: PLC0415 (meanwhile the engine answers)
        scopes,
    )

    try:
        found = scopes.collect(
            answers, reader, files, commands, processes, socket_path=socket_path, deep_scan=deep_scan
        )
    except EngineError as error:
        found = {"engine": engine.failed(error, socket_path), **_NOTHING}
        if error.status == "absent":
            found["registries"] = scopes.registries(files, processes)
    except UnreadableError as error:
        reason = f"The engine's documents contradict its API: {error}."
        found = {"engine": engine.failed(EngineError("invalid", reason), socket_path), **_NOTHING}
    collected_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return {"schema": SCHEMA_VERSION, "collected_at": collected_at, **found}
