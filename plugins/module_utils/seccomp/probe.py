# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Asks the engine by a container of a few bytes: what its own profile comes to here, and whether it can start programs
# under another one. moby keeps its profile in code, and resolves it by version, kernel, architecture and capabilities
# only when a container starts; then it stands in the container's config.json.
# Sources: elf(5), syscall(2) for the calling conventions, OCI runtime specification (config.json).

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import tarfile
import tempfile
from typing import Any, Iterator, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import version_tuple
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

#: Also a container's name; what a killed run left is removed by it.
NAME = "breakwater-seccomp-probe"
#: Machine code by what uname(1) calls the machine: the number of an ELF machine, pause() or what is like it, exit(0).
_CODE = {
    "x86_64": (62, bytes.fromhex("6a22580f05"), bytes.fromhex("31ffb8e70000000f05")),
    "aarch64": (
        183,
        struct.pack("<7I", *range(0xD2800000, 0xD2800005), 0xD2800928, 0xD4000001),
        struct.pack("<3I", 0xD2800000, 0xD2800BC8, 0xD4000001),
    ),
}
_BASE = 0x400000
#: Where containerd keeps the bundles of Docker's containers, run by systemd and by dockerd itself.
_BUNDLES = (
    "/run/containerd/io.containerd.runtime.v2.task/moby",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby",
)
#: The first engine in which a container can be given the engine's own profile whatever the daemon's default is.
_NAMES_BUILTIN_SINCE = (23, 0)
#: No network, no file to write, no privilege to gain, next to no memory and one process.
_CONFINED = (
    *("--network", "none", "--read-only", "--security-opt", "no-new-privileges", "--pids-limit", "16"),
    *("--memory", "32m", "--log-driver", "none", "--restart", "no"),
)


class HiddenDefaultError(InputError):
    """The engine does not show its own profile while another one is its default."""


class Docker:
    """The command `docker` of this host."""

    def __init__(self, commands: CommandRunner) -> None:
        self._commands = commands

    def call(self, *argv: str, timeout: float = 60.0) -> str:
        """Return what the command says; BreakwaterError with the engine's reason when it fails."""
        done = self._commands.run(("docker", *argv), timeout=timeout)
        if done.rc != 0:
            told = done.stderr.strip().splitlines() or ["it gave no reason"]
            raise BreakwaterError(f"docker {argv[0]} failed: {told[0].rpartition('Error response from daemon: ')[2]}")
        return done.stdout.strip()

    def succeeds(self, *argv: str) -> bool:
        """Tell whether the command ends well."""
        return self._commands.run(("docker", *argv), timeout=60).rc == 0

    def version(self) -> str | None:
        """Return the engine's version, None where no engine answers."""
        done = self._commands.run(("docker", "version", "--format", "{{.Server.Version}}"))
        return done.stdout.strip() or None if done.rc == 0 else None


def program(machine: str, waits: bool) -> bytes:
    """Return a static program for the machine that ends well at once, or waits to be killed."""
    number, wait, end = _CODE[machine]
    code = (wait if waits else b"") + end
    size = 64 + 56 + len(code)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, number, 1, _BASE + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, 0x1000)
    return header + segment + code


@contextlib.contextmanager
def image(docker: Docker, machine: str) -> Iterator[None]:
    """Let there be an image NAME with the programs /wait and /end, and afterwards neither it nor a container of it."""
    if machine not in _CODE:
        raise InputError(f"There is no probe for {machine}: only {', '.join(_CODE)} are supported.")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, waits in (("wait", True), ("end", False)):
            content = program(machine, waits)
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(content), 0o555
            tar.addfile(entry, io.BytesIO(content))
    with tempfile.NamedTemporaryFile(suffix=".tar") as file:
        file.write(archive.getvalue())
        file.flush()
        try:
            docker.succeeds("rm", "--force", NAME)
            docker.call("import", "--change", 'CMD ["/wait"]', file.name, f"{NAME}:local")
            yield
        finally:
            docker.succeeds("rm", "--force", NAME)
            docker.succeeds("image", "rm", "--force", f"{NAME}:local")


def engine_default(docker: Docker, files: FileSystem, capabilities: Sequence[str]) -> Any:
    """Return, as JSON, the engine's own profile for containers with these capabilities; needs the image.

    HiddenDefaultError when an old engine does not show it, BreakwaterError when it can't be found.
    """
    builtin: tuple[str, ...] = ("--security-opt", "seccomp=builtin")
    if version_tuple(docker.version() or "0") < _NAMES_BUILTIN_SINCE:
        builtin = ()
        options = docker.call("info", "--format", "{{json .SecurityOptions}}")
        if "name=seccomp,profile=default" not in options:
            raise HiddenDefaultError(
                "Engines before 23.0 show their own seccomp profile only while no other is the daemon's default, and"
                ' here one is: remove "seccomp-profile" from daemon.json for a run, or give a preset or file as base.'
            )
    added = (word for name in capabilities for word in ("--cap-add", name))
    argv = ("run", "--detach", "--name", NAME, "--cap-drop", "ALL", *added, *builtin, *_CONFINED, f"{NAME}:local")
    container = docker.call(*argv)
    try:
        return _resolved(files, container)
    finally:
        docker.call("rm", "--force", NAME)


def _resolved(files: FileSystem, container: str) -> Any:
    for bundle in _BUNDLES:
        with contextlib.suppress(FileNotFoundError):
            document = json.loads(files.read_text(f"{bundle}/{container}/config.json"))
            filters = document.get("linux", {}).get("seccomp")
            if filters is None:
                raise BreakwaterError(
                    "The engine starts containers without any seccomp filter: its kernel or build lacks it."
                )
            return filters
    raise BreakwaterError(
        f"The config.json of a running container is not below {' or '.join(_BUNDLES)}, so the engine's own profile"
        " can't be read: give a preset or file as base."
    )


def require_startable(docker: Docker, path: str, name: str) -> None:
    """Raise BreakwaterError when the engine can't run a program under the profile at `path`; needs the image."""
    argv = ("run", "--rm", "--name", NAME, "--cap-drop", "ALL", "--security-opt", f"seccomp={path}", *_CONFINED)
    try:
        docker.call(*argv, f"{NAME}:local", "/end")
    except BreakwaterError as error:
        raise BreakwaterError(
            f"No container starts under profile {name}, so nothing was changed: {str(error).rstrip('.')}."
            " Allow more: the preset runtime lists what is needed at least."
        ) from None


def kernel() -> tuple[int, int]:
    """Return major and minor version of the running kernel."""
    major, minor = os.uname().release.split(".")[:2]
    return int(major), int("".join(char for char in minor if char.isdigit()))
