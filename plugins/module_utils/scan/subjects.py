# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a scan is about: the host, and the images and containers that the options select.

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.sprawl import names
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader

_ENGINE = "the engine's answer"


@dataclass(frozen=True)
class Options:
    """What to scan, and with what; see the module's documentation."""

    scanners: Sequence[str]
    host: bool
    guide: str
    profile: str
    definitions: Sequence[str]
    images: Sequence[str]
    unused_images: bool
    containers: Sequence[str]
    sbom: str
    clair_server: str
    timeout: float


@dataclass(frozen=True)
class Subject:
    """What is scanned; `size` is the engine's account of an image in bytes, `reference` its name by digest."""

    type: str
    id: str
    name: str
    size: int = 0
    reference: str = ""


#: The controller knows the host's name.
HOST = Subject("host", "", "")


def subjects(options: Options, engine: EngineReader) -> list[Subject]:
    """Return what the options select, the host first; EngineError when the engine does not tell."""
    found = [HOST] if options.host and "openscap" in options.scanners else []
    if not options.images and not options.containers:
        return found
    containers = [Document(item, _ENGINE) for item in engine.get("/containers/json?all=1")]
    used = {item.string("ImageID") for item in containers}
    if options.images:
        images = [Document(item, _ENGINE) for item in engine.get("/images/json")]
        chosen = (_image(item, options.images) for item in images if options.unused_images or item.string("Id") in used)
        found += sorted(filter(None, chosen), key=lambda item: item.name)
    if "openscap" not in options.scanners:
        return found
    running = (item for item in containers if item.string("State") == "running")
    named = (Subject("container", item.string("Id"), item.strings("Names")[0].lstrip("/")) for item in running)
    return found + [item for item in named if _matches((item.name, item.id), options.containers)]


def _image(entry: Document, patterns: Sequence[str]) -> Subject | None:
    identifier = entry.string("Id")
    digests = [digest for digest in entry.strings("RepoDigests") if not digest.startswith("<none>")]
    called = [*names(entry.raw), *digests, identifier]
    if not _matches(called, patterns):
        return None
    return Subject("image", identifier, called[0], entry.integer("Size"), next(iter(digests), ""))


def _matches(called: Sequence[str], patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in called for pattern in patterns)
