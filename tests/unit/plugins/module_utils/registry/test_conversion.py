# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.registry.conversion import convert

STORAGE = {"storage": {"filesystem": {"rootdirectory": "/srv"}, "delete": {"enabled": True}}}


def test_what_both_versions_know_is_kept() -> None:
    given = {"version": 0.1, **STORAGE, "http": {"addr": ":5000"}, "auth": {"htpasswd": {"realm": "r", "path": "p"}}}
    found = convert("c", given)
    assert found == ({**given, "version": "0.1"}, [], [])


def test_redis_has_other_names() -> None:
    pool = {"maxidle": 16, "maxactive": 64, "idletimeout": "300s", "wait": True}
    found = convert("c", {**STORAGE, "redis": {"addr": "h:6379", "password": "x", "pool": pool}})
    assert found.document["redis"] == {
        **{"addrs": ["h:6379"], "password": "x", "maxidleconns": 16, "poolsize": 64, "connmaxidletime": "300s"},
    }
    assert ("redis.pool.maxactive", "redis.poolsize") in found.renamed
    assert [entry for entry, _reason in found.dropped] == ["redis.pool.wait"]


def test_tls_with_redis_is_never_lost() -> None:
    with pytest.raises(InputError, match="clear text"):
        convert("c", {**STORAGE, "redis": {"addr": "h:6379", "tls": {"enabled": True}}})
    tls = {"enabled": True, "certificate": "/c", "key": "/k"}
    found = convert("c", {**STORAGE, "redis": {"addr": "h:6379", "tls": tls}})
    assert found.document["redis"]["tls"] == {"certificate": "/c", "key": "/k"}


@pytest.mark.parametrize(
    ("log", "expected"), [(None, {"level": "warn"}), ({"formatter": "json"}, {"formatter": "json", "level": "warn"})]
)
def test_level_of_the_log_moves(log: Any, expected: Any) -> None:
    given = {**STORAGE, "loglevel": "warn", **({"log": log} if log else {})}
    assert convert("c", given).document["log"] == expected


def test_older_level_of_the_log_gives_way() -> None:
    found = convert("c", {**STORAGE, "loglevel": "warn", "log": {"level": "info"}})
    assert found.document["log"] == {"level": "info"}
    assert [entry for entry, _reason in found.dropped] == ["loglevel"]


def test_sections_that_are_gone_are_told() -> None:
    found = convert("c", {**STORAGE, "compatibility": {"schema1": {"enabled": True}}, "reporting": {}, "mistake": 1})
    assert set(found.document) == {"storage", "version"}
    assert {entry: "schema 1" in reason for entry, reason in found.dropped} == {
        **{"compatibility": True, "reporting": False, "mistake": False}
    }


@pytest.mark.parametrize("driver", ["swift", "oss", "rados"])
def test_drivers_that_are_gone_are_refused(driver: str) -> None:
    with pytest.raises(InputError, match=f"no storage driver {driver}.*skopeo"):
        convert("c", {"storage": {driver: {"password": "x"}}})


@pytest.mark.parametrize("storage", ["inmemory", {"inmemory": None}, {"s3aws": {"bucket": "b"}}])
def test_further_drivers_stay(storage: Any) -> None:
    assert convert("c", {"storage": storage}).document["storage"] == storage


@pytest.mark.parametrize("document", [{}, {"storage": {}}, {"storage": {"s3": {}, "filesystem": {}}}, {"storage": [1]}])
def test_what_is_no_configuration_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(UnreadableError):
        convert("c", document)
