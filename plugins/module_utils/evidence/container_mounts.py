# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What containers mount: paths of the host, volumes that are such paths in disguise, and volumes of each other.

from __future__ import annotations

import posixpath
import re
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.host_paths import holds_socket, is_sensitive
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: File systems without a device of their own, whatever a volume names as such: the host's, at another place.
_KERNEL_TREES = {
    **{"proc": "/proc", "sysfs": "/sys", "devtmpfs": "/dev", "devpts": "/dev/pts", "bpf": "/sys/fs/bpf"},
    **{"cgroup": "/sys/fs/cgroup", "cgroup2": "/sys/fs/cgroup", "securityfs": "/sys/kernel/security"},
    **{"debugfs": "/sys/kernel/debug", "tracefs": "/sys/kernel/tracing"},
}
#: Options of overlayfs that name directories, joined by colons.
_OVERLAY_DIRECTORIES = ("lowerdir", "lowerdir+", "datadir+", "upperdir", "workdir")
#: Where a plugin that the engine runs has its mounts, in a file system of its own.
_PLUGINS_OWN = re.compile(r"/plugins/[0-9a-f]{64}/")


class MountTable(NamedTuple):
    """What it takes to judge the mounts of one host's containers."""

    files: FileSystem
    engine_sockets: Iterable[str]
    """Paths of the sockets by which this host's engine is reached."""
    data_root: str
    volume_paths: Mapping[str, Sequence[str]]
    """Volumes by name: the host's paths, directories or a disk, whose content each is; of most there is none."""
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
            paths: Sequence[str] | None = [mount.string("Source")] if kind == "bind" else []
            if kind == "volume":
                paths = self.volume_paths.get(mount.string("Name"))
            if paths is None:
                raise UnreadableError(f"the engine does not tell where the volume {mount.string('Name')} is")
            found += [Document({**mount.raw, "Source": path}, container.name) for path in paths]
        return found


def propagating(container: Document) -> list[str]:
    """Return the places in the container whose mounts propagate to the host."""
    mounts = container.objects("Mounts")
    return sorted(m.string("Destination") for m in mounts if m.string("Propagation") in ("shared", "rshared"))


def volume_paths(volumes: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the volumes of `/volumes` that can be understood, as MountTable keeps them."""
    found: dict[str, list[str]] = {}
    for raw in volumes:
        options = {} if raw.get("Options", "") is None else raw.get("Options")
        if isinstance(options, dict) and all(isinstance(value, str) for value in options.values()):
            found[str(raw.get("Name"))] = [*_paths(options), *_of_another_driver(raw)]
    return found


def _of_another_driver(volume: Mapping[str, Any]) -> list[str]:
    """Return where a driver that is no part of the engine has the volume: it may be any directory of the host."""
    place = str(volume.get("Mountpoint") or "")
    own = volume.get("Driver", "local") == "local" or _PLUGINS_OWN.search(place)
    return [] if own or not place.startswith("/") else [place]


def _paths(options: Mapping[str, str]) -> list[str]:
    """Return what the engine mounts for a volume. It does so in the root directory, so that `etc` is `/etc`.

    What is no path, such as the server of NFS, becomes one that nobody has.
    """
    kind, device = options.get("type", ""), options.get("device", "")
    named = [_KERNEL_TREES.get(kind, device)]
    if kind == "overlay":
        pairs = (option.partition("=") for option in options.get("o", "").split(","))
        named = [path for key, _equals, value in pairs if key in _OVERLAY_DIRECTORIES for path in value.split(":")]
    return [posixpath.join("/", path) for path in named if path]


def volume_writers(containers: Iterable[Document]) -> dict[str, list[str]]:
    """Return the ids of the containers that may write to each volume."""
    found: dict[str, list[str]] = {}
    for doc in containers:
        mounts = doc.raw.get("Mounts")
        for mount in mounts if isinstance(mounts, list) else ():
            if isinstance(mount, dict) and mount.get("Type") == "volume" and mount.get("RW"):
                found.setdefault(str(mount.get("Name")), []).append(str(doc.raw.get("Id")))
    return found
