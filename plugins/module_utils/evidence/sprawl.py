# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How many images and containers lie about unused.

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments

NAMES = ("images_total", "images_unused", "images_dangling", "containers_total", "containers_stopped")
_NO_NAME = "<none>:<none>"


def names(image: Mapping[str, Any]) -> list[str]:
    """Return the tags of an entry of `/images/json`; UnreadableError when they are no list of text."""
    tags = Document(image, "the engine's answer to /images/json").strings("RepoTags")
    return [tag for tag in tags if tag != _NO_NAME]


def used_images(containers: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the names of the containers of each image, running or not, by the image's id."""
    used: dict[str, list[str]] = {}
    for raw in containers:
        container = Document(raw, "the engine's answer about a container")
        used.setdefault(container.string("Image"), []).append(container.string("Name").lstrip("/"))
    return used


def count(documents: EngineDocuments) -> dict[str, int]:
    """Return the numbers of NAMES; an image is dangling when it has no tag and no container."""
    images, containers = documents.images, documents.containers
    used = used_images(containers)
    unused = [image for image in images if Document(image, "an image").string("Id") not in used]
    states = [Document(item, "the engine's answer about a container").string("State", "Status") for item in containers]
    return {
        "images_total": len(images),
        "images_unused": len(unused),
        "images_dangling": sum(not names(image) for image in unused),
        "containers_total": len(containers),
        "containers_stopped": sum(state in {"exited", "dead", "created"} for state in states),
    }
