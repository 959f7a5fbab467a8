# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Secrets of containers as files of the host, which only root can reach, and a container by its mount.

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from typing import Iterable, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install

DIRECTORY = "/var/lib/breakwater/secrets"
#: Beside the containers' directories; no container has such a name.
_KEY = ".key"
_KEY_BYTES = 32
_ONLY_USER, _AND_GROUP = 0o400, 0o440
_DIRECTORY_MODE = 0o700
#: What an engine that SELinux confines may mount, and a container only read.
SELINUX_TYPE = "container_ro_file_t"
_LABEL = f"system_u:object_r:{SELINUX_TYPE}:s0".encode()


class Secret(NamedTuple):
    """A secret's file: content, user and group on the host, and whether the group can read it."""

    content: str
    user: int
    group: int
    group_readable: bool = False

    @property
    def mode(self) -> int:
        """Return the file's mode."""
        return _AND_GROUP if self.group_readable else _ONLY_USER


class SecretStore:
    """The secrets of a host; a file is named by all that it is, so that no container sees another one's change."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        """Read the host's key; where there is none, `save_key` has to keep the new one."""
        self._directory = directory
        self._key_path = os.path.join(directory, _KEY)
        try:
            with open(self._key_path, "rb") as stream:
                self._key = stream.read()
        except FileNotFoundError:
            self._key = secrets.token_bytes(_KEY_BYTES)

    def path(self, container: str, name: str, secret: Secret) -> str:
        """Return where the secret is to be; the key keeps the path from telling what its content is."""
        rights = f"{secret.user}:{secret.group}:{secret.mode:o}"
        told = hmac.new(self._key, f"{rights}\0{name}\0{secret.content}".encode(), hashlib.sha256).hexdigest()
        return os.path.join(self._directory, container, f"{name}-{told[:32]}")

    def put(self, path: str, secret: Secret) -> None:
        """Write a secret with its owner and mode, whole or not at all."""
        if not os.path.exists(self._key_path):
            self._write(self._key_path, self._key, 0, 0, _ONLY_USER)
        self._write(path, secret.content.encode(), secret.user, secret.group, secret.mode)
        if os.path.exists("/sys/fs/selinux/enforce"):
            with contextlib.suppress(OSError):  # a policy without this type has no confined engine
                os.setxattr(path, "security.selinux", _LABEL)

    def missing(self, path: str) -> bool:
        """Tell whether the file is still to be written."""
        return not os.path.exists(path)

    def prune(self, container: str, kept: Iterable[str]) -> None:
        """Remove the container's secrets but for the paths that are kept."""
        directory = os.path.join(self._directory, container)
        names = os.listdir(directory) if os.path.isdir(directory) else []
        left = {os.path.basename(path) for path in kept}
        for name in names:
            if name not in left:
                os.unlink(os.path.join(directory, name))
        if names and not left:
            os.rmdir(directory)

    @staticmethod
    def _write(path: str, content: bytes, user: int, group: int, mode: int) -> None:
        os.makedirs(os.path.dirname(path), mode=_DIRECTORY_MODE, exist_ok=True)
        install(path, content, mode, (user, group))
