# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Names of images and of their repositories.
# Source: https://github.com/distribution/reference (regexp.go, normalize.go).

from __future__ import annotations

import re
from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{64}")
_TAG = re.compile(r":([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$")
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_HUB, _FORMER_HUB = "docker.io", "index.docker.io"
REPOSITORY = re.compile(rf"{_HOST}(?:/{_COMPONENT})+")


class ImageReference(NamedTuple):
    """An image by the full name of its repository (`docker.io/library/debian`), its tag, its digest, or both."""

    repository: str
    tag: str | None
    digest: str | None

    @property
    def registry(self) -> str:
        """The registry's address as an image's name has it, such as `registry.example.org:5000`."""
        return self.repository.partition("/")[0]

    @property
    def tagged(self) -> str | None:
        """The name by its tag, None where it has none."""
        return f"{self.repository}:{self.tag}" if self.tag else None

    def pinned(self, digest: str) -> str:
        """Return the name by a digest, which always leads to the same content."""
        return f"{self.repository}@{digest}"


def parse(text: str) -> ImageReference:
    """Return the reference that `text` is; without tag and digest it is the tag `latest`, as Docker has it.

    InputError for anything else, an image's id among it.
    """
    name, at, digest = text.partition("@")
    tag = _TAG.search(name)
    full = repository(name)
    # HOST/web is a host's, but host/web is Docker Hub's: a name that means something else in lower case is none.
    lasting = REPOSITORY.fullmatch(full) and repository(full) == full
    if _ID.fullmatch(text) or not lasting or (at and not DIGEST.fullmatch(digest)):
        raise InputError(
            f"{text!r} is not the name of an image: give REGISTRY/REPOSITORY with :TAG, @sha256:DIGEST or both."
        )
    return ImageReference(full, tag[1] if tag else None if at else "latest", digest if at else None)


def tagged(text: str) -> str | None:
    """Return an image's full name by its tag, None for what has none: `debian` is `docker.io/library/debian:latest`."""
    try:
        return parse(text).tagged
    except InputError:
        return None


def repository(reference: str) -> str:
    """Return the full name of an image's repository: `debian:13` is in `docker.io/library/debian`.

    All spellings that lead an engine to one repository have one name (splitDockerDomain in normalize.go), and hosts'
    names are in lower case, as DNS makes no difference: what is said about a repository holds for each of them.
    """
    name = reference.partition("@")[0]
    name = re.sub(r":[^:/]*$", "", name)
    host, slash, path = name.partition("/")
    if not (slash and (re.search("[.:A-Z]", host) or host == "localhost")):
        host, path = _HUB, name
    host = host.lower()
    if host in (_HUB, _FORMER_HUB):
        return f"{_HUB}/{path}" if "/" in path else f"{_HUB}/library/{path}"
    return f"{host}/{path}"
