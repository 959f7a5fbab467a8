# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What of a workload only its host can tell: where paths lead, what profiles allow, which user an image has.

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import COMMAND
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.container_mounts import volume_paths
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.host_paths import holds_socket, is_sensitive
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import DATA_ROOT
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.seccomp import dangerous_calls
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import Container, Workload, numeric
from ansible_collections.breakwater.docker.plugins.module_utils.workload.document import Surroundings
from ansible_collections.breakwater.docker.plugins.module_utils.workload.secrets import Secret, SecretStore
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import State

_BUILT_IN = ("", "builtin", "unconfined")
#: Seconds for a large image over a slow line.
_PULL_TIMEOUT = 1800.0


class WorkloadHost:
    """The files and the engine's command line of a host."""

    def __init__(self, files: FileSystem, commands: CommandRunner, store: SecretStore) -> None:
        self._files = files
        self._commands = commands
        self._store = store

    def pull(self, references: list[str]) -> None:
        """Pull images, with the credentials that root's command line has; BreakwaterError when one can't be had."""
        for name in references:
            if name.startswith("sha256:"):
                raise InputError(f"The image {name} is not on the host, and can't be pulled by its id: load it first.")
            done = self._commands.run((*COMMAND, "pull", "--quiet", name), timeout=_PULL_TIMEOUT)
            if done.rc != 0:
                raise BreakwaterError(f"The image {name} can't be pulled: {done.stderr.strip()[-300:]}")

    def surroundings(self, container: Container, state: State) -> Surroundings:
        """Return what the container's document depends on; InputError for what the host shows to be a weakness."""
        image = state.images.get(container.image)
        item = container.options
        if image and item["health"] and item["health"]["image"] and not _has_check(image):
            raise InputError(f"{container.name}: its image has no health check: give health a test.")
        user = _user(container, image)
        return Surroundings(
            user=user,
            log_driver=state.log_driver,
            seccomp=self._seccomp(container),
            secrets={
                name: self._store.path(container.name, name, secret)
                for name, secret in _secrets(container, user, state.root).items()
            },
            image_id=image["Id"] if image else "",
        )

    def check_paths(self, workload: Workload, state: State) -> None:
        """Raise InputError for a path that leads, by symbolic links, to what needs a reason and has none.

        A volume that is there already can be such a path, too.
        A reason that no path needs is taken out, since it would become a label that misleads.
        """
        volumes = volume_paths(state.volumes.values())
        for container in workload.containers:
            reasons, needed = container.options["reasons"], set()
            mounted = [
                (path, mount)
                for mount in container.options["volumes"]
                for path in ([mount["host_path"]] if mount["host_path"] else volumes.get(mount["volume"], ()))
            ]
            for path, mount in mounted:
                for control, found in (
                    ("container_no_engine_socket", holds_socket(self._files, path)),
                    (
                        "container_no_sensitive_mounts",
                        is_sensitive(self._files, path, not mount["read_only"], DATA_ROOT),
                    ),
                ):
                    if found:
                        needed.add(control)
                    if found and control not in reasons:
                        raise InputError(
                            f"{container.name}: {mount['volume'] or path} leads to what belongs to the system"
                            f" ({control}): mount another directory, or state the reason. Nothing was changed."
                        )

            for control in {"container_no_engine_socket", "container_no_sensitive_mounts"} - needed:
                reasons.pop(control, None)

    def save_secrets(self, container: Container, around: Surroundings, root: tuple[int, int]) -> None:
        """Write the secrets that are missing, for the container's user."""
        for name, secret in _secrets(container, around.user, root).items():
            if self._store.missing(around.secrets[name]):
                self._store.put(around.secrets[name], secret)

    def forget_secrets(self, name: str, kept: Mapping[str, str]) -> None:
        """Remove the container's secrets that it does not mount any more."""
        self._store.prune(name, kept.values())

    def _seccomp(self, container: Container) -> str:
        path: str = container.options["seccomp"]
        if path in _BUILT_IN:
            return path
        try:
            content = self._files.read_text(path)
            dangerous = dangerous_calls(content)
        except (OSError, UnreadableError) as error:
            raise InputError(
                f"{container.name}: the seccomp profile {path} can't be used: {error}. Nothing was changed."
            ) from None
        if dangerous and "container_seccomp_filtered" not in container.options["reasons"]:
            raise InputError(
                f"{container.name}: the seccomp profile {path} allows {', '.join(dangerous)}: refuse them, or state the"
                " reason (container_seccomp_filtered). Nothing was changed."
            )
        if not dangerous:
            container.options["reasons"].pop("container_seccomp_filtered", None)
        return content


def _secrets(container: Container, user: str, root: tuple[int, int]) -> dict[str, Secret]:
    """Return the secrets by their names, as files of the container's user."""
    return {
        item["name"]: Secret(item["content"], *host_user(user, root), item["group_readable"])
        for item in container.options["secrets"]
    }


def host_user(user: str, root: tuple[int, int]) -> tuple[int, int]:
    """Return user and group on the host of a container's numeric user; `root` are those of its root."""
    name, _separator, group = user.partition(":")
    return root[0] + int(name), root[1] + int(group or "0")


def _user(container: Container, image: Mapping[str, Any] | None) -> str:
    """Return the user that is asked for, else the image's if it is not root, else the default."""
    own = (image or {}).get("Config", {}).get("User") or ""
    name = own.partition(":")[0]
    root = name == "root" or name.strip("0") == ""
    user = container.options["user"] or (secure_defaults.USER if root else own)
    if container.options["secrets"] and not numeric(user):
        raise InputError(
            f"{container.name}: its image names the user {user}, and its secrets need one by number: give user, like"
            " 1000:1000. Nothing was changed."
        )
    return user


def _has_check(image: Mapping[str, Any]) -> bool:
    test = ((image.get("Config") or {}).get("Healthcheck") or {}).get("Test") or ["NONE"]
    return test[0] != "NONE"
