# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether an image was built on what its base is today, as far as this host has that base.
# Source: https://github.com/opencontainers/image-spec/blob/main/annotations.md.

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import sprawl
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import tagged

LABEL = "org.opencontainers.image.base.name"


class BaseImages:
    """The local images as bases of others; `inspect` gives the engine's document about an image by its id."""

    def __init__(self, listed: Sequence[Mapping[str, Any]], inspect: Callable[[str], Document]) -> None:
        self._listed = listed
        self._inspect = inspect
        self._ids: dict[str | None, str] | None = None
        self._layers: dict[str, list[str]] = {}

    def is_current(self, image: Document) -> bool | None:
        """Tell whether the image begins with the layers that its base has now; None where that can't be known."""
        base = base_of(image)
        identifier = self._by_name().get(tagged(base)) if base else None
        if identifier is None:
            return None
        if identifier not in self._layers:
            self._layers[identifier] = self._inspect(identifier).strings("RootFS", "Layers")
        layers = self._layers[identifier]
        return image.strings("RootFS", "Layers")[: len(layers)] == layers

    def _by_name(self) -> Mapping[str | None, str]:
        if self._ids is None:
            self._ids = {
                tagged(tag): str(entry.get("Id") or "") for entry in self._listed for tag in sprawl.names(entry)
            }
            self._ids.pop(None, None)
        return self._ids


def base_of(image: Document) -> str | None:
    """Return the name of the base that the image's labels tell."""
    labels = image.mapping("Config").get("Labels") or {}
    if not isinstance(labels, dict):
        raise UnreadableError(f"{image.name}: Config.Labels is not an object")
    name = labels.get(LABEL)
    return name if isinstance(name, str) and name else None
