# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The storage drivers of distribution's registry, with the parameters of each by version.
# Sources: distribution/distribution, docs/storage-drivers of 2.8 and docs/content/storage-drivers of 3.0; which drivers
# Debian builds in: debian/patches of its package docker-registry.

from __future__ import annotations

import difflib
from typing import Any, Iterator, Mapping, NamedTuple

#: The first major version of each generation that this collection knows.
OLD, NEW = 2, 3


class Driver(NamedTuple):
    """A driver's parameters; `newer` are those since version 3, `secret` those that nobody may see."""

    required: tuple[str, ...]
    optional: tuple[str, ...]
    secret: tuple[str, ...] = ()
    newer: tuple[str, ...] = ()
    last: int = NEW
    """The last major version that has the driver."""
    debian: bool = False
    """Whether Debian's package has it built in."""


_PARTS = ("chunksize", "multipartcopychunksize", "multipartcopymaxconcurrency", "multipartcopythresholdsize")
DRIVERS: Mapping[str, Driver] = {
    "filesystem": Driver(("rootdirectory",), ("maxthreads",), debian=True),
    "s3": Driver(
        ("region", "bucket"),
        (
            *(
                "accesskey",
                "secretkey",
                "sessiontoken",
                "regionendpoint",
                "forcepathstyle",
                "encrypt",
                "keyid",
                "secure",
            ),
            *("skipverify", "v4auth", *_PARTS, "rootdirectory", "storageclass", "useragent", "objectacl"),
        ),
        secret=("accesskey", "secretkey", "sessiontoken"),
        newer=("accelerate", "usedualstack", "loglevel"),
        debian=True,
    ),
    "azure": Driver(
        ("accountname", "container"),
        ("accountkey", "realm", "rootdirectory"),
        secret=("accountkey", "credentials"),
        newer=("credentials", "max_retries", "retry_delay"),
    ),
    "gcs": Driver(
        ("bucket",),
        ("keyfile", "credentials", "rootdirectory", "chunksize"),
        secret=("credentials",),
    ),
    "swift": Driver(
        ("authurl", "username", "password", "container"),
        (
            *("region", "tenant", "tenantid", "domain", "domainid", "tenantdomain", "tenantdomainid", "trustid"),
            *("insecureskipverify", "chunksize", "prefix", "secretkey", "accesskey", "authversion", "endpointtype"),
            *("tempurlcontainerkey", "tempurlmethods"),
        ),
        secret=("password", "secretkey", "accesskey"),
        last=OLD,
        debian=True,
    ),
    "oss": Driver(
        ("accesskeyid", "accesskeysecret", "region", "bucket"),
        ("endpoint", "internal", "encrypt", "secure", "chunksize", "rootdirectory"),
        secret=("accesskeyid", "accesskeysecret"),
        last=OLD,
    ),
}


def problems(name: str, options: Mapping[str, Any], major: int, debian: bool) -> Iterator[str]:
    """Yield, as clauses, why a registry of this version (Debian's own where `debian`) can't store there."""
    driver = DRIVERS[name]
    if major > driver.last:
        usable = ", ".join(other for other, entry in DRIVERS.items() if entry.last >= major)
        yield f"version {major} has no driver {name} any more: use version {driver.last}, or one of {usable}"
    elif debian and not driver.debian:
        usable = ", ".join(other for other, entry in DRIVERS.items() if entry.debian)
        yield f"Debian's registry has no driver {name}: use kind container with an image that has, or one of {usable}"
    known = (*driver.required, *driver.optional, *driver.newer)
    for key in options:
        if key not in known:
            close = difflib.get_close_matches(key, known, n=1)
            hint = f", did you mean {close[0]}" if close else ""
            yield f"{key} is no parameter of the driver {name}{hint}"
        elif key in driver.newer and major < NEW:
            yield f"{key} of the driver {name} is known since version {NEW}"
    missing = [key for key in driver.required if options.get(key) in (None, "")]
    if missing:
        yield f"the driver {name} needs {' and '.join(missing)}"
    if name == "azure" and not (options.get("accountkey") or options.get("credentials")):
        yield "the driver azure needs accountkey" + (" or credentials" if major >= NEW else "")
    if name == "s3" and bool(options.get("accesskey")) != bool(options.get("secretkey")):
        yield "the driver s3 needs both accesskey and secretkey, or neither where the machine has a role"


def secrets(name: str, options: Mapping[str, Any]) -> set[str]:
    """Return the strings among the options that nobody may see."""
    found: set[str] = set()
    for key in DRIVERS[name].secret:
        value = options.get(key)
        found |= {str(part) for part in value.values()} if isinstance(value, Mapping) else {str(value or "")}
    return found - {""}


def unprotected(options: Mapping[str, Any]) -> list[str]:
    """Return, as clauses, which options let others read or change what goes to the storage."""
    found = []
    if options.get("secure") is False:
        found.append("secure: false sends images in clear text")
    found += [f"{key}: true trusts any server" for key in ("skipverify", "insecureskipverify") if options.get(key)]
    return found
