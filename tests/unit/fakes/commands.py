# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A CommandRunner with recorded answers.

from __future__ import annotations

from typing import Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult

#: How each call of the docker command begins: with the engine of the host, whatever root's current context is.
DOCKER = "docker --host unix:///run/docker.sock"


class RecordedCommands:
    """Answers commands by their first words; what is not recorded is not installed."""

    def __init__(self) -> None:
        self.answers: dict[str, CommandResult] = {}
        self.asked: list[str] = []

    def answer(self, command: str, stdout: str = "", rc: int | None = 0, stderr: str = "") -> None:
        """Record an answer to every command that begins so."""
        self.answers[command] = CommandResult(rc, stdout, stderr)

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        """Return the recorded answer."""
        line = " ".join(argv)
        self.asked.append(line)
        for command, result in self.answers.items():
            if line.startswith(command):
                return result
        return CommandResult(None, "", f"{argv[0]} is not installed")
