# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the attempts of one proof are made with, all of it labelled, and its removal.

from __future__ import annotations

import json
import os
import shutil
from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.probe import (
    arrangement,
    scratch_image,
    workload_probes,
)
from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import told
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults
from ansible_collections.breakwater.docker.plugins.module_utils.workload.host import host_user
from ansible_collections.breakwater.docker.plugins.module_utils.workload.secrets import Secret, SecretStore
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import container_root

SECRETS = "/run/breakwater-probe-secrets"
_NAME = "breakwater-probe"
#: For an attempt on a host whose processor is emulated, or shared by too many; a host of its own needs seconds.
_RUN_SECONDS = 400.0


class Laboratory:
    """The containers, networks, volume, images and secret of one proof on one engine."""

    def __init__(self, docker: Docker, run: str, secrets: str = SECRETS) -> None:
        self._docker = docker
        self._run = run
        self._secrets = secrets
        self._label = ("--label", f"{arrangement.LABEL}={run}")

    def name(self, what: str) -> str:
        """Return the name of what the proof makes."""
        return f"{_NAME}-{self._run}-{what}"

    def image(self, what: str, entries: Sequence[scratch_image.Entry]) -> str:
        """Make an image and return its name."""
        name = f"{_NAME}:{self._run}-{what}"
        scratch_image.load(self._docker, name, entries, f"LABEL {arrangement.LABEL}={self._run}")
        return name

    def volume(self) -> str:
        """Make a volume and return its name."""
        return self._docker.call("volume", "create", *self._label, self.name("volume"))

    def secret(self) -> list[str]:
        """Plant a secret as docker_workload does; return the options of the container that has it."""
        root = container_root(self._docker.call("info", "--format", "{{.DockerRootDir}}"))
        secret = Secret(os.urandom(16).hex(), *host_user(secure_defaults.USER, root))
        store = SecretStore(self._secrets)
        path = store.path(_NAME, workload_probes.SECRET, secret)
        store.put(path, secret)
        return ["--mount", f"type=bind,source={path},target={workload_probes.SECRET_FILE},readonly"]

    def registries(self) -> Mapping[str, Any]:
        """Return how the engine is configured to use registries, its RegistryConfig."""
        found = json.loads(self._docker.call("info", "--format", "{{json .RegistryConfig}}"))
        return found if isinstance(found, dict) else {}

    def network(self, what: str, isolated: bool) -> str:
        """Make a network and return its name."""
        name = self.name(what)
        self._docker.call("network", "create", *self._label, *arrangement.network(isolated), name)
        return name

    def listener(self, what: str, image: str, options: Sequence[str]) -> dict[str, Any]:
        """Start a container that answers contacts; return its settings on its network, empty if there is none of it."""
        name = self.name(f"listener-{what}")
        argv = ("run", "--detach", "--name", name, *self._label, "--log-driver", "none", *options, image, "/listen")
        try:
            self._docker.call(*argv, timeout=_RUN_SECONDS)
        except BreakwaterError:
            return {}  # whatever keeps it from starting keeps the attempts from it too, and they tell
        joined = json.loads(self._docker.call("inspect", "--format", "{{json .NetworkSettings.Networks}}", name))
        return next(iter(joined.values()), {})

    def run(self, what: str, image: str, options: Sequence[str], program: str) -> Mapping[str, int]:
        """Run a program of the image to its end and return what it told."""
        argv = ("run", "--rm", "--name", self.name(what), *self._label, "--log-driver", "none", *options, image)
        return told(self._docker.call(*argv, program, timeout=_RUN_SECONDS))

    def sweep(self) -> None:
        """Remove all that this proof, and others that were killed, have made; nothing else has the label."""
        shutil.rmtree(self._secrets, ignore_errors=True)
        chosen = ("--quiet", "--filter", f"label={arrangement.LABEL}")
        for kind, listing, removal in (
            ("container", ("ps", "--all", "--no-trunc"), ("rm", "--force", "--volumes")),
            ("network", ("network", "ls", "--no-trunc"), ("network", "rm")),
            ("volume", ("volume", "ls"), ("volume", "rm", "--force")),
            ("image", ("image", "ls", "--no-trunc"), ("image", "rm", "--force")),
        ):
            found = sorted(set(self._docker.call(*listing, *chosen).split()))
            if found and not self._docker.succeeds(*removal, *found, timeout=_RUN_SECONDS):
                left = self._docker.call(*listing, *chosen).split()
                if left:
                    raise BreakwaterError(
                        f"What a proof made can't be removed: {kind} {', '.join(left)}; look at dockerd's log and"
                        f" remove what has the label {arrangement.LABEL}."
                    )
