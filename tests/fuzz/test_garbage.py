# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# No pass from garbage: each place of the recorded documents is damaged in every way, and where the place decides a
# control (which shows by some damage that changes its verdict), garbage there must not let it pass.

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any, Iterable, Iterator, Mapping

import pytest

from ansible_collections.breakwater.docker.tests.fuzz import mutations
from ansible_collections.breakwater.docker.tests.fuzz.estate import RECORDINGS, Estate, statuses
from ansible_collections.breakwater.docker.tests.fuzz.mutations import GARBAGE, MEANINGFUL

Status = Mapping[tuple[str, str], str]
Results = Mapping[mutations.Path, list[tuple[Any, Status]]]

#: How many damages of each document are tried; `make fuzz` tries all.
SAMPLE = 40
FULL = "FUZZ" in os.environ
#: Objects whose keys are names, so that one more or less is an engine's right.
FREE = ("Ports", "PortBindings", "Networks", "Labels", "Options", "Runtimes", "IndexConfigs", "ExposedPorts", "Plugins")
#: What an engine leaves out, or gives as null, where there is none of it.
OPTIONAL = (
    ("BridgeNfIptables",),  # then the kernel is asked
    ("Config", "Env"),
    ("HostConfig", "OomKillDisable"),
    (0, "Spec", "TaskTemplate", "ContainerSpec"),
    (0, "Spec", "TaskTemplate", "ContainerSpec", "Env"),
)
BATCH = 300


def damages(document: Any) -> Iterator[tuple[mutations.Path, Any]]:
    """Yield what is done to a document."""
    every = [(path, value) for path in mutations.places(document) for value in (*GARBAGE, *MEANINGFUL)]
    yield from every if FULL else Random(len(every)).sample(every, min(SAMPLE, len(every)))


def complaints(document: Any, base: Status, results: Results) -> list[str]:
    """Return each pass that garbage did not change although the place decides the control."""
    found = []
    for path, tried in results.items():
        decided = {key for _value, after in tried for key, status in base.items() if after.get(key, "gone") != status}
        found += [
            f"{path} = {'(removed)' if value is mutations.REMOVED else repr(value)[:60]}: {key[0]} passes"
            for value, after in tried
            if not (path in OPTIONAL and (value is None or value is mutations.REMOVED))
            and mutations.is_garbage(document, path, value, FREE)
            for key in sorted(decided)
            if after.get(key) == "pass"
        ]
    return found


def examine(estate: Estate, place: str, scopes: Iterable[str]) -> list[str]:
    """Damage one document at a time."""
    results = defaultdict(list)
    document = estate.documents[place]
    base = statuses(estate.evidence(), scopes)
    for path, value in damages(document):
        after = statuses(estate.evidence({place: mutations.damaged(document, path, value)}), scopes)
        results[path].append((value, after))
    return complaints(document, base, results)


def together(estate: Estate, variants: list[Any], identifier: str) -> list[Status]:
    """Judge many variants of one container as the containers of one host."""
    listed = [{"Id": f"x{index}"} for index in range(len(variants))]
    made = {f"/containers/x{index}/json": variant for index, variant in enumerate(variants)}
    evidence = estate.evidence({"/containers/json?all=1": listed, **made})
    judged = [statuses({**evidence, "containers": [container]}, ("container",)) for container in evidence["containers"]]
    assert len(judged) == len(variants)
    return [{key: status for key, status in found.items() if key[1] == identifier} for found in judged]


@pytest.mark.parametrize("recording", RECORDINGS[:: 4 if FULL else 9])
def test_containers(tmp_path: Path, recording: str) -> None:
    estate = Estate(tmp_path, recording)
    for place in [path for path in estate.documents if path.startswith("/containers/") and path.endswith("/json")]:
        document = estate.documents[place]
        [base] = together(estate, [document], document["Id"])
        results = defaultdict(list)
        tried = [(path, value) for path, value in damages(document) if path != ("Id",)]
        for start in range(0, len(tried), BATCH):
            batch = tried[start : start + BATCH]
            variants = [mutations.damaged(document, path, value) for path, value in batch]
            for (path, value), after in zip(batch, together(estate, variants, document["Id"]), strict=True):
                results[path].append((value, after))
        assert complaints(document, base, results) == []


DAEMON_DOCUMENTS = ("/version", "/info", "/networks", "/volumes")
DECIDED_BY_THEM = ("daemon", "host", "network", "container")


@pytest.mark.parametrize("place", DAEMON_DOCUMENTS)
@pytest.mark.parametrize("recording", RECORDINGS[:: 4 if FULL else 9])
def test_daemon(tmp_path: Path, recording: str, place: str) -> None:
    assert examine(Estate(tmp_path, recording), place, DECIDED_BY_THEM) == []


@pytest.mark.parametrize("place", ["/swarm", "/nodes", "/services", "/secrets", "/info"])
def test_swarm(tmp_path: Path, place: str) -> None:
    assert examine(Estate(tmp_path, "26.1-rootful"), place, ("swarm",)) == []


@pytest.mark.parametrize("recording", RECORDINGS[:: 4 if FULL else 9])
def test_images(tmp_path: Path, recording: str) -> None:
    estate = Estate(tmp_path, recording)
    for place in [path for path in estate.documents if path.startswith("/images/")]:
        assert examine(estate, place, ("image", "host")) == []
