# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_base import LABEL, BaseImages, base_of

LISTED = [
    {"Id": "sha256:base", "RepoTags": ["debian:13", "<none>:<none>"]},
    {"Id": "sha256:other", "RepoTags": ["registry.example.org:5000/base:latest"]},
    {"Id": "sha256:none", "RepoTags": None},
]
LAYERS = {"sha256:base": ["l1", "l2"], "sha256:other": ["l9"]}


def image(*layers: str, labels: Any = None) -> Document:
    return Document({"Config": {"Labels": labels}, "RootFS": {"Layers": list(layers)}}, "an image")


def current(base: str | None, *layers: str) -> bool | None:
    asked: list[str] = []

    def inspect(identifier: str) -> Document:
        asked.append(identifier)
        return image(*LAYERS[identifier])

    bases = BaseImages(LISTED, inspect)
    found = bases.is_current(image(*layers, labels={LABEL: base} if base else None))
    assert bases.is_current(image(*layers, labels={LABEL: base} if base else None)) == found
    assert len(asked) <= 1
    return found


@pytest.mark.parametrize(
    "name", ["debian:13", "docker.io/library/debian:13", "docker.io/library/debian:13@sha256:" + "a" * 64]
)
def test_an_image_is_current_when_it_begins_with_its_base(name: str) -> None:
    assert current(name, "l1", "l2", "l3") is True
    assert current(name, "l1", "l2") is True
    assert current(name, "l1", "old", "l3") is False
    assert current(name, "l1") is False


def test_a_port_is_no_tag() -> None:
    assert current("registry.example.org:5000/base", "l9", "l1") is True
    assert current("registry.example.org:5000/base", "l1") is False


@pytest.mark.parametrize("name", [None, "", "debian:12", "scratch", "not a name", "<none>:<none>"])
def test_a_base_that_is_not_here_decides_nothing(name: str | None) -> None:
    assert current(name, "l1") is None


@pytest.mark.parametrize("labels", [[], "x", 1])
def test_labels_that_are_none_are_unreadable(labels: Any) -> None:
    if labels:
        with pytest.raises(UnreadableError):
            base_of(image(labels=labels))
    assert base_of(image(labels={LABEL: 5})) is None
