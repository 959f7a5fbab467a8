# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Puts a policy and its trust anchors on a host.

from __future__ import annotations

import json
import os
from typing import Mapping

from ansible_collections.breakwater.docker.plugins.module_utils import protected_files
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import read
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import store
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import (
    COSIGN,
    KEY_NAME,
    NOTATION,
    Entry,
    Policy,
    document,
)
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.store import CERTIFICATE, PUBLIC_KEY
from ansible_collections.breakwater.docker.plugins.module_utils.protected_files import Change


def plan(policy: Policy, keys: Mapping[str, str], root: str = "") -> list[Change]:
    """Return what has to change so that the host has this policy and these keys, by name, and no others.

    InputError for an entry whose key is not among them or of another kind, and for a private key. `root` is where a
    test's host is.
    """
    contents = {name: content.strip() + "\n" for name, content in keys.items()}
    for name, content in contents.items():
        _check(name, content)
    for entry in policy.entries:
        _check_entry(entry, contents)
    text = json.dumps({"schema": 1, "policy": document(policy)}, indent=2, sort_keys=True) + "\n"
    directory, place = root + store.KEYS, root + store.DIRECTORY
    present = os.listdir(directory) if os.path.isdir(directory) else []
    gone = sorted(set(present) - contents.keys())
    # A key is there before the policy that names it, and goes after it.
    return [
        *protected_files.writes(directory, contents),
        *protected_files.writes(place, {os.path.basename(store.POLICY): text}),
        *(Change(f"{directory}/{name}", read(f"{directory}/{name}"), None) for name in gone),
    ]


def _check(name: str, content: str) -> None:
    if not KEY_NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name of a key: use letters, digits, dots, dashes and underscores.")
    if "PRIVATE KEY" in content:
        raise InputError(f"The key {name} is a private one: give the public one, and keep this where you sign.")
    if not content.startswith((PUBLIC_KEY, CERTIFICATE)):
        raise InputError(f"The key {name} is neither a public key nor CA certificates in PEM. Nothing was changed.")


def _check_entry(entry: Entry, keys: Mapping[str, str]) -> None:
    missing = [name for name in entry.anchors if name not in keys]
    if missing:
        raise InputError(f"The policy's entry for {entry.repository} names {missing[0]}, which is not among the keys.")
    certificates = entry.verifier == NOTATION or (entry.verifier == COSIGN and bool(entry.identity))
    for name in entry.anchors:
        needed = CERTIFICATE if certificates and name in entry.keys else PUBLIC_KEY
        if not keys[name].startswith(needed):
            kind = "CA certificates" if needed == CERTIFICATE else "a public key"
            raise InputError(
                f"The policy's entry for {entry.repository} needs {kind} in PEM, and {name} is something else."
                f" Nothing was changed."
            )
