# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What containers mount: paths of the host, volumes that are such paths in disguise, and volumes of each other.

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.host_paths import holds_socket, is_sensitive
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem


class MountTable(NamedTuple):
    """What it takes to judge the mounts of one host's containers."""

    files: FileSystem
    engine_sockets: Iterable[str]
    """Paths of the sockets by which this host's engine is reached."""
    data_root: str
    volume_devices: Mapping[str, str]
    """Volumes by name: the host's path where one is a bind mount in disguise, else empty."""
    writers: Mapping[str, list[str]]
    """Ids of the containers that may write, by volume."""

    def sockets(self, container: Document) -> list[str]:
        """Return the host's paths in the container that are an engine's socket or lead to one."""
        paths = {mount.string("Source") for mount in self._host_mounts(container)}
        return sorted(path for path in paths if holds_socket(self.files, path, self.engine_sockets))

    def sensitive(self, container: Document) -> list[str]:
        """Return the host's paths in the container that belong to the system."""
        return sorted(
            {
                mount.string("Source")
                for mount in self._host_mounts(container)
                if is_sensitive(self.files, mount.string("Source"), mount.boolean("RW"), self.data_root)
            }
        )

    def shared_volumes(self, container: Document) -> list[str]:
        """Return the container's volumes to which another container may write."""
        own = container.string("Id")
        names = {mount.string("Name") for mount in container.objects("Mounts") if mount.string("Type") == "volume"}
        return sorted(name for name in names if set(self.writers.get(name, ())) - {own})

    def _host_mounts(self, container: Document) -> list[Document]:
        found = []
        for mount in container.objects("Mounts"):
            kind = mount.string("Type")
            device = self.volume_devices.get(mount.string("Name")) if kind == "volume" else ""
            if device is None:
                raise UnreadableError(f"the engine does not tell where the volume {mount.string('Name')} is")
            if kind == "bind" or device:
                found.append(Document({**mount.raw, "Source": device or mount.string("Source")}, container.name))
        return found


def propagating(container: Document) -> list[str]:
    """Return the places in the container whose mounts propagate to the host."""
    mounts = container.objects("Mounts")
    return sorted(m.string("Destination") for m in mounts if m.string("Propagation") in ("shared", "rshared"))


def volume_devices(volumes: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the volumes of `/volumes` that can be understood, as MountTable keeps them."""
    found: dict[str, str] = {}
    for raw in volumes:
        options = {} if raw.get("Options", "") is None else raw.get("Options")
        if isinstance(options, dict) and all(isinstance(value, str) for value in options.values()):
            device = options.get("device", "")
            bound = device.startswith("/") and "bind" in options.get("o", "")
            found[str(raw.get("Name"))] = device if bound else ""
    return found


def volume_writers(containers: Iterable[Document]) -> dict[str, list[str]]:
    """Return the ids of the containers that may write to each volume."""
    found: dict[str, list[str]] = {}
    for doc in containers:
        mounts = doc.raw.get("Mounts")
        for mount in mounts if isinstance(mounts, list) else ():
            if isinstance(mount, dict) and mount.get("Type") == "volume" and mount.get("RW"):
                found.setdefault(str(mount.get("Name")), []).append(str(doc.raw.get("Id")))
    return found
