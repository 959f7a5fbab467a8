# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The engine itself: whether it can be examined, what it is, and the documents that all scopes share.

from __future__ import annotations

from typing import Any, Iterator, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, gather
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader, FileSystem

_BINARIES = ("/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd", "/usr/local/sbin/dockerd")

_HINT = "check that docker_host is the socket of a Docker Engine."


class EngineDocuments(NamedTuple):
    """What the engine said: each document is read once and shared by the scopes that need it."""

    version: dict[str, Any]
    info: dict[str, Any]
    containers: list[dict[str, Any]]
    """Inspection documents of all containers, stopped ones included."""
    images: list[dict[str, Any]]
    """Entries of `/images/json`."""
    networks: list[dict[str, Any]]
    """Entries of `/networks`."""
    volumes: list[dict[str, Any]]
    """Entries of `/volumes`."""


def read_documents(reader: EngineReader, files: FileSystem) -> EngineDocuments:
    """Ask the engine for everything that the scopes share; EngineError when it can't be examined."""
    try:
        answer = reader.get("/version")
    except EngineError as error:
        if error.status == "absent" and _installed(files):
            raise EngineError(
                "stopped", "The Docker Engine is installed, but its socket is missing: start it."
            ) from None
        raise
    version = _checked_version(answer)
    containers = list(inspect_all(reader))
    # after the containers, so that it has the volumes of all of them
    volumes = expect_object(reader.get("/volumes"), "/volumes")
    return EngineDocuments(
        version=version,
        info=expect_object(reader.get("/info"), "/info"),
        containers=containers,
        images=expect_objects(reader.get("/images/json"), "/images/json"),
        networks=expect_objects(reader.get("/networks"), "/networks"),
        volumes=expect_objects(volumes.get("Volumes", ""), "/volumes"),
    )


def inspect_all(reader: EngineReader) -> Iterator[dict[str, Any]]:
    """Inspect all containers; one that is removed meanwhile is left out. EngineError when the engine does not tell."""
    listed = expect_objects(reader.get("/containers/json?all=1"), "/containers/json")
    ids = [entry.get("Id") for entry in listed]
    if not all(isinstance(name, str) and name.isalnum() for name in ids):
        raise EngineError("invalid", f"The engine lists a container without an id: {_HINT}")
    for document in reader.get_each([f"/containers/{name}/json" for name in ids]):
        yield expect_object(document, "/containers/ID/json")


def expect_object(raw: Any, path: str) -> dict[str, Any]:
    """Return `raw` when it is a JSON object; EngineError invalid otherwise."""
    if isinstance(raw, dict):
        return raw
    raise EngineError("invalid", f"The engine's answer to {path} is not an object: {_HINT}")


def expect_objects(raw: Any, path: str) -> list[dict[str, Any]]:
    """Return `raw` when it is a list of JSON objects (null counts as empty); EngineError invalid otherwise."""
    items = [] if raw is None else raw
    if isinstance(items, list) and all(isinstance(item, dict) for item in items):
        return items
    raise EngineError("invalid", f"The engine's answer to {path} is not a list of objects: {_HINT}")


def _checked_version(raw: Any) -> dict[str, Any]:
    version = expect_object(raw, "/version")
    components = version.get("Components")
    parts = components if isinstance(components, list) else []
    # The podman-docker package links the socket to Podman's, whose API looks like an engine's at first.
    if any(isinstance(part, dict) and part.get("Name") == "Podman Engine" for part in parts):
        raise EngineError("absent", "Podman answers at this socket; no Docker Engine runs here.")
    number = version.get("Version")
    if not isinstance(number, str) or not number[:1].isdigit() or not isinstance(version.get("ApiVersion"), str):
        raise EngineError("invalid", f"The engine's answer to /version has no version: {_HINT}")
    return version


def collect(documents: EngineDocuments, socket_path: str) -> dict[str, Any]:
    """Return the evidence of an engine that answers."""
    about = Document({"version": documents.version, "info": documents.info}, "the engine's answer")
    fields = gather(
        about,
        {
            "version": lambda doc: doc.string("version", "Version"),
            "api_version": lambda doc: doc.string("version", "ApiVersion"),
            "rootless": lambda doc: "rootless" in security_options(doc),
            "security_options": security_options,
            "id": lambda doc: doc.string("info", "ID"),
            "name": lambda doc: doc.string("info", "Name"),
            "operating_system": lambda doc: doc.string("info", "OperatingSystem"),
            "kernel_version": lambda doc: doc.string("info", "KernelVersion"),
            "containerd_version": lambda doc: _component(doc, "containerd"),
            "runc_version": lambda doc: _component(doc, "runc"),
        },
    )
    return {"status": "ok", "reason": None, "socket": socket_path, "remote": is_remote(socket_path), **fields}


def is_remote(address: str) -> bool:
    """Tell whether this is the address of an engine on another machine, and not the path of a socket."""
    return not address.startswith("/")


def security_options(about: Document) -> list[str]:
    """Return the names in `/info`'s SecurityOptions, such as seccomp, apparmor, selinux, userns, rootless."""
    options = (option.split(",")[0] for option in about.strings("info", "SecurityOptions"))
    return sorted(option.partition("=")[2] or option for option in options)


def _component(about: Document, name: str) -> Any:
    for part in about.objects("version", "Components"):
        if part.string("Name") == name:
            return part.string("Version")
    return None


def failed(error: EngineError, socket_path: str) -> dict[str, Any]:
    """Return the evidence of an engine that can't be examined."""
    return {"status": error.status, "reason": str(error), "socket": socket_path}


def _installed(files: FileSystem) -> bool:
    for path in _BINARIES:
        try:
            files.stat(path)
        except OSError:
            continue
        return True
    return False
