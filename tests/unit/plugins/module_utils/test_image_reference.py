# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import ImageReference, parse

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("debian", ImageReference("docker.io/library/debian", "latest", None)),
        ("ada/web:1", ImageReference("docker.io/ada/web", "1", None)),
        ("registry.example.org:5000/team/web:1.0", ImageReference("registry.example.org:5000/team/web", "1.0", None)),
        (f"localhost/web@{DIGEST}", ImageReference("localhost/web", None, DIGEST)),
        (f"ghcr.io/a/b:v1@{DIGEST}", ImageReference("ghcr.io/a/b", "v1", DIGEST)),
        ("docker.io/debian:13", ImageReference("docker.io/library/debian", "13", None)),
        ("index.docker.io/debian", ImageReference("docker.io/library/debian", "latest", None)),
        ("index.docker.io/library/debian:13", ImageReference("docker.io/library/debian", "13", None)),
        (f"index.docker.io/ada/web@{DIGEST}", ImageReference("docker.io/ada/web", None, DIGEST)),
        ("Docker.IO/debian:13", ImageReference("docker.io/library/debian", "13", None)),
        ("Registry.Example.org:5000/web:V1", ImageReference("registry.example.org:5000/web", "V1", None)),
        ("LOCALHOST/web", ImageReference("localhost/web", "latest", None)),
        ("index.docker.io.example.org/debian", ImageReference("index.docker.io.example.org/debian", "latest", None)),
    ],
)
def test_names_are_read_as_docker_reads_them(text: str, expected: ImageReference) -> None:
    assert parse(text) == expected


def test_a_reference_tells_its_names() -> None:
    reference = parse("registry.example.org:5000/web:1")
    assert (reference.registry, reference.tagged) == ("registry.example.org:5000", "registry.example.org:5000/web:1")
    assert reference.pinned(DIGEST) == f"registry.example.org:5000/web@{DIGEST}"
    assert parse(f"example.org/web@{DIGEST}").tagged is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":1",
        "Web",
        "example.org/Web",
        "HOST/web",
        "a b",
        "--help",
        "example.org/x@",
        "example.org/x@sha256:12",
        DIGEST,
        "x/../y",
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="not the name of an image"):
        parse(text)
