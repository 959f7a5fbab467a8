# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Why a container, its image or a network is weaker than it could be, as its owner has stated in its labels.

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.redact import HIDDEN, holds_secret

#: What follows in a label's name is the id of the control that fails for this reason.
LABEL = "breakwater.reason."


def stated(doc: Document, *path: str) -> dict[str, str]:
    """Return the reasons in the labels at `path` by control; one that holds a secret is hidden."""
    labels = doc.mapping(*path)
    return {
        name[len(LABEL) :]: HIDDEN if holds_secret(str(reason)) else str(reason)
        for name, reason in sorted(labels.items())
        if name.startswith(LABEL)
    }


def stated_for_images(containers: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return by image id what is stated in the labels of its containers, each reason with their names.

    An image is used for what its containers are for, so the reasons that concern it are theirs.
    """
    found: dict[str, dict[str, dict[str, list[str]]]] = {}
    for raw in containers:
        container = Document(raw, "the engine's answer about a container")
        of_image = found.setdefault(container.string("Image"), {})
        for control, reason in stated(container, "Config", "Labels").items():
            names = of_image.setdefault(control, {}).setdefault(reason, [])
            names.append(container.string("Name").lstrip("/"))
    return {
        identifier: {
            control: " ".join(f"{reason} (container {', '.join(sorted(names))})" for reason, names in by_text.items())
            for control, by_text in by_control.items()
        }
        for identifier, by_control in found.items()
    }
