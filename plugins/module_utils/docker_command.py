# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The command that every Docker host has, and nothing but the engine of its own host.

from __future__ import annotations

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import (
    SOCKET,
    StoppedEngineError,
    refuse_to_start,
)

ENGINE = f"unix://{SOCKET}"
#: The option outweighs root's current context, DOCKER_CONTEXT and DOCKER_HOST, which may lead to another host's engine.
COMMAND = ("docker", "--host", ENGINE)


class Docker:
    """The command `docker` with the engine of this host."""

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def call(self, *argv: str, timeout: float = 60.0) -> str:
        """Return what the command says; BreakwaterError with the engine's reason when it fails."""
        refuse_to_start()
        done = self._commands.run((*COMMAND, *argv), timeout=timeout)
        if done.rc != 0:
            told = done.stderr.strip().splitlines() or ["it gave no reason"]
            raise BreakwaterError(f"docker {argv[0]} failed: {told[0].rpartition('Error response from daemon: ')[2]}")
        return done.stdout.strip()

    def succeeds(self, *argv: str, timeout: float = 60.0) -> bool:
        """Tell whether the command ends well."""
        refuse_to_start()
        return self._commands.run((*COMMAND, *argv), timeout=timeout).rc == 0

    def version(self) -> str | None:
        """Return the engine's version, None where no engine answers."""
        try:
            refuse_to_start()
        except StoppedEngineError:
            return None
        done = self._commands.run((*COMMAND, "version", "--format", "{{.Server.Version}}"))
        return done.stdout.strip() or None if done.rc == 0 else None
