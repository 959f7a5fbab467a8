# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Makes all attempts under all arrangements, in containers of their own, and leaves nothing of them.

from __future__ import annotations

import contextlib
import fcntl
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.probe import (
    arrangement,
    host_probes,
    kernel_probes,
    network_probes,
    scratch_image,
    workload_probes,
)
from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program, require_supported
from ansible_collections.breakwater.docker.plugins.module_utils.probe.laboratory import Laboratory
from ansible_collections.breakwater.docker.plugins.module_utils.probe.model import (
    CONTROL,
    DEFAULT,
    HARDENED,
    NOT_TESTABLE,
    Observation,
    Probe,
    Surroundings,
    Verdict,
    verdict,
)

ALONE = (*kernel_probes.PROBES, *network_probes.SOCKETS, *workload_probes.PROBES)
#: Contacts come before what ends processes.
PROBES = (
    *(*kernel_probes.PROBES, *network_probes.SOCKETS, *network_probes.CONTACTS),
    *(host_probes.REGISTRY, *workload_probes.PROBES),
)
LOCK = "/run/breakwater-probe.lock"
#: The control of contacts is a container on the same network.
_PEER = "peer"
_CONTACTS = 8
_RECORDS = 1500
#: What is free has to be so many times what the probe of memory uses.
_SPARE = 8
_REMOVED_DISK = ("2", "11")  # floppy disks and CDs, which opening may move


@contextlib.contextmanager
def exclusive(path: str = LOCK) -> Iterator[None]:
    """Let there be one proof at a time, since each removes what others left; InputError while there is another."""
    with open(path, "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError("Another proof is running on this host: wait for it.") from None
        yield


def surroundings(files: FileSystem, machine: str) -> Surroundings:
    """Return what attempts have to know of the host."""
    require_supported(machine)
    root = files.stat("/").st_dev
    device = (os.major(root), os.minor(root))
    if device[0] == 0:  # a file system without a device of its own
        with contextlib.suppress(OSError):
            numbers = (name.split(":") for name in files.listdir("/sys/dev/block"))
            found = [number for number in numbers if number[0] not in _REMOVED_DISK]
            device = (int(found[0][0]), int(found[0][1])) if found else (7, 0)
    return Surroundings(machine, device, _controller(files))


def _controller(files: FileSystem) -> str:
    """Return a controller that is alone in a hierarchy of version 1, so that mounting it makes no new one."""
    try:
        rows = [line.split() for line in files.read_text("/proc/cgroups").splitlines() if not line.startswith("#")]
    except OSError:
        return ""
    hierarchies = [row[1] for row in rows]
    return next((row[0] for row in rows if row[1] != "0" and hierarchies.count(row[1]) == 1), "")


def obstacles(files: FileSystem, around: Surroundings) -> dict[str, str]:
    """Return by probe why it can't be made on this host, or not without harm."""
    found = {
        probe: "The kernel has not loaded such sockets, and asking for one would load them."
        for probe, path in kernel_probes.SOCKET_FILES.items()
        if not exists(files, path)
    }
    if not around.controller:
        found["control_group"] = "The host has no control groups of version 1, and so no release_agent."
    spare = 0
    for line in files.read_text("/proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            spare = int(line.split()[1]) << 10
    if spare < _SPARE * workload_probes.MEMORY:
        found["memory"] = f"The host has {spare >> 20} MiB of memory to spare, too little to use some up."
    return found


def prove(docker: Docker, files: FileSystem, machine: str, run: str) -> list[dict[str, Any]]:
    """Make all attempts that nothing hinders and return the verdicts on all probes; `run` names what is made for it.

    InputError where it can't be done, BreakwaterError where the engine refuses it; nothing is left either way.
    """
    around = surroundings(files, machine)
    hindered = obstacles(files, around)
    laboratory = Laboratory(docker, run)
    with exclusive():
        laboratory.sweep()
        try:
            return judged(laboratory, files, around, hindered)
        finally:
            laboratory.sweep()


def judged(
    laboratory: Laboratory, files: FileSystem, around: Surroundings, hindered: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Make the attempts in the laboratory and return the verdicts; `hindered` says by probe why it is left out."""
    attempts = tuple(probe for probe in PROBES if probe.id not in hindered)
    places, peers = furnish(laboratory, around)
    sockets = [path for path in arrangement.SOCKETS if exists(files, path)]
    observed = observe(laboratory, around, attempts, {CONTROL: arrangement.control(sockets), **places}, peers)
    registry = host_probes.ask(host_probes.configured(laboratory.registries(), files))
    on_host = {
        (host_probes.REGISTRY.id, _PEER): host_probes.ask(_plain_registry(peers[_PEER])),
        **{(host_probes.REGISTRY.id, what): registry for what in (DEFAULT, HARDENED)},
        ("unsigned_image", HARDENED): host_probes.started_by_workload(files),
    }
    return [_result(probe, observed, on_host, hindered.get(probe.id)) for probe in PROBES]


def _plain_registry(peer: Mapping[str, Any]) -> list[host_probes.Registry]:
    """Return the container that answers everybody without TLS, if it was started."""
    return [host_probes.Registry(peer["IPAddress"], network_probes.PORT)] if peer.get("IPAddress") else []


def furnish(laboratory: Laboratory, around: Surroundings) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """Make networks, and start on each a container that answers; return, by place, the options and its settings."""
    listen = Program(around.machine)
    network_probes.listen(listen, _CONTACTS)
    listening = laboratory.image("listener", [scratch_image.Entry("listen", listen.elf())])
    shared, own = laboratory.network("shared", isolated=False), laboratory.network("own", isolated=True)
    harmless = arrangement.hardened()
    places: dict[str, list[str]] = {
        _PEER: ["--network", shared, *harmless],
        DEFAULT: [],
        HARDENED: ["--network", own, *harmless],
    }
    with ThreadPoolExecutor() as pool:
        started = pool.map(lambda item: laboratory.listener(item[0], listening, item[1]), places.items())
        return places, dict(zip(places, started))


def observe(
    laboratory: Laboratory,
    around: Surroundings,
    attempts: Sequence[Probe],
    arrangements: Mapping[str, list[str]],
    peers: Mapping[str, dict[str, Any]],
) -> dict[str, Mapping[str, int] | str]:
    """Return what the attempts told, or why they could not be made, by arrangement; each is given with its options."""
    entries = [
        scratch_image.Entry("setuid", workload_probes.setuid_program(around.machine), 0o4755),
        scratch_image.Entry("mnt", None, 0o755),
        scratch_image.Entry("cgroup", None, 0o755),
        scratch_image.Entry("tmp", None, 0o1777),
        scratch_image.Entry(workload_probes.VOLUME.lstrip("/"), None, 0o700, workload_probes.TENANT),
        scratch_image.Entry(f"{workload_probes.VOLUME.lstrip('/')}/secret", b"", 0o600, workload_probes.TENANT),
        programmed(CONTROL, around, [probe for probe in attempts if probe in ALONE]),
    ]
    for what, peer in peers.items():
        reached = replace(around, addresses=_addresses(peer, peers[_PEER], what == _PEER))
        chosen = [probe for probe in attempts if probe not in ALONE] if what == _PEER else attempts
        entries.append(programmed(what, reached, chosen))
    image, volume = laboratory.image("attempts", entries), laboratory.volume()
    # the first container to mount the volume fills it with what the image has there
    tenant = ["--volume", f"{volume}:{workload_probes.VOLUME}:ro"]
    planted = ["--env", f"{workload_probes.SECRET_VARIABLE}={os.urandom(16).hex()}"]
    secrets = {CONTROL: planted, DEFAULT: planted, HARDENED: laboratory.secret()}
    everything = {what: [*options, *tenant, *secrets.get(what, ())] for what, options in arrangements.items()}
    filled = _ran(laboratory, CONTROL, image, everything.pop(CONTROL))
    with ThreadPoolExecutor() as pool:
        others = pool.map(lambda item: _ran(laboratory, item[0], image, item[1]), everything.items())
        return {CONTROL: filled, **dict(zip(everything, others))}


def _ran(laboratory: Laboratory, what: str, image: str, options: Sequence[str]) -> Mapping[str, int] | str:
    try:
        return laboratory.run(what, image, options, f"/{what}")
    except BreakwaterError as error:
        return str(error).rstrip(".")


def programmed(what: str, around: Surroundings, attempts: Sequence[Probe]) -> scratch_image.Entry:
    """Return the program that makes the attempts, as /`what` of an image."""
    program = Program(around.machine, _RECORDS)
    for probe in attempts:
        probe.attempt(program, around)
    return scratch_image.Entry(what, program.elf())


def _addresses(own: Mapping[str, Any], shared: Mapping[str, Any], peer: bool) -> dict[str, str]:
    """Return whom a container can try to reach; the control finds its peer at every address."""
    known = {
        "gateway": shared.get("IPAddress") if peer else own.get("Gateway"),
        "gateway6": None if peer else own.get("IPv6Gateway"),
        "neighbour": own.get("IPAddress"),
        "stranger": shared.get("IPAddress"),
    }
    return {name: address for name, address in known.items() if address}


def _result(
    probe: Probe,
    observed: Mapping[str, Mapping[str, int] | str],
    on_host: Mapping[tuple[str, str], Observation],
    hindered: str | None,
) -> dict[str, Any]:
    def seen(what: str) -> Observation:
        return on_host.get((probe.id, what)) or _judged(probe, observed[what])

    result: dict[str, Any] = {"id": probe.id, "title": probe.title, "threats": list(probe.threats)}
    control = seen(CONTROL if probe in ALONE else _PEER)
    result[CONTROL] = f"{hindered or control.text}"
    for what in (DEFAULT, HARDENED):
        judged = Verdict(NOT_TESTABLE, hindered) if hindered else verdict(seen(what), control)
        result[what] = {"verdict": judged.verdict, "reason": judged.reason}
    return result


def _judged(probe: Probe, found: Mapping[str, int] | str) -> Observation:
    return Observation(None, found) if isinstance(found, str) else probe.judge(found)
