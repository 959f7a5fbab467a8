# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Signatures by notation, which is given a trust store and a trust policy for just this image.
# Sources: https://notaryproject.dev/docs/ (directory structure, trust store and trust policy), notation verify.

from __future__ import annotations

import json
import os

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import ImageReference
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.store import anchors_of
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import (
    REFUSED,
    UNDECIDED,
    VERIFIED,
    Verdict,
    environment,
    is_missing,
    last_words,
    workspace,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner, FileSystem

_STORE = "breakwater"
#: What it says when it has looked at the signatures, and not when it could not.
_REFUSALS = ("failed for all the signatures", "no signature is associated")


class Notation:
    """notation, by the command of that name."""

    def __init__(self, commands: CommandRunner, files: FileSystem, docker_config: str, timeout: float) -> None:
        self._commands = commands
        self._files = files
        self._docker_config = docker_config
        self._timeout = timeout

    def verify(self, reference: ImageReference, digest: str, entry: Entry) -> Verdict:
        """Say whether the entry's identity signed it, by a certificate of the entry's CAs and with its annotations."""
        try:
            anchors = anchors_of(self._files, entry)
        except (UnreadableError, OSError) as error:
            return Verdict(UNDECIDED, f"Its keys can't be used: {error}. Deploy them by the role docker_image_trust.")
        annotations = [f"--user-metadata={name}={value}" for name, value in entry.annotations]
        with workspace(reference.registry) as directory:
            _configure(f"{directory}/notation", entry, anchors)
            prefix = environment(
                directory,
                XDG_CONFIG_HOME=directory,
                XDG_CACHE_HOME=f"{directory}/cache",
                DOCKER_CONFIG=self._docker_config,
            )
            argv = (*prefix, "notation", "verify", *annotations, reference.pinned(digest))
            told = self._commands.run(argv, timeout=self._timeout)
        if is_missing(told):
            return Verdict(UNDECIDED, "notation is not installed: install it on this host.")
        if told.rc == 0:
            return Verdict(VERIFIED, f"It is signed by {entry.identity}.", ", ".join(entry.keys))
        words = last_words(told)
        refused = any(refusal in words for refusal in _REFUSALS)
        return Verdict(REFUSED if refused else UNDECIDED, f"notation does not verify it: {words}.")


def _configure(directory: str, entry: Entry, anchors: dict[str, str]) -> None:
    store = f"{directory}/truststore/x509/ca/{_STORE}"
    os.makedirs(store)
    for name, content in anchors.items():
        _write(f"{store}/{name}.pem", content)
    statement = {
        "name": _STORE,
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict"},
        "trustStores": [f"ca:{_STORE}"],
        "trustedIdentities": [entry.identity],
    }
    _write(f"{directory}/trustpolicy.json", json.dumps({"version": "1.0", "trustPolicies": [statement]}))


def _write(path: str, content: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
        stream.write(content)
