# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry, document, parse

POLICY = [
    {"repository": "*", "action": "reject"},
    {"repository": "registry.example.org/*", "keys": ["release"]},
    {"repository": "registry.example.org/team/*", "keys": ["team"], "annotations": {"env": "production"}},
    {"repository": "registry.example.org/team/web", "keys": ["web"]},
    {"repository": "docker.io/library/busybox", "action": "accept"},
]


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("registry.example.org/team/web", "registry.example.org/team/web"),
        ("registry.example.org/team/web/tools", "registry.example.org/team/*"),
        ("registry.example.org/team/website", "registry.example.org/team/*"),
        ("registry.example.org/teams", "registry.example.org/*"),
        ("registry.example.org.evil.net/team/web", "*"),
        ("registry.example.org:5000/team/web", "*"),
        ("docker.io/library/busybox", "docker.io/library/busybox"),
        ("docker.io/library/busybox2", "*"),
    ],
)
@pytest.mark.parametrize("items", [POLICY, POLICY[::-1]])
def test_most_specific_entry_holds_in_any_order(items: list[dict[str, Any]], name: str, entry: str) -> None:
    found = parse(items).match(name)
    assert found is not None
    assert found.repository == entry


def test_without_an_entry_there_is_none() -> None:
    assert parse([]).match("registry.example.org/web") is None
    assert parse(POLICY[1:]).match("ghcr.io/x/y") is None


def test_document_is_the_policy_again() -> None:
    policy = parse(POLICY)
    assert parse(document(policy)) == policy
    assert document(policy)[0] == {"repository": "*", "action": "reject"}


def test_fingerprint_changes_with_demands_and_keys() -> None:
    entry = Entry("registry.example.org/*", "verify", "cosign", ("release",))
    same = entry.fingerprint({"release": "KEY"})
    assert same == entry.fingerprint({"release": "KEY", "unrelated": "X"})
    changed = Entry("registry.example.org/*", "verify", "cosign", ("release",), annotations=(("env", "production"),))
    assert len({same, entry.fingerprint({"release": "OTHER"}), changed.fingerprint({"release": "KEY"})}) == 3


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"repository": "debian", "keys": ["a"]}, "full name"),
        ({"repository": "registry.example.org", "keys": ["a"]}, "full name"),
        ({"repository": "registry.example.org/web:1", "keys": ["a"]}, "full name"),
        ({"repository": "Registry.example.org/web", "keys": ["a"]}, "full name"),
        ({"repository": "Registry.example.org/*", "keys": ["a"]}, "full name"),
        ({"repository": "docker.io/debian", "keys": ["a"]}, "full name"),
        ({"repository": "index.docker.io/library/debian", "keys": ["a"]}, "full name"),
        ({"repository": "index.docker.io/*", "keys": ["a"]}, "full name"),
        ({"repository": "debian/*", "keys": ["a"]}, "full name"),
        ({"repository": "registry.*.org/web", "keys": ["a"]}, "full name"),
        ({"repository": "", "keys": ["a"]}, "full name"),
        ({"repository": "example.org/x"}, "names no keys"),
        ({"repository": "example.org/x", "keys": ["../../tmp/key"]}, "takes names of keys"),
        ({"repository": "example.org/x", "keys": ["env://KEY"]}, "takes names of keys"),
        ({"repository": "example.org/x", "keys": ["ca"], "identity": "a@b"}, "worthless alone"),
        ({"repository": "example.org/x", "action": "accept", "keys": ["a"]}, "takes no keys"),
        ({"repository": "example.org/x", "action": "allow"}, "give one of"),
    ],
)
def test_contradictions_are_refused(item: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse([item])


@pytest.mark.parametrize("pattern", ["docker.io/*", "docker.io/library/*", "localhost/*", "[::1]:5000/*"])
def test_all_below_a_registry_or_path_is_taken(pattern: str) -> None:
    assert parse([{"repository": pattern, "action": "accept"}]).entries[0].repository == pattern


def test_two_entries_for_one_repository_are_refused() -> None:
    with pytest.raises(InputError, match="two entries"):
        parse([POLICY[0], {"repository": "*", "action": "accept"}])
