# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.scan.host_scan import GUIDES, HostScan, guide_of
from ansible_collections.breakwater.docker.plugins.module_utils.scan.state import ScanState
from ansible_collections.breakwater.docker.plugins.module_utils.scan.subjects import HOST, Options, Subject, subjects
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

IMAGES = [
    {"Id": "sha256:01", "RepoTags": ["web:1", "web:latest"], "RepoDigests": ["r.example.org/web@sha256:aa"], "Size": 5},
    {"Id": "sha256:02", "RepoTags": None, "RepoDigests": ["<none>@<none>"], "Size": 5},
    {"Id": "sha256:03", "RepoTags": ["old:1"], "RepoDigests": [], "Size": 5},
]
CONTAINERS = [
    {"Id": "c1", "ImageID": "sha256:01", "Names": ["/web"], "State": "running"},
    {"Id": "c2", "ImageID": "sha256:02", "Names": ["/stopped"], "State": "exited"},
]


class Engine:
    def __init__(self, images: Any = None, containers: Any = None) -> None:
        self._answers = {
            "/images/json": IMAGES if images is None else images,
            "/containers/json?all=1": CONTAINERS if containers is None else containers,
        }

    def get(self, path: str) -> Any:
        return self._answers[path]

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        return (self.get(path) for path in paths)


def options(**given: Any) -> Options:
    defaults: dict[str, Any] = {
        "scanners": ["openscap"],
        "host": True,
        "guide": "none",
        "profile": "standard",
        "definitions": [],
        "images": ["*"],
        "unused_images": False,
        "containers": [],
        "sbom": "none",
        "clair_server": "",
        "timeout": 1,
    }
    return Options(**{**defaults, **given})


def chosen(**given: Any) -> list[tuple[str, str]]:
    return [(item.type, item.name) for item in subjects(options(**given), Engine())]


def test_the_host_and_images_in_use_are_scanned() -> None:
    assert chosen() == [("host", ""), ("image", "sha256:02"), ("image", "web:1")]
    assert chosen(host=False, unused_images=True) == [("image", "old:1"), ("image", "sha256:02"), ("image", "web:1")]


@pytest.mark.parametrize("pattern", ["web:latest", "r.example.org/*", "sha256:01", "web:[0-9]"])
def test_images_are_chosen_by_any_of_their_names(pattern: str) -> None:
    assert chosen(host=False, images=[pattern]) == [("image", "web:1")]


def test_running_containers_are_chosen_by_name_or_id() -> None:
    for pattern in ("w*", "c1", "*"):
        assert chosen(host=False, images=[], containers=[pattern]) == [("container", "web")]


def test_only_openscap_examines_hosts_and_containers() -> None:
    assert chosen(scanners=["trivy"], images=["web:1"], containers=["*"]) == [("image", "web:1")]


def test_nothing_is_asked_of_the_engine_for_the_host_alone() -> None:
    assert [item.type for item in subjects(options(images=[]), Engine({}, {}))] == ["host"]


def test_an_answer_that_is_none_is_told() -> None:
    with pytest.raises(UnreadableError):
        subjects(options(), Engine([{"Id": 5}], [{"ImageID": 5, "State": 1}]))


IMAGE = Subject("image", "sha256:01", "web:1")


@pytest.mark.parametrize(
    ("subject", "given"),
    [
        (HOST, {"guide": None}),
        (HOST, {}),
        (IMAGE, {}),
        (IMAGE, {"sbom": "cyclonedx"}),
        (IMAGE, {"scanners": [], "sbom": "spdx"}),
        (Subject("container", "c1", "web"), {}),
    ],
)
def test_what_is_compared_with_nothing_is_told(tmp_path: Path, subject: Subject, given: dict[str, Any]) -> None:
    chosen = options(**{"guide": "none", **given})
    with ScanState(str(tmp_path)) as state:
        scan = HostScan(chosen, RecordedCommands(), str(tmp_path / "socket"), state, chosen.guide)
        told = scan.run([subject])[-1]
    assert "there is nothing to compare it with" in told["reason"]
    assert not told.get("sbom")
    assert told["type"] == subject.type


@pytest.mark.parametrize(
    ("distribution", "release", "name"),
    [
        ("debian", "12", "debian12"),
        ("ubuntu", "22.04", "ubuntu2204"),
        ("rhel", "9.4", "rhel9"),
        ("fedora", "42", "fedora"),
    ],
)
def test_the_guide_is_that_of_the_platform(tmp_path: Path, distribution: str, release: str, name: str) -> None:
    place = tmp_path / GUIDES.lstrip("/")
    place.mkdir(parents=True)
    (place / f"ssg-{name}-ds.xml").touch()
    files = LocalFileSystem(str(tmp_path))
    assert guide_of(files, distribution, release) == f"{GUIDES}/ssg-{name}-ds.xml"
    assert guide_of(files, distribution, "99") is None or distribution == "fedora"
    assert guide_of(files, "other", release) is None
