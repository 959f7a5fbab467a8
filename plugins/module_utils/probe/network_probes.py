# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Attempts to reach the engine and other containers: threats T4 and T6.

from __future__ import annotations

import errno
import ipaddress
import struct
from typing import Callable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program, Word
from ansible_collections.breakwater.docker.plugins.module_utils.probe.kernel_probes import Attempt
from ansible_collections.breakwater.docker.plugins.module_utils.probe.model import (
    Observation,
    Probe,
    Surroundings,
    error_name,
    succeeds,
)
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.syscalls import CONSTANTS

#: What the listener listens on: the port that the engine has without TLS.
PORT = 2375
TLS_PORT = 2376
_SOL_SOCKET, _SO_RCVTIMEO, _SO_SNDTIMEO = 1, 20, 21
_SOCK_STREAM = 1
#: Seconds and microseconds.
_ANSWER_SECONDS = (1, 500_000)
#: As long as the other attempts take on the slowest host; the end of the proof ends the listeners anyway.
_LISTEN_SECONDS = (300, 0)
#: What connecting ends with when nobody answers in time.
_WAITED = (errno.EINPROGRESS, errno.EAGAIN, errno.ETIMEDOUT)
_REQUEST = b"GET /_ping HTTP/1.0\r\n\r\n"
_ANSWER = b"HTTP/1.0 200 OK\r\n\r\n"


def listen(program: Program, contacts: int) -> None:
    """Answer so many contacts on PORT as an engine would; end when nobody comes for a while."""
    listener = program.call("socket", CONSTANTS["AF_INET"], _SOCK_STREAM, 0)
    _limit_waiting(program, listener, _LISTEN_SECONDS)
    program.call("bind", listener, _address("0.0.0.0", PORT), 16)  # noqa: S104 (in the container)
    program.call("listen", listener, contacts)
    for _contact in range(contacts):
        peer = program.call("accept", listener, 0, 0)
        program.call("write", peer, _ANSWER, len(_ANSWER))
        program.call("close", peer)


def _limit_waiting(program: Program, socket: Word, limit: tuple[int, int]) -> None:
    for option in (_SO_RCVTIMEO, _SO_SNDTIMEO):
        program.call("setsockopt", socket, _SOL_SOCKET, option, struct.pack("<qq", *limit), 16)


def _address(address: str, port: int) -> bytes:
    ip = ipaddress.ip_address(address)
    if ip.version == 4:
        return struct.pack("<H", CONSTANTS["AF_INET"]) + struct.pack(">H4s8x", port, ip.packed)
    return struct.pack("<H", CONSTANTS["AF_INET6"]) + struct.pack(">HI16sI", port, 0, ip.packed, 0)


def _asks(name: str, where: str, port: int = PORT) -> Attempt:
    """Return an attempt to ask for a ping at what is in the surroundings under `where`, if anything is."""

    def attempt(program: Program, around: Surroundings) -> None:
        if where not in around.addresses:
            return
        address = _address(around.addresses[where], port)
        family = CONSTANTS["AF_INET"] if len(address) == 16 else CONSTANTS["AF_INET6"]
        answer = program.data(bytes(16))
        socket = program.call("socket", family, _SOCK_STREAM, 0)
        _limit_waiting(program, socket, _ANSWER_SECONDS)
        connected = program.call("connect", socket, address, len(address), tell=f"{name}.connect")
        with program.after_zero(connected):
            program.call("write", socket, _REQUEST, len(_REQUEST))
            program.call("read", socket, answer, 16)
        program.tell(f"{name}.answer", Word(answer))
        program.tell(f"{name}.status", Word(answer + 8))
        program.call("close", socket)

    return attempt


def _answers(told: Mapping[str, int], name: str) -> bool:
    words = (told.get(f"{name}.{part}", 0) for part in ("answer", "status"))
    answer = b"".join(word.to_bytes(8, "little", signed=True) for word in words)
    return answer.startswith(b"HTTP/1.") and answer[8:12] == b" 200"


_ENGINE = {
    f"engine_api.{where}.{port}": (where, port) for where in ("gateway", "gateway6") for port in (PORT, TLS_PORT)
}


def _engine_api(program: Program, around: Surroundings) -> None:
    for name, (where, port) in _ENGINE.items():
        _asks(name, where, port)(program, around)


def _judge_engine_api(told: Mapping[str, int]) -> Observation:
    asked = [name for name in _ENGINE if f"{name}.connect" in told]
    if not asked:
        return Observation(None, "the container has no gateway to ask")
    for name in asked:
        if _answers(told, name):
            return Observation(True, f"the engine answers at the gateway's port {_ENGINE[name][1]} without TLS")
    ports = {
        name: "connects" if told[f"{name}.connect"] == 0 else error_name(told[f"{name}.connect"]) for name in asked
    }
    listed = ", ".join(f"{_ENGINE[name][0]} {_ENGINE[name][1]} {found}" for name, found in ports.items())
    return Observation(False, f"no engine answers without TLS ({listed})")


def _connection(result: int) -> str:
    if result == 0:
        return "connects"
    return "no answer" if -result in _WAITED else error_name(result)


def _judge_contact(name: str, what: str) -> Callable[[Mapping[str, int]], Observation]:
    def judge(told: Mapping[str, int]) -> Observation:
        if f"{name}.connect" not in told:
            return Observation(None, "there was no container to reach")
        if _answers(told, name):
            return Observation(True, what)
        return Observation(False, f"it reaches nobody ({_connection(told[f'{name}.connect'])})")

    return judge


def _socket_file(name: str, path: str) -> Attempt:
    def attempt(program: Program, _around: Surroundings) -> None:
        socket = program.call("socket", CONSTANTS["AF_UNIX"], _SOCK_STREAM, 0)
        address = struct.pack("<H", CONSTANTS["AF_UNIX"]) + path.encode() + b"\0"
        program.call("connect", socket, address, len(address), tell=name)

    return attempt


#: Attempts at sockets in the file system.
SOCKETS = (
    Probe(
        *("docker_socket", "Reach the engine's socket", ("T4",)),
        _socket_file("docker_socket", "/var/run/docker.sock"),
        succeeds("docker_socket", "it reaches the engine's socket, and could start containers as root"),
    ),
    Probe(
        *("containerd_socket", "Reach containerd's socket", ("T4",)),
        _socket_file("containerd_socket", "/run/containerd/containerd.sock"),
        succeeds("containerd_socket", "it reaches containerd's socket, and could start containers as root"),
    ),
)

#: Attempts to reach others; their control is a container on the same network.
CONTACTS = (
    Probe(*("engine_api", "Reach the engine over TCP without TLS", ("T4",), _engine_api), _judge_engine_api),
    Probe(
        *("neighbour", "Reach another container on the same network (ICC)", ("T6",)),
        _asks("neighbour", "neighbour"),
        _judge_contact("neighbour", "it reaches another container on its network"),
    ),
    Probe(
        *("other_network", "Reach a container on another network", ("T6",)),
        _asks("other_network", "stranger"),
        _judge_contact("other_network", "it reaches a container on another network"),
    ),
)
