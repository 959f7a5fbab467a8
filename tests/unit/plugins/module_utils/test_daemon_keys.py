# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import KEYS, KINDS, version_tuple


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("26.1.5+dfsg1", (26, 1, 5, 0)),
        ("20.10.24", (20, 10, 24, 0)),
        ("v29", (29, 0, 0, 0)),
        ("28.0.0-rc.1", (28, 0, 0, 0)),
    ],
)
def test_version_tuple(text: str, expected: tuple[int, ...]) -> None:
    assert version_tuple(text) == expected


def test_version_tuple_refuses_what_is_none() -> None:
    with pytest.raises(ValueError, match="'latest' is not a version"):
        version_tuple("latest")


@pytest.mark.parametrize(
    ("key", "version", "accepted"),
    [
        ("icc", "20.10.24", True),
        ("proxies", "20.10.24", False),
        ("proxies", "23.0.0", True),
        ("allow-direct-routing", "28.1.1", False),
        ("allow-direct-routing", "28.2.0", True),
        ("oom-score-adjust", "25.0.5", True),
        ("oom-score-adjust", "26.0.0", False),
        ("disable-legacy-registry", "20.10.0", False),
        ("min-api-version", None, True),
    ],
)
def test_versions_that_know_a_key(key: str, version: str | None, accepted: bool) -> None:
    assert KEYS[key].accepted_by(version) is accepted


def test_versions_in_words() -> None:
    assert KEYS["proxies"].versions() == "from 23.0"
    assert KEYS["graph"].versions() == "before 24.0"
    assert KEYS["icc"].versions() == "of every version"


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("boolean", False, "no"),
        ("integer", 3, True),
        ("string", "64m", 64),
        ("strings", ["a"], ["a", 1]),
        ("objects", [{"base": "10.0.0.0/8"}], ["10.0.0.0/8"]),
        ("object", {"gc": {}}, []),
        ("booleans_by_name", {"buildkit": True}, {"buildkit": "true"}),
        ("strings_by_name", {"max-file": "3"}, {"max-file": 3}),
        ("objects_by_name", {"nofile": {"Soft": 1}}, {"nofile": 1}),
        ("maps_by_name", {"bridge": {"a": "b"}}, {"bridge": {"a": 1}}),
    ],
)
def test_kinds(kind: str, right: Any, wrong: Any) -> None:
    check = KINDS[kind][1]
    assert check(right)
    assert not check(wrong)


def test_every_key_has_a_known_kind() -> None:
    assert {key.kind for key in KEYS.values()} == set(KINDS)


def test_what_a_reload_can_not_make_effective_is_not_marked_so() -> None:
    # A plugin that does not answer makes a reloading dockerd exit; the others need new processes or chains.
    reloadable = {name for name, key in KEYS.items() if key.reloadable}
    assert not reloadable & {"authorization-plugins", "icc", "no-new-privileges", "hosts", "userns-remap"}
    assert {"live-restore", "insecure-registries", "debug"} <= reloadable
