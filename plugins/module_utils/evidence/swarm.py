# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The evidence of the swarm that this node is in. Most of it only a manager can tell.
# Sources: the Engine API (/info, /swarm, /nodes, /services, /secrets), and the state file of dockerd's cluster package,
# which alone has the listening and the data path address.

from __future__ import annotations

import json
import posixpath
from typing import Any, Callable, TypeVar

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError, gather
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.paths import DATA_ROOT
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader, FileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.redact import environment_names

Value = TypeVar("Value")

_NANOSECONDS_PER_DAY = 86400 * 10**9


def collect(reader: EngineReader, documents: EngineDocuments, files: FileSystem) -> dict[str, Any]:
    """Return the swarm's evidence as this node sees it; `active` is false where it is in none."""
    info = Document({"info": documents.info}, "the engine's answer to /info")
    manager = Lazy(lambda: info.has("info", "Swarm", "ControlAvailable") and _is_manager(info))
    cluster = Lazy(lambda: _answer(reader, "/swarm"))
    nodes = Lazy(lambda: _answer(reader, "/nodes").objects("answer"))
    services = Lazy(lambda: _answer(reader, "/services").objects("answer"))
    managers = Lazy(lambda: [node for node in nodes() if node.string("Spec", "Role") == "manager"])
    overlays = [network for network in documents.networks if network.get("Driver") == "overlay"]
    state = Lazy(lambda: _state_file(files, documents.info))

    def on_manager(item: Callable[[], Value]) -> Callable[[Document], Value | None]:
        return lambda _info: item() if manager() else None

    def listed(item: Callable[[], list[str]]) -> Callable[[Document], list[str]]:
        return lambda _info: sorted(item()) if manager() else []

    def from_state(name: str, item: Callable[[str], str] = str) -> Callable[[Document], str | None]:
        return lambda _info: item(state().string(name)) if _is_active(info) else None

    fields = gather(
        info,
        {
            "active": _is_active,
            "state": _state,
            "manager": lambda _info: manager(),
            "managers": on_manager(lambda: len(managers())),
            "managers_odd": on_manager(lambda: len(managers()) % 2 == 1),
            "managers_unreachable": listed(lambda: [_host(node) for node in managers() if not _is_reachable(node)]),
            "listen_address": from_state("ListenAddr"),
            "advertise_address": lambda _info: (
                _without_port(state().string("AdvertiseAddr")) if _is_active(info) else None
            ),
            "data_path_address": from_state("DataPathAddr"),
            "overlay_networks": listed(lambda: [str(network.get("Name")) for network in overlays]),
            "overlay_networks_unencrypted": listed(
                lambda: [str(network.get("Name")) for network in overlays if not _is_encrypted(network)]
            ),
            "services": on_manager(lambda: len(services())),
            "secrets": on_manager(lambda: len(_answer(reader, "/secrets").objects("answer"))),
            "plain_secrets": listed(lambda: [name for service in services() for name in _plain(service)]),
            "autolock": on_manager(lambda: cluster().boolean("answer", "Spec", "EncryptionConfig", "AutoLockManagers")),
            "node_certificate_days": on_manager(
                lambda: cluster().integer("answer", "Spec", "CAConfig", "NodeCertExpiry") // _NANOSECONDS_PER_DAY
            ),
            "ca_rotations": on_manager(lambda: _optional(cluster(), "Spec", "CAConfig", "ForceRotate")),
            "created": on_manager(lambda: cluster().string("answer", "CreatedAt")[:19]),
            "updated": on_manager(lambda: cluster().string("answer", "UpdatedAt")[:19]),
        },
    )
    return {"id": "swarm", "name": "swarm", **fields}


def _state(info: Document) -> str:
    return info.string("info", "Swarm", "LocalNodeState")


def _is_active(info: Document) -> bool:
    # a node that is locked, or fails to join, is in the swarm all the same
    return _state(info) not in {"", "inactive"}


def _is_manager(info: Document) -> bool:
    return info.boolean("info", "Swarm", "ControlAvailable")


def _answer(reader: EngineReader, path: str) -> Document:
    return Document({"answer": reader.get(path)}, f"the engine's answer to {path}")


def _without_port(address: str) -> str:
    host, colon, port = address.rpartition(":")
    return host.strip("[]") if colon and port.isdigit() else address


def _optional(cluster: Document, *path: str) -> int:
    return cluster.integer("answer", *path) if cluster.has("answer", *path) else 0


def _host(node: Document) -> str:
    return node.string("Description", "Hostname")


def _is_reachable(node: Document) -> bool:
    return node.has("ManagerStatus") and node.string("ManagerStatus", "Reachability") == "reachable"


def _is_encrypted(network: dict[str, Any]) -> bool:
    """Tell whether the overlay's traffic is encrypted: the option counts by being there, unless it says no."""
    options = network.get("Options")
    value = options.get("encrypted") if isinstance(options, dict) else None
    return isinstance(value, str) and value.lower() not in {"false", "0", "f"}


def _plain(service: Document) -> list[str]:
    """Return the names of a service's environment variables that hold a secret in plain text."""
    task = Document(service.mapping("Spec", "TaskTemplate"), service.name)
    container = Document(task.mapping("ContainerSpec") if task.has("ContainerSpec") else {}, service.name)
    entries = container.strings("Env") if container.has("Env") else []
    owner = service.string("Spec", "Name")
    return [f"{owner} {item['name']}" for item in environment_names(entries) if item["looks_secret"]]


def _state_file(files: FileSystem, info: dict[str, Any]) -> Document:
    root = Document(info, "the engine's answer to /info").string("DockerRootDir")
    path = posixpath.join(root or DATA_ROOT, "swarm/docker-state.json")
    try:
        return Document(json.loads(files.read_text(path)), path)
    except (ValueError, RecursionError):
        raise UnreadableError(f"{path} is not JSON") from None
