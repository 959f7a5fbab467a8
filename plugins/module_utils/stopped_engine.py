# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Keeps a stopped engine stopped: where systemd holds its socket, the first connection would start the engine, and with
# it every container that restarts always.

from __future__ import annotations

import os

from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner

#: Of the host's own engine.
SOCKET = "/run/docker.sock"
_SYSTEMD = "/run/systemd/system"


class StoppedEngineError(EngineError):
    """The engine is stopped, and a connection would start it."""


def is_stopped() -> bool:
    """Tell whether the engine is stopped, and a connection would start it."""
    if not os.path.isdir(_SYSTEMD):
        return False
    states = SubprocessRunner().run(("systemctl", "is-active", "docker.service", "docker.socket")).stdout.split()
    return states[1:] == ["active"] and states[0] in ("inactive", "failed")


def refuse_to_start(path: str = SOCKET) -> None:
    """Raise StoppedEngineError where a connection to the socket at `path` would start the engine."""
    if os.path.realpath(path) == os.path.realpath(SOCKET) and is_stopped():
        reason = "docker.service is stopped, and docker.socket would start it: start it yourself."
        raise StoppedEngineError("stopped", reason)
