# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A configuration of the registry's version 2 as version 3 wants it. Version 3 passes over what it does not know without
# a word, so what is only dropped is told, and what would be weaker or gone is refused.
# Source: distribution/distribution, configuration/configuration.go of 2.8 and 3.0, and the notes to its release 3.0.0.

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.registry.drivers import DRIVERS, NEW
from ansible_collections.breakwater.docker.plugins.module_utils.registry.effective import Effective

#: Other names of drivers, and one for tests.
_FURTHER_DRIVERS = ("s3aws", "inmemory")
_SECTIONS = (
    *("version", "log", "storage", "auth", "middleware", "http", "notifications", "redis", "health", "proxy"),
    *("validation", "policy"),
)
_GONE = {
    "reporting": "version 3 reports errors to no Bugsnag and no New Relic",
    "compatibility": "version 3 has no manifests of schema 1",
}
#: Entries of redis by the names of version 2 and of version 3.
_POOL = {"maxidle": "maxidleconns", "maxactive": "poolsize", "idletimeout": "connmaxidletime"}

Document = Dict[str, Any]


class Conversion(NamedTuple):
    """The configuration for version 3, and what became of entries: old and new path, or path and why it is gone."""

    document: Document
    renamed: list[tuple[str, str]]
    dropped: list[tuple[str, str]]


def convert(path: str, document: Mapping[str, Any]) -> Conversion:
    """Return the configuration for version 3; InputError, which names `path`, for what it does not have.

    Raises UnreadableError where the document is no configuration of a registry.
    """
    given = Effective(path, document)
    driver = given.driver
    _check_driver(path, driver)
    if given.get("redis", "tls", "enabled") is True and not given.get("redis", "tls", "certificate"):
        raise InputError(
            f"{path}: version 3 speaks TLS with redis only when redis.tls has a certificate and a key, and would send"
            " its password in clear text: give them. Nothing was written."
        )
    converted = {key: value for key, value in document.items() if key in _SECTIONS}
    converted["version"] = "0.1"
    renamed: list[tuple[str, str]] = []
    dropped = [
        (key, _GONE.get(key, "version 3 has no such section"))
        for key in document
        if key not in (*_SECTIONS, "loglevel")
    ]
    if "loglevel" in document:
        _log_level(converted, str(document["loglevel"]), renamed, dropped)
    if isinstance(document.get("redis"), Mapping):
        converted["redis"] = _redis(document["redis"], renamed, dropped)
    return Conversion(converted, renamed, dropped)


def _check_driver(path: str, driver: str) -> None:
    known = DRIVERS.get(driver)
    if known is None and driver in _FURTHER_DRIVERS:
        return
    if known is None or known.last < NEW:
        usable = ", ".join(name for name, entry in DRIVERS.items() if entry.last >= NEW)
        raise InputError(
            f"{path}: version 3 has no storage driver {driver}: copy the images to a registry with one of {usable}"
            " first, for example by skopeo sync. Nothing was written."
        )


def _log_level(converted: Document, level: str, renamed: list[tuple[str, str]], dropped: list[tuple[str, str]]) -> None:
    log = converted.get("log")
    entries: Document = dict(log) if isinstance(log, Mapping) else {}
    if "level" in entries:
        dropped.append(("loglevel", "log.level goes before it"))
    else:
        entries["level"] = level
        renamed.append(("loglevel", "log.level"))
    converted["log"] = entries


def _redis(given: Mapping[str, Any], renamed: list[tuple[str, str]], dropped: list[tuple[str, str]]) -> Document:
    entries = {key: value for key, value in given.items() if key not in ("addr", "pool", "tls")}
    if given.get("addr"):
        entries["addrs"] = [given["addr"]]
        renamed.append(("redis.addr", "redis.addrs"))
    pool = given.get("pool")
    for key, value in (pool if isinstance(pool, Mapping) else {}).items():
        if key in _POOL:
            entries[_POOL[key]] = value
            renamed.append((f"redis.pool.{key}", f"redis.{_POOL[key]}"))
        else:
            dropped.append((f"redis.pool.{key}", "version 3 has no such entry"))
    tls = given.get("tls")
    if isinstance(tls, Mapping):
        kept = {key: value for key, value in tls.items() if key != "enabled"}
        if kept:
            entries["tls"] = kept
        if "enabled" in tls:
            dropped.append(("redis.tls.enabled", "version 3 speaks TLS when redis.tls has a certificate"))
    return entries
