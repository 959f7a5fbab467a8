# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Finds out what a workload needs by running it: with fewer and fewer capabilities, under a recording filter, and at
# last under the profile that came of it.

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import version_tuple
from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import COMMAND, ENGINE, Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import presets, syscalls
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import Profile
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.recorder import Recorder, asking

NAME = "breakwater-seccomp-record"
#: The first engine that hands the listener's path on to the runtime.
_LISTENS_SINCE = (23, 0)
_POLL_SECONDS = 0.5
#: Options that a recording sets itself.
_OWN_OPTIONS = ("--cap-add", "--cap-drop", "--privileged", "--name", "--rm", "--detach", "-d", "--security-opt=seccomp")
_FAMILY_CALLS = ("socket", "socketpair")


@dataclass(frozen=True)
class Workload:
    """A container and its test: a command of this host, for which CONTAINER is its name, or its own good end."""

    image: str
    command: Sequence[str]
    options: Sequence[str]
    test: Sequence[str]
    timeout: float


class Trials:
    """Runs of a workload, each in a new container that is removed."""

    def __init__(self, docker: Docker, commands: CommandRunner, workload: Workload) -> None:
        """Prepare; InputError when the engine is too old or the options are not the workload's to give."""
        self._docker = docker
        self._commands = commands
        self._workload = workload
        version = docker.version()
        if version is None or version_tuple(version) < _LISTENS_SINCE:
            raise InputError(f"Recording needs an engine from 23.0 that answers; here it is {version}.")
        for word in workload.options:
            if word.startswith(_OWN_OPTIONS) or word.startswith("seccomp="):
                raise InputError(f"run_options has {word}, which a recording sets itself: leave it out.")

    def problem(self, capabilities: Sequence[str], profile: str | None) -> str | None:
        """Run the workload with these capabilities under a profile's file; return why it does not work, if so."""
        self._docker.succeeds("rm", "--force", "--volumes", NAME)
        added = (f"--cap-add={name}" for name in capabilities)
        filtered = () if profile is None else (f"--security-opt=seccomp={profile}",)
        argv = ("run", "--detach", "--name", NAME, "--cap-drop=ALL", *added, *filtered, *self._workload.options)
        try:
            self._docker.call(*argv, self._workload.image, *self._workload.command, timeout=self._workload.timeout)
            problem = self._watch()
            self._docker.succeeds("stop", NAME)  # so that the way to a good end is recorded too
        except BreakwaterError as error:
            return str(error)
        finally:
            self._docker.succeeds("rm", "--force", "--volumes", NAME)
        return problem

    def _watch(self) -> str | None:
        deadline = time.monotonic() + self._workload.timeout
        test = ("env", f"CONTAINER={NAME}", f"DOCKER_HOST={ENGINE}", *self._workload.test)
        while True:
            state = json.loads(self._docker.call("inspect", "--format", "{{json .State}}", NAME))
            if self._workload.test:
                done = self._commands.run(test, timeout=max(1.0, deadline - time.monotonic()))
                if done.rc == 0:
                    return None
                problem = f"the test ends with {done.rc}: {(done.stderr or done.stdout).strip()[-300:]}"
            else:
                problem = f"it ends with {state['ExitCode']}"
                if not state["Running"] and state["ExitCode"] == 0:
                    return None
            if not state["Running"]:
                return f"{problem}; the container says: {self._log()}"
            if time.monotonic() >= deadline:
                return f"after {self._workload.timeout:g} seconds {problem}"
            time.sleep(_POLL_SECONDS)

    def _log(self) -> str:
        done = self._commands.run((*COMMAND, "logs", "--tail", "5", NAME))
        return (done.stdout + done.stderr).strip()[-300:]

    def capabilities(self, candidates: Sequence[str]) -> tuple[str, ...]:
        """Return capabilities of which the workload can spare none; BreakwaterError when all don't suffice."""
        if self.problem((), None) is None:
            return ()
        problem = self.problem(candidates, None)
        if problem is not None:
            raise BreakwaterError(f"The workload fails with all of {', '.join(candidates)}, too: {problem}.")
        needed = list(candidates)
        for name in candidates:
            fewer = [other for other in needed if other != name]
            if fewer and self.problem(fewer, None) is None:
                needed = fewer
        return tuple(needed)

    def record(self, capabilities: Sequence[str], base: Profile, machine: str) -> dict[str, set[int]]:
        """Return the system calls of the workload with their first arguments; BreakwaterError when it does not work."""
        with tempfile.TemporaryDirectory(prefix="breakwater-") as directory:
            listener = os.path.join(directory, "listener")
            with Recorder(listener, machine) as recorder:
                with _file(asking(base, listener)) as path:
                    problem = self.problem(capabilities, path)
                if problem is not None:
                    raise BreakwaterError(f"The workload fails under the base of the recording: {problem}.")
            return recorder.calls()

    def verify(self, capabilities: Sequence[str], content: Mapping[str, Any]) -> None:
        """Raise BreakwaterError when the workload does not work under a profile."""
        with _file(content) as path:
            problem = self.problem(capabilities, path)
        if problem is not None:
            raise BreakwaterError(
                f"The workload fails under the profile that was recorded: {problem}. What it does differs from run to"
                " run: let the test do more of it, or allow the rest by hand."
            )


@contextlib.contextmanager
def _file(content: Mapping[str, Any]) -> Any:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(content, file)
        file.flush()
        yield file.name


def entry(name: str, calls: Mapping[str, Iterable[int]], capabilities: Sequence[str]) -> dict[str, Any]:
    """Return a profile that allows these calls, in the form that docker_seccomp takes."""
    conditional = {name for name in (*_FAMILY_CALLS, "clone") if name in calls}
    by_number = {value: constant for constant, value in syscalls.CONSTANTS.items() if constant.startswith("AF_")}
    families = [
        {
            "syscalls": [call],
            "action": "allow",
            "when": [{"argument": 0, "op": "eq", "value": by_number.get(family, str(family))}],
        }
        for call in _FAMILY_CALLS
        for family in sorted({argument & 0xFFFFFFFF for argument in calls.get(call, ())})
    ]
    runtime = presets.preset("runtime", "").allowed
    return {
        "name": name,
        "base": "runtime",
        "capabilities": list(capabilities) or ["none"],
        "allow": sorted(set(calls) - conditional - set(runtime)),
        "deny": [],
        "arguments": families,
    }
