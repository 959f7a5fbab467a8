# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Attempts of a malicious image, at other tenants and at what all share: threats T7 and T8. What they use up is bounded
# here, whatever limit there is or is not.

from __future__ import annotations

from typing import Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program, Word
from ansible_collections.breakwater.docker.plugins.module_utils.probe.kernel_probes import (
    AT_FDCWD,
    O_RDONLY,
    O_WRONLY,
    opens,
)
from ansible_collections.breakwater.docker.plugins.module_utils.probe.model import (
    Observation,
    Probe,
    Surroundings,
    succeeds,
)
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults

#: Processes that the probe starts at most, and bytes that it writes to; a limit has to be below.
PROCESSES = 128
MEMORY = 128 << 20
#: Owner of another tenant's volume, and where the volume is.
TENANT = 10001
VOLUME = "/tenant"
#: The user that starts a setuid program, where root does not have to stay root.
_USER = 1000
#: A secret that is planted where a plain `docker run` has it, and where docker_workload has it.
SECRET_VARIABLE = "BREAKWATER_PLANTED_SECRET"  # noqa: S105 (its name)
SECRET = "planted"  # noqa: S105 (its name)
SECRET_FILE = f"/run/secrets/{SECRET}"
#: So much of an environment is looked at, in bytes.
_ENVIRONMENT = 512
_SLEEP_SECONDS = 5
_PIECE = 16 << 20
_O_CREAT = 0o100
_RLIMIT_NOFILE = 7
_SIGKILL = 9
_HARD_FILES = next(limit["Hard"] for limit in secure_defaults.host_config()["Ulimits"] if limit["Name"] == "nofile")


def _image_setuid(program: Program, _around: Surroundings) -> None:
    with program.child():
        program.call("setresuid", _USER, _USER, _USER)
        program.call("geteuid", tell="image_setuid.caller")
        program.call("execve", "/setuid", 0, 0, tell="image_setuid.exec")


def setuid_program(machine: str) -> bytes:
    """Return the program /setuid of the image, which tells as whom it runs."""
    program = Program(machine)
    user = program.call("geteuid")
    program.tell("image_setuid", user)
    return program.elf()


def _judge_image_setuid(told: Mapping[str, int]) -> Observation:
    user, caller = told.get("image_setuid"), told.get("image_setuid.caller")
    if user is None or caller is None:
        return succeeds("image_setuid.exec", "")(told)
    # the owner need not be 0: an engine with userns-remap gives the image's files to another user
    if user != caller:
        return Observation(True, f"a setuid program of the image makes user {caller} its owner, user {user}")
    return Observation(False, f"a setuid program of the image still runs as user {user}")


def _image_dropper(program: Program, around: Surroundings) -> None:
    dropped = Program(around.machine, calls=8)
    dropped.tell("image_dropper", 1)
    content = dropped.elf()
    for directory in ("", "/tmp"):  # noqa: S108 (in the container)
        path = f"{directory}/dropped"
        file = program.call("openat", AT_FDCWD, path, _O_CREAT | O_WRONLY, 0o700, tell="image_dropper.write")
        program.call("write", file, content, len(content))
        program.call("close", file)
        with program.child():
            program.call("execve", path, 0, 0, tell="image_dropper.exec")


def _judge_image_dropper(told: Mapping[str, int]) -> Observation:
    if "image_dropper" in told:
        return Observation(True, "it writes a program and runs it")
    return succeeds("image_dropper.exec", "")(told)


def _unsigned_image(program: Program, _around: Surroundings) -> None:
    # nobody signed the image that this program is in
    program.tell("unsigned_image", 1)


def _environment_secret(program: Program, _around: Surroundings) -> None:
    found = program.data(bytes(_ENVIRONMENT))
    file = program.call("openat", AT_FDCWD, "/proc/self/environ", O_RDONLY, 0)
    program.call("read", file, found, _ENVIRONMENT)
    for place in range(0, _ENVIRONMENT, 8):
        program.tell(f"environment_secret.{place}", Word(found + place))
    program.call("openat", AT_FDCWD, SECRET_FILE, O_RDONLY, 0, tell="environment_secret.file")


def _judge_environment_secret(told: Mapping[str, int]) -> Observation:
    if "environment_secret.file" not in told:
        return Observation(None, "it did not get so far")
    words = (told[f"environment_secret.{place}"] for place in range(0, _ENVIRONMENT, 8))
    environment = b"".join(word.to_bytes(8, "little", signed=True) for word in words)
    if f"{SECRET_VARIABLE}=".encode() in environment:
        return Observation(True, "it finds a secret in its environment, as does whoever may inspect the container")
    if told["environment_secret.file"] >= 0:
        return Observation(False, "its secret is in a file for its user alone, and not in its environment")
    return Observation(False, "it has no secret in its environment")


def _host_root(program: Program, _around: Surroundings) -> None:
    mapped = program.data(bytes(24))
    file = program.call("openat", AT_FDCWD, "/proc/self/uid_map", O_RDONLY, 0)
    program.call("read", file, mapped, 24)
    for word in range(3):
        program.tell(f"host_root.map{word}", Word(mapped + 8 * word))
    program.call("geteuid", tell="host_root.user")


def _judge_host_root(told: Mapping[str, int]) -> Observation:
    try:
        words = [told[f"host_root.map{word}"].to_bytes(8, "little", signed=True) for word in range(3)]
        inside, outside = (int(field) for field in b"".join(words).split()[:2])
        user = told["host_root.user"]
    except (KeyError, ValueError):
        return Observation(None, "its user namespace can't be read")
    on_host = user - inside + outside
    return Observation(on_host == 0, f"user {user} of the container is user {on_host} of the host")


def _fork_bomb(program: Program, _around: Surroundings) -> None:
    for number in range(1, PROCESSES + 1):
        started = program.sleeper(_SLEEP_SECONDS)
        if number == PROCESSES:
            program.tell("fork_bomb", started)


def _memory(program: Program, _around: Surroundings) -> None:
    with program.child("memory.status"):
        zeros = program.call("openat", AT_FDCWD, "/dev/zero", O_RDONLY, 0)
        for position in range(0, MEMORY, _PIECE):
            piece = program.call("mmap", 0, _PIECE, 3, 0x22, -1, 0)  # readable, writable; private, of no file
            last = position + _PIECE == MEMORY
            program.call("read", zeros, piece, _PIECE, tell="memory" if last else None)


def _judge_memory(told: Mapping[str, int]) -> Observation:
    if told.get("memory") == _PIECE:
        return Observation(True, f"it fills {MEMORY >> 20} MiB of memory")
    if "memory" in told:
        return Observation(False, f"it can't fill {MEMORY >> 20} MiB of memory")
    if told.get("memory.status", 0) & 0x7F == _SIGKILL:
        return Observation(False, f"it is ended before it fills {MEMORY >> 20} MiB of memory")
    return Observation(None, "it did not get so far")


def _open_files(program: Program, _around: Surroundings) -> None:
    limits = program.data(bytes(16))
    program.call("prlimit64", 0, _RLIMIT_NOFILE, 0, limits)
    program.tell("open_files", Word(limits + 8))


def _judge_open_files(told: Mapping[str, int]) -> Observation:
    if "open_files" not in told:
        return Observation(None, "it did not get so far")
    limit = told["open_files"] & (1 << 64) - 1
    return Observation(limit > _HARD_FILES, f"a process may open {limit} files")


#: What ends processes comes last.
PROBES = (
    Probe(
        *("image_setuid", "Become root by a setuid program of the image", ("T7",), _image_setuid),
        _judge_image_setuid,
    ),
    Probe(
        *("image_dropper", "Write a program and run it", ("T7",), _image_dropper),
        _judge_image_dropper,
    ),
    Probe(
        *("unsigned_image", "Start an image that nobody signed", ("T7",), _unsigned_image),
        succeeds("unsigned_image", "the engine starts an image that nobody signed"),
    ),
    Probe(
        *("environment_secret", "Find a planted secret in the environment", ("T7",), _environment_secret),
        _judge_environment_secret,
    ),
    Probe(
        *("host_root", "Be the host's root, for want of a user namespace", ("T8",), _host_root),
        _judge_host_root,
    ),
    Probe(
        *("tenant_volume", "Read the volume of another tenant", ("T8",)),
        opens("tenant_volume", f"{VOLUME}/secret", O_RDONLY),
        succeeds("tenant_volume", "it opens another tenant's file"),
    ),
    Probe(*("open_files", "Open files without end", ("T8",), _open_files), _judge_open_files),
    Probe(*("memory", "Use up the host's memory", ("T8",), _memory), _judge_memory),
    Probe(
        *("fork_bomb", "Start processes without end (fork bomb)", ("T8",), _fork_bomb),
        succeeds("fork_bomb", f"it starts {PROCESSES} processes"),
    ),
)
