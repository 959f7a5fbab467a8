# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine's port for TLS. systemd holds it, as it holds the local socket, and hands it to dockerd: while dockerd is
# restarted to load new certificates (it does so at its start only), clients wait instead of being refused.
# Sources: systemd.socket(5), sd_listen_fds(3), and moby/moby daemon/listeners for TLS on inherited sockets.

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Iterable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils import listeners
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.apply import check_dependents
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import (
    DEFAULT_SOCKET,
    UNIT,
    EngineHost,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import EngineState, moving_keys
from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings, read_settings
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan
from ansible_collections.breakwater.docker.plugins.module_utils.unit_starts import started_at

SOCKET_UNIT = "docker-tls.socket"
SOCKET_FILE = f"/etc/systemd/system/{SOCKET_UNIT}"
DROP_IN_FILE = f"/etc/systemd/system/{UNIT}.d/breakwater-tls.conf"
_SOCKET_TEXT = """\
# Managed by breakwater.docker: the engine's API over TLS. It is started and closed by docker.service.
[Unit]
Description=Docker API over TLS

[Socket]
ListenStream={stream}
# The network may give the address later.
FreeBind=true
Service=docker.service
"""
# An inherited socket is served without TLS by a dockerd that is not told to use it, so the port is closed then; and a
# port that daemon.json names itself would be taken.
_WANTED = "tlsverify.: *true"
_DROP_IN_TEXT = f"""\
# Managed by breakwater.docker: systemd holds the engine's port, but only while daemon.json wants client certificates.
[Unit]
Wants=docker-tls.socket
After=docker-tls.socket

[Service]
ExecStartPre=/bin/sh -c 'cd /etc/docker && grep -Eq "{_WANTED}" daemon.json && ! grep -q tcp: daemon.json \
|| systemctl stop docker-tls.socket'
"""


@dataclass(frozen=True)
class Endpoint:
    """Where clients reach the engine; an empty `address` is every address of the host."""

    address: str
    port: int

    def __post_init__(self) -> None:
        """InputError for what is no address."""
        try:
            self._address()
        except ValueError as error:
            raise InputError(f"address: {error}: give an address of the host. Nothing was changed.") from None

    def _address(self) -> IPv4Address | IPv6Address:
        return ip_address(self.address.partition("%")[0] or "::")

    def is_served(self, files: FileSystem, pid: int) -> bool:
        """Tell whether the process listens there; OSError when that can't be seen."""
        wanted = self._address()
        found = (ip_address(address) for address, port in listeners.listening(files, pid) if port == self.port)
        return any(address == wanted or (not self.address and address.is_unspecified) for address in found)

    def units(self) -> dict[str, str]:
        """Return the content of the unit files by their paths."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        stream = f"{address}:{self.port}" if address else str(self.port)
        return {SOCKET_FILE: _SOCKET_TEXT.format(stream=stream), DROP_IN_FILE: _DROP_IN_TEXT}


@dataclass(frozen=True)
class Plan:
    """What is to be done: unit files before and after, and why the engine is restarted (empty when it is not)."""

    before: Mapping[str, str]
    after: Mapping[str, str]
    reasons: list[str] = field(default_factory=list)
    opened: bool = False
    """Whether the port is to be open afterwards."""
    live_restore: bool = False
    """Whether dockerd would be started with live-restore: one that is not stops the containers that it finds."""

    @property
    def changed_units(self) -> list[str]:
        """Return the paths of the unit files that differ."""
        return [path for path, text in self.after.items() if self.before[path] != text]


def make_plan(
    files: FileSystem,
    commands: CommandRunner,
    endpoint: Endpoint,
    certificates: Iterable[str],
    replaced: bool,
) -> Plan:
    """Compare the host with what is wanted; `certificates` are the paths of the files that dockerd loads.

    `replaced` tells that they are about to change. OSError when the host can't be examined.
    """
    after = endpoint.units()
    before = {path: _read(files, path) for path in after}
    settings = read_settings(files, scan(files), DEFAULT_SOCKET)
    if settings.process is None or not _uses(settings, certificates):
        # docker_engine will restart it when it tells it to use TLS.
        return Plan(before, after)
    reasons = []
    opened = _leaves_open(files) and not any("tcp:" in str(address) for address in settings.values.get("hosts") or [])
    if opened and before != after:
        reasons.append("its port is opened by systemd from now on")
    elif opened and not endpoint.is_served(files, settings.process.pid):
        reasons.append("its port is closed")
    if replaced or _loaded_before(files, commands, certificates):
        reasons.append("its certificates are newer than itself")
    return Plan(before, after, reasons, opened, settings.values.get("live-restore") is True)


def _leaves_open(files: FileSystem) -> bool:
    """Tell whether the drop-in leaves the port open."""
    document = _read(files, "/etc/docker/daemon.json")
    return re.search(_WANTED, document) is not None and "tcp:" not in document


def _uses(settings: DaemonSettings, certificates: Iterable[str]) -> bool:
    if settings.config_error or settings.values.get("tlsverify") is not True:
        return False
    try:
        return set(settings.tls_files().values()) == set(certificates)
    except UnreadableError:
        return False


def _loaded_before(files: FileSystem, commands: CommandRunner, certificates: Iterable[str]) -> bool:
    """Tell whether dockerd started before one of the files was written. So a run that was killed is made up for."""
    started = started_at(UNIT, commands)
    return started is not None and any(files.stat(path).st_mtime > started for path in certificates)


def check(
    plan: Plan, host: EngineHost, state: EngineState, document: Mapping[str, Any], allow_interruption: bool
) -> None:
    """Raise InputError when the plan must not or can't be carried out on this host; `document` is its daemon.json."""
    if not plan.reasons:
        return
    moving = moving_keys(document, state)
    if moving:
        raise InputError(
            f"The engine has to be restarted, since {' and '.join(plan.reasons)}, but daemon.json has"
            f" {', '.join(moving)} with which it does not run yet: its images, containers and volumes would not be seen"
            " any more. Set that back, or let docker_engine do it with docker_engine_allow_data_move. The engine was"
            " left as it is."
        )
    if state.swarm_active and plan.live_restore:
        raise InputError(
            f"The engine has to be restarted, since {' and '.join(plan.reasons)}, but in a swarm it does not start with"
            " live-restore: set it to false. The engine was left as it is."
        )
    kept = state.live_restore and plan.live_restore
    if state.containers and not kept and not allow_interruption:
        raise InputError(
            f"The engine has to be restarted, since {' and '.join(plan.reasons)}, but that would stop its"
            f" {state.containers} running containers: turn live-restore on (the role docker_engine does), or set"
            " allow_interruption: true. The engine was left as it is."
        )
    if not allow_interruption:
        why = f"The engine has to be restarted, since {' and '.join(plan.reasons)}"
        check_dependents(state, why, "The engine was left as it is.")
    if not host.can_restart:
        raise InputError(
            f"The engine has to be restarted, since {' and '.join(plan.reasons)}, but systemd does not manage it:"
            " restart it yourself. It was left as it is."
        )


def apply(plan: Plan, host: EngineHost, commands: CommandRunner, endpoint: Endpoint, timeout: float) -> None:
    """Write the unit files and restart the engine where there is a reason; `timeout` in seconds bounds each wait."""
    for path in plan.changed_units:
        ConfigFile(path).write(plan.after[path])
    if plan.changed_units:
        host.daemon_reload()
    if not plan.reasons:
        return
    if plan.before[SOCKET_FILE] != plan.after[SOCKET_FILE]:
        # Only then is the port let go. dockerd is not stopped here, since systemd would stop whatever requires it and
        # start none of that again: the restart opens the port anew, while dockerd is down.
        commands.run(("systemctl", "stop", SOCKET_UNIT), timeout=timeout)
    host.restart(timeout)
    host.wait_until(DEFAULT_SOCKET, {}, timeout)
    if plan.opened:
        _check_port(endpoint)


def _check_port(endpoint: Endpoint) -> None:
    try:
        answer = listeners.probe(endpoint.address or "127.0.0.1", endpoint.port)
    except UnreadableError as error:
        raise BreakwaterError(f"The engine was restarted, but {error}.") from None
    if not (answer.tls and answer.client_verified):
        raise BreakwaterError(
            f"Port {endpoint.port} answers without wanting a client's certificate: close it, then see to daemon.json."
        )


def certificate_paths(directory: str) -> list[str]:
    """Return the paths that tlscacert, tlscert and tlskey of daemon.json have to name."""
    return [os.path.join(directory, name) for name in ("ca.pem", "cert.pem", "key.pem")]


def _read(files: FileSystem, path: str) -> str:
    try:
        return files.read_text(path)
    except FileNotFoundError:
        return ""
