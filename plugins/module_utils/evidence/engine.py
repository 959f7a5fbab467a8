# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine itself: whether it can be examined, and what it is.

from __future__ import annotations

from typing import Any, Dict, List

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, gather
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_BINARIES = ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/usr/local/sbin/dockerd")


def expect_object(raw: Any, path: str) -> Dict[str, Any]:
    """Return `raw` when it is a JSON object; EngineError invalid otherwise."""
    if isinstance(raw, dict):
        return raw
    raise EngineError("invalid", f"The engine's answer to {path} is not an object: is this a Docker Engine?")


def expect_objects(raw: Any, path: str) -> List[Dict[str, Any]]:
    """Return `raw` when it is a list of JSON objects (null counts as empty); EngineError invalid otherwise."""
    items = [] if raw is None else raw
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    raise EngineError("invalid", f"The engine's answer to {path} is not a list of objects: is this a Docker Engine?")


def checked_version(raw: Any) -> Dict[str, Any]:
    """Return the document of `/version`; EngineError absent when Podman answers, invalid when nobody known does."""
    version = expect_object(raw, "/version")
    components = version.get("Components")
    names = [part.get("Name") for part in components if isinstance(part, dict)] if isinstance(components, list) else []
    if "Podman Engine" in names:
        raise EngineError("absent", "Podman answers at this socket; no Docker Engine runs here.")
    number = version.get("Version")
    if not isinstance(number, str) or not number[:1].isdigit() or not isinstance(version.get("ApiVersion"), str):
        raise EngineError("invalid", "The engine's answer to /version has no version: is this a Docker Engine?")
    return version


def collect(version: Dict[str, Any], info: Dict[str, Any], socket_path: str) -> Dict[str, Any]:
    """Return the evidence of an engine that answers."""
    about = Document({"version": version, "info": info}, "the engine's answer")
    fields = gather(
        about,
        {
            "version": lambda doc: doc.string("version", "Version"),
            "api_version": lambda doc: doc.string("version", "ApiVersion"),
            "rootless": lambda doc: "name=rootless" in doc.strings("info", "SecurityOptions"),
            "id": lambda doc: doc.string("info", "ID"),
            "name": lambda doc: doc.string("info", "Name"),
            "operating_system": lambda doc: doc.string("info", "OperatingSystem"),
            "kernel_version": lambda doc: doc.string("info", "KernelVersion"),
            "containerd_version": lambda doc: _component(doc, "containerd"),
            "runc_version": lambda doc: _component(doc, "runc"),
        },
    )
    return {"status": "ok", "reason": None, "socket": socket_path, **fields}


def _component(about: Document, name: str) -> Any:
    for part in about.objects("version", "Components"):
        if part.string("Name") == name:
            return part.string("Version")
    return None


def failed(error: EngineError, socket_path: str, files: FileSystem) -> Dict[str, Any]:
    """Return the evidence of an engine that can't be examined; installed but without a socket means stopped."""
    status, reason = error.status, str(error)
    if status == "absent" and _installed(files) and "Podman" not in reason:
        status, reason = "stopped", f"The Docker Engine is installed, but there is no socket {socket_path}: start it."
    return {"status": status, "reason": reason, "socket": socket_path}


def _installed(files: FileSystem) -> bool:
    for path in _BINARIES:
        try:
            files.stat(path)
        except OSError:
            continue
        return True
    return False
