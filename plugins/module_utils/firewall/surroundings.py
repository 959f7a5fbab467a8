# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the rules must know of the host: the engine's bridges and packet filter, docker-proxy, and who is connected.
# Sources: Engine API (GET /info since 1.49 has FirewallBackend), ssh(1) for SSH_CONNECTION, proc(5).

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.dockerd_settings import DaemonSettings, read_settings
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.firewall.policy import Address, Flow, Peer, Policy
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import names_in
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import StoppedEngineError

IPTABLES, NFTABLES = "iptables", "nftables"
_BRIDGES = '/networks?filters={"driver":["bridge"]}'
_BRIDGE_NAME = "com.docker.network.bridge.name"
_EVERY_ADDRESS = "::"
#: A bridge as the engine calls it by itself, in a text of rules.
_ITS_BRIDGE = re.compile(r"\bbr-[0-9a-f]{12}\b")


@dataclass(frozen=True)
class Engine:
    """What the engine says; the defaults hold where none runs."""

    backend: str = IPTABLES
    bridges: tuple[str, ...] = ()
    published: tuple[Flow, ...] = ()
    """What running containers publish, but not on the host's loopback addresses, which nobody else can dial."""


def read_engine(api: EngineReader) -> Engine:
    """Return the facts of the engine behind `api`; EngineError when one is there that can't be examined."""
    try:
        info = api.get("/info")
        networks = api.get(_BRIDGES)
        containers = api.get("/containers/json")
    except StoppedEngineError:
        raise
    except EngineError as error:
        if error.status in ("absent", "stopped"):
            return Engine()
        raise
    driver = str((info.get("FirewallBackend") or {}).get("Driver"))
    return Engine(
        NFTABLES if driver.startswith(NFTABLES) else IPTABLES,
        tuple(sorted(_bridge(network) for network in networks)),
        tuple(dict.fromkeys(_published(containers))),
    )


def _published(containers: list[dict[str, Any]]) -> Iterator[Flow]:
    ports = {
        (port["Type"], port["PublicPort"], port.get("IP") or _EVERY_ADDRESS)
        for container in containers
        for port in container.get("Ports") or ()
        if port.get("PublicPort")
    }
    for protocol, port, text in sorted(ports):
        address = ip_address(text)
        if not address.is_loopback:
            # the same port of the host's other addresses belongs to somebody else, say sshd
            yield Flow(protocol, (port, port), destinations=() if address.is_unspecified else (ip_network(address),))


def _bridge(network: dict[str, Any]) -> str:
    return (network.get("Options") or {}).get(_BRIDGE_NAME) or f"br-{network['Id'][:12]}"


def own_interfaces(files: FileSystem, wanted: Policy, engine: Engine) -> tuple[str, ...]:
    """Return the interfaces that a pattern of the policy's bridges covers and that are none of the engine's.

    A host may be reached by its own `br-lan`. What the policy spells out, or has a name that the engine gives, say of a
    network made just now, counts as the engine's all the same.
    """
    known = {*engine.bridges, *wanted.bridges}
    return tuple(
        name
        for name in sorted(names_in(files, "/sys/class/net"))
        if wanted.covers(name) and name not in known and not _ITS_BRIDGE.fullmatch(name)
    )


def new_and_gone(before: Mapping[str, str], after: Mapping[str, str], bridges: Iterable[str]) -> list[str]:
    """Say which bridges the engine has got or given up since the rules `before` were written, of those rules name.

    Without this, rules that change while no variable did are a riddle. Nothing is said of the first rules.
    """
    if not before:
        return []
    former, now = ("".join(texts.values()) for texts in (before, after))
    new = [name for name in bridges if _names(now, name) and not _names(former, name)]
    gone = sorted({name for name in _ITS_BRIDGE.findall(former) if not _names(now, name)})
    return [*(f"{name} is new" for name in new), *(f"{name} is gone" for name in gone)]


def _names(rules: str, bridge: str) -> bool:
    return re.search(rf"(?<![\w.:@-]){re.escape(bridge)}(?![\w.:@+-])", rules) is not None


def daemon_settings(files: FileSystem, socket: str) -> DaemonSettings:
    """Return what the dockerd behind `socket` was started with; it has no process where none runs."""
    return read_settings(files, scan(files), socket)


def uses_proxy(settings: DaemonSettings) -> bool:
    """Tell whether dockerd serves published ports by docker-proxy, as it does by default."""
    return settings.process is not None and settings.values.get("userland-proxy") is not False


def serves_clients(settings: DaemonSettings) -> bool:
    """Tell whether dockerd is commanded over TLS by clients that have certificates."""
    return settings.process is not None and settings.values.get("tlsverify") is True


def ssh_peer(files: FileSystem, pid: int | None = None) -> Peer | None:
    """Return the far end of the ssh connection that a process (by default this one) belongs to, None for no such.

    sudo takes SSH_CONNECTION out of the environment, so the process's ancestors are asked too.
    """
    current = os.getpid() if pid is None else pid
    while current > 1:
        try:
            variables = files.read_text(f"/proc/{current}/environ").split("\0")
            # the name of the program is in parentheses and may hold any character
            status = files.read_text(f"/proc/{current}/stat").rpartition(")")[2].split()
        except OSError:
            return None
        for variable in variables:
            name, _separator, value = variable.partition("=")
            if name == "SSH_CONNECTION":
                client, _client_port, server, port = value.split()
                return Peer(_address(client), int(port), _address(server))
        current = int(status[1])
    return None


def _address(text: str) -> Address:
    """Return an address without the interface that a link-local one is told with."""
    return ip_address(text.partition("%")[0])
