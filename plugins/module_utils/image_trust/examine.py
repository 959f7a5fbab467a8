# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Which digest an image's name leads to, whether the policy lets it be used, and whether its tag has moved.

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import Any, Iterator, Mapping, Protocol

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import MissingDocumentError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import ImageReference, parse, repository
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import policy as policies
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import (
    ACCEPTED,
    REFUSED,
    UNDECIDED,
    VERIFIED,
    Verdict,
    Verifier,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import EngineReader


class DigestSource(Protocol):
    """Knows what tags lead to."""

    def digest(self, reference: ImageReference) -> str:
        """Return the digest that the reference's tag leads to; BreakwaterError says why there is none."""


@dataclass(frozen=True)
class Examined:
    """One image: what was asked for, what it is now, and whether it may be used."""

    reference: str
    verdict: Verdict
    repository: str = ""
    digest: str | None = None
    moved_from: str | None = None
    """The digest on this host, or in the reference, that the tag does not lead to any more."""
    containers: tuple[str, ...] = field(default=())

    @property
    def pinned(self) -> str | None:
        """The image's name by its digest, None without one."""
        return f"{self.repository}@{self.digest}" if self.digest else None

    @property
    def usable(self) -> bool:
        """Whether the policy lets it be used."""
        return self.verdict.status in (VERIFIED, ACCEPTED)

    def result(self) -> dict[str, Any]:
        """Return what the module tells of it."""
        return {
            "reference": self.reference,
            "repository": self.repository,
            "digest": self.digest,
            "pinned": self.pinned,
            "verified": self.usable,
            "status": self.verdict.status,
            "reason": self.verdict.reason,
            "key": self.verdict.key,
            "moved_from": self.moved_from,
            "containers": list(self.containers),
        }


class Examiner:
    """Examines images by a policy."""

    def __init__(
        self,
        policy: policies.Policy,
        registry: DigestSource,
        verifiers: Mapping[str, Verifier],
        engine: EngineReader,
    ) -> None:
        self._policy = policy
        self._registry = registry
        self._verifiers = verifiers
        self._engine = engine

    def examine(self, text: str, containers: tuple[str, ...] = ()) -> Examined:
        """Return what the image of this name is and whether it may be used; InputError for what is no name of one."""
        reference = parse(text)
        name, digest, tag_digest = reference.repository, reference.digest, None
        entry = self._policy.match(name)
        if entry is None or entry.action == policies.REJECT:
            reason = f"The policy rejects {name}." if entry else f"The policy has no entry for {name}."
            return Examined(text, Verdict(REFUSED, reason), name, digest, None, containers)
        try:
            tag_digest = self._registry.digest(reference) if reference.tag else None
        except BreakwaterError as error:
            # What is pinned can be verified all the same.
            if not digest:
                return Examined(text, Verdict(UNDECIDED, str(error)), name, None, None, containers)
        former = digest or self._local_digest(reference)
        digest = digest or tag_digest or ""
        if entry.action == policies.ACCEPT:
            verdict = Verdict(ACCEPTED, f"The policy accepts {name} without a signature.")
        else:
            verdict = self._verifiers[entry.verifier].verify(reference, digest, entry)
        moved = former if former and tag_digest and former != tag_digest else None
        return Examined(text, verdict, name, digest, moved, containers)

    def examine_running(self) -> Iterator[Examined]:
        """Examine the image of each running container, once for all containers of it; none where no engine runs.

        EngineError where the engine does not tell.
        """
        references: dict[str, list[str]] = {}
        strangers: dict[str, list[str]] = {}
        for name, image, reference in self._running():
            found = references if reference else strangers
            found.setdefault(reference or image, []).append(name)
        for reference, containers in references.items():
            yield self.examine(reference, tuple(containers))
        for image, containers in strangers.items():
            reason = "It was built or loaded on this host: no registry knows a digest of it."
            yield Examined(image, Verdict(REFUSED, reason), containers=tuple(containers))

    def has(self, pinned: str) -> bool:
        """Tell whether the engine has the image of this name; EngineError where it does not tell."""
        try:
            self._engine.get(f"/images/{pinned}/json")
        except MissingDocumentError:
            return False
        return True

    def _local_digest(self, reference: ImageReference) -> str | None:
        try:
            image = Document(self._engine.get(f"/images/{reference.tagged}/json"), "the engine's answer")
            return _digest_in(reference.repository, image)
        except (EngineError, UnreadableError):
            return None

    def _running(self) -> Iterator[tuple[str, str, str]]:
        """Yield each running container's name, its image as it was named, and the reference by digest, or nothing."""
        try:
            listed = self._engine.get("/containers/json")
        except EngineError as error:
            if error.status in ("absent", "stopped"):
                return
            raise
        images: dict[str, Document] = {}
        # All answers are read before the next question is asked over the same connection.
        for container in list(self._engine.get_each([f"/containers/{item['Id']}/json" for item in listed])):
            about = Document(container, "the engine's answer about a container")
            identifier, named = about.string("Image"), about.string("Config", "Image")
            if identifier not in images:
                images[identifier] = Document(self._engine.get(f"/images/{identifier}/json"), "the engine's answer")
            yield about.string("Name").lstrip("/"), named, _reference(named, images[identifier])


def _reference(named: str, image: Document) -> str:
    """Return the image as the container named it, with the digest that it was started from; nothing without one."""
    digest = _digest_in(repository(named), image)
    if digest:
        return f"{named.partition('@')[0]}@{digest}"
    # The name is an id, or was given to the image on this host.
    return next((reference.pinned(str(reference.digest)) for reference in _references(image)), "")


def _digest_in(name: str, image: Document) -> str | None:
    return next((reference.digest for reference in _references(image) if reference.repository == name), None)


def _references(image: Document) -> Iterator[ImageReference]:
    """Yield an image's names by digest; the engine leaves out the field of an image that has none."""
    for pinned in image.strings("RepoDigests") if image.has("RepoDigests") else []:
        with contextlib.suppress(InputError):
            yield parse(pinned)
