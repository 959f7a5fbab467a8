# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Asks the engine by a container of a few bytes: what its own profile comes to here, and whether it can start programs
# under another one. moby keeps its profile in code, and resolves it by version, kernel, architecture and capabilities
# only when a container starts; then it stands in the container's config.json.
# Source: OCI runtime specification (config.json).

from __future__ import annotations

import contextlib
import json
import os
from typing import Any, Iterator, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import version_tuple
from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.probe import scratch_image
from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program

#: Also a container's name; what a killed run left is removed by it.
NAME = "breakwater-seccomp-probe"
#: Where containerd keeps the bundles of containers by its namespaces, run by systemd and by dockerd itself.
_BUNDLES = (
    "/run/containerd/io.containerd.runtime.v2.task",
    "/run/docker/containerd/daemon/io.containerd.runtime.v2.task",
)
#: Docker's namespace; with userns-remap, the remapped root follows after a hyphen.
_NAMESPACE = "moby"
#: The first engine in which a container can be given the engine's own profile whatever the daemon's default is.
_NAMES_BUILTIN_SINCE = (23, 0)
#: No network, no file to write, no privilege to gain, next to no memory and one process.
_CONFINED = (
    *("--network", "none", "--read-only", "--security-opt", "no-new-privileges", "--pids-limit", "16"),
    *("--memory", "32m", "--log-driver", "none", "--restart", "no"),
)


class HiddenDefaultError(InputError):
    """The engine does not show its own profile while another one is its default."""


@contextlib.contextmanager
def image(docker: Docker, machine: str) -> Iterator[None]:
    """Let there be an image NAME with the programs /wait and /end, and afterwards neither it nor a container of it."""
    programs = {"wait": Program(machine), "end": Program(machine)}
    programs["wait"].wait(None)
    entries = [scratch_image.Entry(path, program.elf()) for path, program in programs.items()]
    try:
        docker.succeeds("rm", "--force", NAME)
        scratch_image.load(docker, f"{NAME}:local", entries, 'CMD ["/wait"]')
        yield
    finally:
        docker.succeeds("rm", "--force", NAME)
        docker.succeeds("image", "rm", "--force", f"{NAME}:local")


def require_shown(docker: Docker) -> None:
    """Raise HiddenDefaultError when an old engine does not show its own profile, since another is its default."""
    if not _names_builtin(docker):
        options = docker.call("info", "--format", "{{json .SecurityOptions}}")
        if "name=seccomp,profile=default" not in options:
            raise HiddenDefaultError(
                "Engines before 23.0 show their own seccomp profile only while no other is the daemon's default, and"
                ' here one is: remove "seccomp-profile" from daemon.json for a run, or give a preset or file as base.'
            )


def _names_builtin(docker: Docker) -> bool:
    return version_tuple(docker.version() or "0") >= _NAMES_BUILTIN_SINCE


def engine_default(docker: Docker, files: FileSystem, capabilities: Sequence[str]) -> Any:
    """Return, as JSON, the engine's own profile for containers with these capabilities; needs the image.

    It has to be one that the engine shows; BreakwaterError when it can't be found.
    """
    builtin = ("--security-opt", "seccomp=builtin") if _names_builtin(docker) else ()
    added = (word for name in capabilities for word in ("--cap-add", name))
    argv = ("run", "--detach", "--name", NAME, "--cap-drop", "ALL", *added, *builtin, *_CONFINED, f"{NAME}:local")
    container = docker.call(*argv)
    try:
        return _resolved(files, container)
    finally:
        docker.call("rm", "--force", NAME)


def _resolved(files: FileSystem, container: str) -> Any:
    for bundle in _bundles(files):
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


def _bundles(files: FileSystem) -> Iterator[str]:
    for directory in _BUNDLES:
        with contextlib.suppress(FileNotFoundError):
            for namespace in files.listdir(directory):
                if namespace.partition("-")[0] == _NAMESPACE:
                    yield f"{directory}/{namespace}"


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
