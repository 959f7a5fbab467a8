# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether a container was made from what the name of its image means on this host today.

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import tagged


def ids_by_name(images: Iterable[Mapping[str, Any]]) -> dict[str | None, str]:
    """Return the ids of the images of `/images/json` by the full names, with tags, that point to them now."""
    found: dict[str | None, str] = {}
    for raw in images:
        tags, image_id = raw.get("RepoTags"), raw.get("Id")
        for tag in tags if isinstance(tags, list) else ():
            if isinstance(tag, str) and isinstance(image_id, str):
                found[tagged(tag)] = image_id
    found.pop(None, None)
    return found


def is_current(container: Document, ids: Mapping[str | None, str]) -> bool | None:
    """Tell whether it was made from the image that has the name now; None where no local image has it."""
    name = container.string("Config", "Image")
    # by its digest it is the same content always, be there a newer one or not
    current = None if "@" in name else ids.get(tagged(name))
    return None if current is None else current == container.string("Image")
