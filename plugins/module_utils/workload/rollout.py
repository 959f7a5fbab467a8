# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Carries a plan out. A container is replaced by one that has proven to be well; else the old one stays, or comes back.

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Callable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.engine_commands import EngineWriter
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import NEXT
from ansible_collections.breakwater.docker.plugins.module_utils.workload.plan import RENAME, START, Change, Plan
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import State

_POLL_SECONDS = 0.25
#: For how long a container without a health check has to run before it counts as well.
_SETTLE_SECONDS = 3.0


class Rollout:
    """Changes of one engine."""

    def __init__(
        self,
        reader: EngineReader,
        engine: EngineWriter,
        state: State,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; `state` is what the plan was made from."""
        self._reader = reader
        self._engine = engine
        self._state = state
        self._sleep = sleep
        self._clock = clock

    def carry_out(self, plan: Plan, owners: Mapping[str, tuple[int, int]]) -> None:
        """Do all of the plan; `owners` are user and group on the host of new volumes.

        BreakwaterError at the first container that is not well: it is taken back, and the rest is left as it was.
        """
        for document in plan.networks:
            self._engine.post("/networks/create", document)
        for document in plan.volumes:
            made = self._engine.post("/volumes/create", document)
            if document["Name"] in owners:
                os.chown(made["Mountpoint"], *owners[document["Name"]])
        for name in plan.removed:
            self._engine.post(f"/containers/{name}/stop")
            self._engine.delete(f"/containers/{name}?force=1")
        for change in plan.changes:
            self._change(change)

    def _change(self, change: Change) -> None:
        name = change.container.name
        successor = name + NEXT
        if change.action == RENAME:
            self._engine.post(f"/containers/{successor}/rename?name={name}")
        elif change.action == START:
            self._engine.post(f"/containers/{name}/start")
            problem = self._problem(change, name)
            if problem:
                raise BreakwaterError(f"{name} was started and is not well: {problem}. {_where_to_look(name)}.")
        else:
            self._replace(change, name, successor)

    def _replace(self, change: Change, name: str, successor: str) -> None:
        if successor in self._state.containers:  # of a run that failed or was killed
            self._engine.delete(f"/containers/{successor}?force=1")
        self._create(change.document, successor)
        old = name in self._state.containers
        stopped = self._state.running(name) and not change.overlap
        try:
            if stopped:
                self._engine.post(f"/containers/{name}/stop")
            self._engine.post(f"/containers/{successor}/start")
            problem = self._problem(change, successor)
        except BreakwaterError as error:
            problem = str(error).rstrip(".")
        if problem:
            former = self._take_back(name, successor, stopped)
            raise BreakwaterError(
                f"The new container of {name} is not well and was stopped: {problem}.{former}"
                f" {_where_to_look(successor)}; the next run removes it."
            )
        if old:
            if change.overlap:
                self._engine.post(f"/containers/{name}/stop")
            self._engine.delete(f"/containers/{name}?force=1")
        self._engine.post(f"/containers/{successor}/rename?name={name}")

    def _take_back(self, name: str, successor: str, stopped: bool) -> str:
        """Stop the successor and start the former container again; return what has become of that."""
        with contextlib.suppress(BreakwaterError):  # whatever hinders that, the former one has to come back
            self._engine.post(f"/containers/{successor}/stop")
        if not self._state.running(name):
            return ""
        if stopped:
            try:
                self._engine.post(f"/containers/{name}/start")
            except BreakwaterError as error:
                return f" The former container is stopped, too, start it yourself: {error}"
        return " The former container runs as before."

    def _create(self, document: Mapping[str, Any], name: str) -> None:
        networks = document["NetworkingConfig"]["EndpointsConfig"]
        first = document["HostConfig"]["NetworkMode"]
        # engines before API 1.44 take one network here
        only = {"EndpointsConfig": {first: networks[first]}}
        self._engine.post(f"/containers/create?name={name}", {**document, "NetworkingConfig": only})
        for other in networks:
            if other != first:
                body = {"Container": name, "EndpointConfig": networks[other]}
                self._engine.post(f"/networks/{other}/connect", body)

    def _problem(self, change: Change, name: str) -> str:
        """Wait until the container is well; return why it is not, empty when it is."""
        timeout = change.container.options["start_timeout"]
        begin = self._clock()
        while True:
            inspected = self._reader.get(f"/containers/{name}/json")
            state = inspected["State"]
            if not state["Running"] or state.get("Restarting"):
                memory = ", for lack of memory" if state.get("OOMKilled") else ""
                return f"it ended with {state['ExitCode']}{memory}"
            if inspected.get("RestartCount"):  # the engine forgets the exit code when it starts a container again
                return "it ended and was started again"
            health = (state.get("Health") or {}).get("Status", "none")
            waited = self._clock() - begin
            if health == "healthy" or (health == "none" and waited >= _SETTLE_SECONDS):
                return ""
            if health == "unhealthy":
                return "its health check fails"
            if waited >= timeout:
                return f"it is not healthy after {timeout} seconds"
            self._sleep(_POLL_SECONDS)


def _where_to_look(name: str) -> str:
    """Return where it says why a container is not well: what a health check prints is not in the container's log."""
    return f"`docker logs {name}` says why, or `docker inspect {name}` what its health check printed"
