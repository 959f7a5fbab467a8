# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import MissingDocumentError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import ImageReference
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.examine import Examiner
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry, parse
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import REFUSED, VERIFIED, Verdict

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
WEB = "registry.example.org/web"
POLICY = [
    {"repository": "registry.example.org/*", "keys": ["release"]},
    {"repository": "registry.example.org/base/*", "action": "accept"},
    {"repository": "registry.example.org/evil/*", "action": "reject"},
]


class Registry:
    """Tags lead to NEW; of a registry that is down nothing is known."""

    def __init__(self, down: bool = False) -> None:
        self.down = down
        self.asked: list[str | None] = []

    def digest(self, reference: ImageReference) -> str:
        self.asked.append(reference.tagged)
        if self.down:
            raise BreakwaterError("The registry does not answer.")
        return NEW


class Signed:
    """Digests of these are signed."""

    def __init__(self, *digests: str) -> None:
        self.digests = digests

    def verify(self, reference: ImageReference, digest: str, entry: Entry) -> Verdict:
        if digest in self.digests:
            return Verdict(VERIFIED, "It is signed.", entry.keys[0])
        return Verdict(REFUSED, "It has no signature.")


class Engine:
    """An engine with these documents; without any there is no engine."""

    def __init__(self, **documents: Any) -> None:
        self.documents = {name.replace("__", "/"): value for name, value in documents.items()}

    def add(self, path: str, document: Any) -> None:
        self.documents[path] = document

    def get(self, path: str) -> Any:
        if not self.documents:
            raise EngineError("absent", "There is no engine.")
        if path not in self.documents:
            raise MissingDocumentError("invalid", "Nothing is there.")
        return self.documents[path]

    def get_each(self, paths: Sequence[str]) -> Any:
        return (self.get(path) for path in paths)


def examiner(*signed: str, engine: Engine | None = None, registry: Registry | None = None) -> Examiner:
    return Examiner(parse(POLICY), registry or Registry(), {"cosign": Signed(*signed)}, engine or Engine())


def host(image: str, *digests: str) -> Engine:
    """Return an engine with an image of that name and a running container of it."""
    engine = Engine()
    document = {"RepoDigests": [f"{WEB}@{digest}" for digest in digests]} if digests else {}
    engine.add("/containers/json", [{"Id": "c1"}])
    engine.add("/containers/c1/json", {"Name": "/shop", "Image": "sha256:aa", "Config": {"Image": image}})
    engine.add("/images/sha256:aa/json", document)
    engine.add(f"/images/{image}/json", document)
    return engine


def test_the_digest_that_the_tag_leads_to_is_verified() -> None:
    found = examiner(NEW).examine(f"{WEB}:1").result()
    assert (found["pinned"], found["verified"], found["status"]) == (f"{WEB}@{NEW}", True, "verified")
    assert found["key"] == "release"
    found = examiner(OLD).examine(f"{WEB}:1").result()
    assert (found["digest"], found["verified"], found["status"]) == (NEW, False, "refused")


def test_a_pinned_digest_is_verified_whatever_its_tag_leads_to() -> None:
    found = examiner(OLD).examine(f"{WEB}:1@{OLD}").result()
    assert (found["digest"], found["verified"], found["moved_from"]) == (OLD, True, OLD)
    registry = Registry()
    assert examiner(OLD, registry=registry).examine(f"{WEB}@{OLD}").moved_from is None
    assert registry.asked == []


def test_a_tag_that_moved_away_from_the_local_image_is_told() -> None:
    engine = Engine()
    engine.add(f"/images/{WEB}:1/json", {"RepoDigests": [f"other.example.org/web@{NEW}", f"{WEB}@{OLD}"]})
    assert examiner(NEW, engine=engine).examine(f"{WEB}:1").moved_from == OLD
    engine.add(f"/images/{WEB}:1/json", {"RepoDigests": [f"{WEB}@{NEW}"]})
    assert examiner(NEW, engine=engine).examine(f"{WEB}:1").moved_from is None


@pytest.mark.parametrize("image", ["debian", "docker.io/debian", "index.docker.io/library/debian", "Docker.io/debian"])
@pytest.mark.parametrize("evil", ["evil/x", "index.docker.io/evil/x:1", "Docker.io/evil/x"])
def test_another_spelling_of_a_name_is_no_way_around_the_policy(image: str, evil: str) -> None:
    policy = [
        {"repository": "docker.io/library/debian", "keys": ["release"]},
        {"repository": "docker.io/evil/*", "action": "reject"},
        {"repository": "*", "action": "accept"},
    ]
    judge = Examiner(parse(policy), Registry(), {"cosign": Signed()}, Engine())
    found = [judge.examine(name) for name in (image, evil)]
    assert [each.repository for each in found] == ["docker.io/library/debian", "docker.io/evil/x"]
    assert [each.verdict.reason for each in found] == ["It has no signature.", "The policy rejects docker.io/evil/x."]


@pytest.mark.parametrize(
    ("image", "status", "reason"),
    [
        ("registry.example.org/base/os:13", "accepted", "accepts registry.example.org/base/os without a signature"),
        ("registry.example.org/evil/web", "refused", "rejects"),
        ("ghcr.io/x/y:1", "refused", "no entry for ghcr.io/x/y"),
    ],
)
def test_entries_that_need_no_signature(image: str, status: str, reason: str) -> None:
    registry = Registry()
    found = examiner(registry=registry).examine(image).result()
    assert (found["status"], found["verified"]) == (status, status == "accepted")
    assert reason in found["reason"]
    assert bool(registry.asked) is (status == "accepted"), "nobody is asked about what is refused anyway"


def test_without_a_registry_only_what_is_pinned_is_decided() -> None:
    down = examiner(OLD, registry=Registry(down=True))
    found = down.examine(f"{WEB}:1").result()
    assert (found["status"], found["verified"], found["digest"]) == ("undecided", False, None)
    found = down.examine(f"{WEB}:1@{OLD}").result()
    assert (found["status"], found["moved_from"]) == ("verified", None)


def test_running_containers_are_judged_by_what_they_were_started_from() -> None:
    [found] = examiner(OLD, engine=host(f"{WEB}:1", OLD)).examine_running()
    assert found.result()["pinned"] == f"{WEB}@{OLD}"
    assert (found.usable, found.moved_from, found.containers) == (True, OLD, ("shop",))
    [found] = examiner(NEW, engine=host(f"{WEB}:1", OLD)).examine_running()
    assert not found.usable


def test_a_container_of_an_id_is_found_by_its_digest_and_one_without_is_refused() -> None:
    [found] = examiner(OLD, engine=host("sha256:aa", OLD)).examine_running()
    assert found.pinned == f"{WEB}@{OLD}"
    [found] = examiner(OLD, engine=host("busybox:local")).examine_running()
    assert (found.usable, found.digest, found.containers) == (False, None, ("shop",))
    assert "no registry knows" in found.verdict.reason


def test_without_an_engine_nothing_runs() -> None:
    assert list(examiner().examine_running()) == []


def test_nonsense_is_bad_input() -> None:
    with pytest.raises(InputError):
        examiner().examine("--help")
