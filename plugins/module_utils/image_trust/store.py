# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A host's policy, its trust anchors, and the record of the digests that were verified by them. Only root may have
# written them: what somebody else could have changed is not used.

from __future__ import annotations

import json
import stat
from typing import Any, Dict, Mapping, NamedTuple, Tuple

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import policy as policies
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

DIRECTORY = "/etc/docker/image-trust"
POLICY = f"{DIRECTORY}/policy.json"
KEYS = f"{DIRECTORY}/keys"
RECORD_DIRECTORY = "/var/lib/breakwater"
RECORD = f"{RECORD_DIRECTORY}/verified-images.json"
#: How the two kinds of trust anchors begin.
PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----"
CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class Verified(NamedTuple):
    """That an image was verified, by its digest: under which demands (an entry's fingerprint), by what, when (UTC)."""

    image: str
    fingerprint: str
    key: str
    verified_at: str


#: What was verified, by image and fingerprint: policies can differ from call to call.
Record = Dict[Tuple[str, str], Verified]


def anchor_path(name: str) -> str:
    """Return where the trust anchor of this name lies: a public key, certificates, or a Sigstore trusted root."""
    return f"{KEYS}/{name}"


def read_anchor(files: FileSystem, name: str) -> str:
    """Return a trust anchor's content; UnreadableError where there is none, or not only root can write it."""
    return _read(files, anchor_path(name), (DIRECTORY, KEYS))


def anchors_of(files: FileSystem, entry: policies.Entry) -> dict[str, str]:
    """Return the content of an entry's trust anchors by their names; UnreadableError as `read_anchor`."""
    return {name: read_anchor(files, name) for name in entry.anchors}


def read_policy(files: FileSystem) -> policies.Policy | None:
    """Return the host's policy, None where it has none; UnreadableError where it can't be relied on."""
    try:
        text = _read(files, POLICY, (DIRECTORY,))
    except FileNotFoundError:
        return None
    try:
        return policies.parse(_object(text, POLICY)["policy"])
    except (InputError, KeyError, TypeError, AttributeError):
        raise UnreadableError(f"{POLICY} is not a policy: run the role docker_image_trust again") from None


def read_record(files: FileSystem) -> Record:
    """Return what was verified; UnreadableError where it can't be relied on."""
    try:
        text = _read(files, RECORD, (RECORD_DIRECTORY,))
    except FileNotFoundError:
        return {}
    try:
        found = [Verified(*(str(item[name]) for name in Verified._fields)) for item in _object(text, RECORD)["images"]]
    except (KeyError, TypeError):
        raise UnreadableError(f"{RECORD} is not a record of images: remove it, and verify them again") from None
    return {(item.image, item.fingerprint): item for item in found}


def record_text(record: Record) -> str:
    """Return the record's file."""
    images = [item._asdict() for _key, item in sorted(record.items())]
    return json.dumps({"schema": 1, "images": images}, indent=2, sort_keys=True) + "\n"


def _object(text: str, path: str) -> Mapping[str, Any]:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UnreadableError(f"{path} is not JSON") from None


def _read(files: FileSystem, path: str, directories: tuple[str, ...]) -> str:
    """Return a file's text; FileNotFoundError without one, UnreadableError when not only root could have written it."""
    for place in (*directories, path):
        status = files.lstat(place)
        expected = stat.S_ISREG if place == path else stat.S_ISDIR
        if not expected(status.st_mode) or status.st_uid != 0 or status.st_mode & _OTHERS_WRITE:
            rights = f"owner {status.st_uid}, mode {stat.S_IMODE(status.st_mode):04o}"
            raise UnreadableError(f"{place} is not root's alone ({rights}), so it can have been tampered with")
    return files.read_text(path)
