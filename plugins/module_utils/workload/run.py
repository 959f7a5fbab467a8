# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# One run over a workload: look, judge what only the host can tell, plan, and carry it out.

from __future__ import annotations

import json
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.engine_commands import EngineCommands
from ansible_collections.breakwater.docker.plugins.module_utils.ports import (
    EngineReader,
    LocalFileSystem,
    SubprocessRunner,
)
from ansible_collections.breakwater.docker.plugins.module_utils.redact import HIDDEN, holds_secret
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import SOCKET, StoppedEngineError
from ansible_collections.breakwater.docker.plugins.module_utils.workload import document as documents
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import Workload, numeric, parse
from ansible_collections.breakwater.docker.plugins.module_utils.workload.document import DIGEST, Surroundings
from ansible_collections.breakwater.docker.plugins.module_utils.workload.host import WorkloadHost, host_user
from ansible_collections.breakwater.docker.plugins.module_utils.workload.plan import (
    CREATE,
    RENAME,
    REPLACE,
    START,
    Plan,
    plan,
)
from ansible_collections.breakwater.docker.plugins.module_utils.workload.rollout import Rollout
from ansible_collections.breakwater.docker.plugins.module_utils.workload.secrets import SecretStore
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import State, read

#: Seconds beyond a container's own time to end.
_GRACE = 60
#: The engine's own for a container that names none, and what is waited for one that may take for ever (-1).
_STOP_TIMEOUT, _ENDLESS = 10, 3600


def bring_about(options: Mapping[str, Any], reader: EngineReader, check_mode: bool) -> dict[str, Any]:
    """Bring the workload about, or in check mode say what would be done; BreakwaterError when it can't be."""
    workload = parse(options)
    host = WorkloadHost(LocalFileSystem(), SubprocessRunner(), SecretStore())
    references = list(dict.fromkeys(item.image for item in workload.containers))
    warnings = []
    try:
        state = read(reader, references)
    except StoppedEngineError as error:
        if not check_mode:
            raise
        state = State()
        warnings.append(f"{error} What is predicted holds for an engine without containers.")
    host.check_paths(workload, state)
    absent = [name for name in references if name not in state.images]
    if absent and not check_mode:
        host.pull(absent)
        state = read(reader, references)
    around = {item.name: host.surroundings(item, state) for item in workload.containers}
    wanted = {item.name: documents.container(item, around[item.name]) for item in workload.containers}
    decided = plan(workload, wanted, state, options["allow_interruption"])
    if not check_mode:
        for container in workload.containers:
            host.save_secrets(container, around[container.name], state.root)
        engine = EngineCommands(SOCKET, _longest_stop(decided, state) + _GRACE)
        Rollout(reader, engine, state).carry_out(decided, _owners(workload, around, state))
        for container in workload.containers:
            host.forget_secrets(container.name, around[container.name].secrets)
        for name in decided.removed:
            host.forget_secrets(name, {})
    return {
        "changed": any(decided),
        "created": decided.names(CREATE, RENAME),
        "replaced": decided.names(REPLACE),
        "started": decided.names(START),
        "removed": list(decided.removed),
        "diff": _diff(decided, state),
        "warnings": warnings,
    }


def _longest_stop(decided: Plan, state: State) -> int:
    """Return how long the engine may wait for a container to end: for a present one by its own time, not by the new."""
    found = [change.container.options["stop_timeout"] for change in decided.changes]
    for name in [*decided.names(REPLACE), *decided.removed]:
        own = state.containers[name]["Config"].get("StopTimeout")
        found.append(_STOP_TIMEOUT if own is None else own if own >= 0 else _ENDLESS)
    return max(found, default=0)


def _owners(workload: Workload, around: Mapping[str, Surroundings], state: State) -> dict[str, tuple[int, int]]:
    """Return user and group on the host of each volume: those of the first container that writes to it."""
    found: dict[str, tuple[int, int]] = {}
    for container in workload.containers:
        user = around[container.name].user
        for name, writable in container.volumes.items():
            if writable and numeric(user):
                found.setdefault(name, host_user(user, state.root))
    return found


def _diff(decided: Plan, state: State) -> dict[str, str]:
    """Show networks, volumes and containers; of a container that is there, only that it is replaced."""
    before = [f"container {name}" for name in decided.removed]
    after = [f"network {item['Name']} {json.dumps(item['Options'])}" for item in decided.networks]
    after += [f"volume {item['Name']}" for item in decided.volumes]
    for change in decided.changes:
        name = change.container.name
        if name in state.containers:
            before.append(f"container {name} {state.labels(name).get(DIGEST, '')}")
        after.append(f"container {name} {change.document['Labels'][DIGEST]} {_shown(change.document)}")
    return {"before": "".join(f"{line}\n" for line in before), "after": "".join(f"{line}\n" for line in after)}


def _shown(document: Mapping[str, Any]) -> str:
    names = [f"{entry.partition('=')[0]}={HIDDEN}" for entry in document["Env"]]
    return json.dumps(_without_secrets({**document, "Env": names}), sort_keys=True)


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_secrets(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_secrets(item) for item in value]
    return HIDDEN if isinstance(value, str) and holds_secret(value) else value
