# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a registry is to be, and what of it contradicts itself. Pure: no host is touched here.
# Source: distribution/distribution, docs/content/about/configuration.md of 2.8 and 3.0.

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.redact import has_credentials
from ansible_collections.breakwater.docker.plugins.module_utils.registry import drivers, passwords

NATIVE, CONTAINER = "native", "container"
NONE, ACCEPTED, REQUIRED = "none", "accepted", "required"
_VERSION = re.compile(r"([23])(\.\d+)*")
_DURATION = re.compile(r"(\d+(ms|s|m|h))+")
_SIZE = re.compile(r"(\d+)([KMGT]?)")
#: What unit files can name without quotes.
_PLAIN_PATH = re.compile(r"/[A-Za-z0-9/._+-]*")
_SCHEDULE = re.compile(r"[A-Za-z0-9 ,.:*/~+-]*")
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
#: Directories that belong to others; a registry gets one of its own below.
_SHARED = ("/", "/etc", "/home", "/opt", "/root", "/run", "/srv", "/usr", "/var", "/var/lib")
#: Parameters of token authentication, and those that version 2 lacks.
_TOKEN_REQUIRED = ("realm", "service", "issuer")
_TOKEN_NEWER = ("jwks", "signingalgorithms")
_TOKEN = (*_TOKEN_REQUIRED, "rootcertbundle", "autoredirect", *_TOKEN_NEWER)


@dataclass(frozen=True)
class Settings:
    """A registry; paths are the host's, sizes have a unit of 1024 (`10G`), durations are Go's (`168h`)."""

    kind: str
    version: str
    image: str
    uid: int
    address: str
    port: int
    certificate: str
    key: str
    tls_minimum: str
    client_certificates: str
    client_ca: Sequence[str]
    users: Sequence[Mapping[str, str | None]]
    token: Mapping[str, Any]
    storage: str
    storage_options: Mapping[str, Any]
    redirect: bool
    delete: bool
    purge_age: str
    proxy: Mapping[str, Any]
    metrics_address: str
    log_level: str
    memory: str
    tasks: int
    gc_schedule: str
    quota: str
    quota_schedule: str
    backup_directory: str
    backup_schedule: str
    backup_keep: int

    @property
    def major(self) -> int:
        """The major version."""
        return int(self.version[0])

    @property
    def native(self) -> bool:
        """Whether it is Debian's service."""
        return self.kind == NATIVE

    @property
    def root(self) -> str:
        """The directory of the images, empty where they are stored elsewhere."""
        return str(self.storage_options.get("rootdirectory", "")) if self.storage == "filesystem" else ""

    def secrets(self) -> set[str]:
        """Return the strings that nobody may see."""
        url = str(self.proxy.get("url") or "")
        found = {str(self.proxy.get("password") or ""), url if has_credentials(url) else ""}
        found |= {str(user.get(key) or "") for user in self.users for key in ("password", "hash")}
        return (found | drivers.secrets(self.storage, self.storage_options)) - {""}

    def warnings(self) -> list[str]:
        """Return, as sentences, what is allowed but weak."""
        return [
            f"The storage is not protected on the way: {clause}."
            for clause in drivers.unprotected(self.storage_options)
        ]


def size(text: str) -> int:
    """Return the bytes of a size like `10G`; 0 for an empty one."""
    found = _SIZE.fullmatch(text)
    return int(found.group(1)) * _UNITS[found.group(2)] if found else 0


def host_port(address: str, port: int) -> str:
    """Return an address as distribution and Docker write it; an empty one is every address."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def split_address(text: str) -> tuple[str, int]:
    """Return address and port of `127.0.0.1:5001` or `[::1]:5001`; ValueError for anything else."""
    address, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or not 0 < int(port) < 1 << 16:
        raise ValueError(text)
    return str(ipaddress.ip_address(address.strip("[]"))), int(port)


def check(settings: Settings) -> None:
    """Raise InputError naming everything that can't be; the version is checked first, for the rest depends on it."""
    if not _VERSION.fullmatch(settings.version):
        raise InputError(
            f"{settings.version!r} is no version of a registry that is known: give 2.8 or 3.0, for example."
        )
    passwords.check_users(settings.users)
    found = [problem for part in (_kind, _access, _storage, _upkeep) for problem in part(settings)]
    if found:
        raise InputError(f"The registry can't be set up: {'; '.join(found)}. Nothing was changed.")


def _kind(settings: Settings) -> Iterator[str]:
    if settings.native and settings.major != drivers.OLD:
        yield "Debian's registry is of version 2: use kind container for version 3, or set version to 2.8"
    if not settings.native and not settings.image:
        yield "kind container needs an image"
    if not settings.native and settings.uid <= 0:
        yield "the container's user must not be root: give another uid"
    if not 0 < settings.port < 1 << 16:
        yield f"{settings.port} is no port"
    if settings.address and not _is_address(settings.address):
        yield f"{settings.address!r} is no address of this host"
    if not _SIZE.fullmatch(settings.memory):
        yield f"{settings.memory!r} is no size of memory such as 1G"
    if settings.tasks < 16:
        yield "a registry needs 16 tasks or more"
    if settings.metrics_address:
        yield from _metrics(settings.metrics_address)


def _metrics(text: str) -> Iterator[str]:
    try:
        address = ipaddress.ip_address(split_address(text)[0])
    except ValueError:
        yield f"{text!r} is no address for metrics such as 127.0.0.1:5001"
        return
    if address.is_unspecified or not address.is_private:
        yield f"metrics are given to everybody who asks, and {address} is not private: use 127.0.0.1 for example"


def _access(settings: Settings) -> Iterator[str]:
    if not (settings.users or settings.token or settings.client_certificates == REQUIRED):
        yield "everybody could push: give users, token, or require client certificates"
    if settings.users and settings.token:
        yield "a registry asks for passwords or for tokens: give users or token, not both"
    if settings.client_certificates == ACCEPTED and settings.major < drivers.NEW:
        yield "client certificates can be accepted without being required since version 3 only"
    if settings.client_certificates != NONE and not settings.client_ca:
        yield "client certificates need a CA that they are checked against"
    if settings.client_certificates == NONE and settings.client_ca:
        yield "a CA for client certificates is given, but none are wanted: set client_certificates to required"
    for key in settings.token:
        if key not in _TOKEN:
            yield f"{key} is no parameter of token authentication"
        elif key in _TOKEN_NEWER and settings.major < drivers.NEW:
            yield f"{key} of token authentication is known since version {drivers.NEW}"
    missing = [key for key in _TOKEN_REQUIRED if settings.token and not settings.token.get(key)]
    if missing:
        yield f"token authentication needs {' and '.join(missing)}"
    if settings.token and not (settings.token.get("rootcertbundle") or settings.token.get("jwks")):
        yield "token authentication needs rootcertbundle" + (" or jwks" if settings.major >= drivers.NEW else "")
    if settings.token and not str(settings.token.get("realm", "")).startswith("https://"):
        yield "clients send their passwords to the realm of token authentication: it has to begin with https://"


def _storage(settings: Settings) -> Iterator[str]:
    yield from drivers.problems(settings.storage, settings.storage_options, settings.major, settings.native)
    root = settings.root
    if settings.storage == "filesystem" and (not _PLAIN_PATH.fullmatch(root) or os.path.normpath(root) in _SHARED):
        yield f"{root!r} can't be the directory of the images: give one of the registry's own, with its whole path"
    if not _DURATION.fullmatch(settings.purge_age):
        yield f"{settings.purge_age!r} is no duration such as 168h"
    proxy = settings.proxy
    url = str(proxy.get("url") or "")
    if proxy and not url.startswith("https://"):
        yield "what is mirrored could be changed on the way: the url of proxy has to begin with https://"
    if has_credentials(url):
        yield "the url of proxy holds a user or a password: give them as username and password"
    if bool(proxy.get("username")) != bool(proxy.get("password")):
        yield "proxy needs both username and password, or neither"
    if proxy.get("ttl") and settings.major < drivers.NEW:
        yield f"ttl of proxy is known since version {drivers.NEW}"


def _upkeep(settings: Settings) -> Iterator[str]:
    local = settings.storage == "filesystem"
    if settings.quota and not _SIZE.fullmatch(settings.quota):
        yield f"{settings.quota!r} is no quota such as 50G"
    if settings.quota and not local:
        yield "a quota is measured on this host's file system only: use the storage's own alarms"
    if settings.backup_directory and not local:
        yield "only storage on this host's file system is backed up from here"
    if settings.backup_directory and not _PLAIN_PATH.fullmatch(settings.backup_directory):
        yield f"{settings.backup_directory!r} can't be the directory of backups: give a whole path without blanks"
    elif settings.backup_directory and _inside(settings.backup_directory, settings.root):
        yield "backups can't lie inside of what they back up"
    for schedule in (settings.gc_schedule, settings.quota_schedule, settings.backup_schedule):
        if not _SCHEDULE.fullmatch(schedule):
            yield f"{schedule!r} is no calendar event of systemd's such as Sun 03:00"
    if settings.backup_keep < 1:
        yield "keep one backup or more"


def _inside(path: str, directory: str) -> bool:
    return os.path.isabs(directory) and os.path.commonpath((path, directory)) == os.path.normpath(directory)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
