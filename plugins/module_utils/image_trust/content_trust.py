# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Docker Content Trust, which Docker 29 removed. The Notary server is asked anew each time, without what was cached.
# Sources: https://docs.docker.com/engine/security/trust/, docker-trust-inspect(1).

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import COMMAND
from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import ImageReference
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry
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
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner

#: The first version of engine and command that verifies nothing.
REMOVED = 29


class ContentTrust:
    """Content trust, by the docker command."""

    def __init__(self, commands: CommandRunner, docker_config: str, timeout: float) -> None:
        self._commands = commands
        self._docker_config = docker_config
        self._timeout = timeout

    def verify(self, reference: ImageReference, digest: str, entry: Entry) -> Verdict:
        """Say whether the reference's tag, or for a reference by digest any, is signed as this digest."""
        told = self._commands.run((*COMMAND, "version", "--format", "{{.Client.Version}} {{.Server.Version}}"))
        versions = [word.partition(".")[0] for word in told.stdout.split()]
        if any(version.isdigit() and int(version) >= REMOVED for version in versions):
            reason = f"Docker {REMOVED} removed content trust, so nothing verifies it: sign by cosign."
            return Verdict(REFUSED, reason)
        with workspace(reference.registry, entry.server.partition("://")[2]) as directory:
            for name in ("config.json", "tls"):
                with contextlib.suppress(OSError):
                    os.symlink(f"{self._docker_config}/{name}", f"{directory}/{name}")
            prefix = environment(directory, DOCKER_CONFIG=directory, DOCKER_CONTENT_TRUST_SERVER=entry.server)
            told = self._commands.run((*prefix, *COMMAND, "trust", "inspect", reference.repository), self._timeout)
        if is_missing(told):
            return Verdict(UNDECIDED, "The docker command is not installed.")
        if told.rc != 0:
            return Verdict(UNDECIDED, f"It has no signatures, or {entry.server} can't be asked: {last_words(told)}.")
        try:
            return _judge(json.loads(told.stdout), reference, digest, entry)
        except (ValueError, UnreadableError) as error:
            return Verdict(UNDECIDED, f"The answer of docker trust is not understood: {error}.")


def _judge(answer: Any, reference: ImageReference, digest: str, entry: Entry) -> Verdict:
    if not isinstance(answer, list) or len(answer) != 1 or not isinstance(answer[0], dict):
        raise UnreadableError("it is not about one repository")
    about = Document(answer[0], "it")
    roots = {
        key.string("ID")
        for group in about.objects("AdministrativeKeys")
        if group.string("Name") == "Root"
        for key in group.objects("Keys")
    }
    # Every root key has to be one of ours: any of them could have signed the rest.
    if not roots or not roots <= set(entry.keys):
        return Verdict(
            REFUSED, f"Its root keys are {', '.join(sorted(roots)) or 'none'}, and not only those of the policy."
        )
    tags = {tag.string("SignedTag"): f"sha256:{tag.string('Digest')}" for tag in about.objects("SignedTags")}
    signed = list(tags.values()) if reference.digest else [tags.get(str(reference.tag))]
    if digest not in signed:
        what = "No tag" if reference.digest else f"The tag {reference.tag}"
        return Verdict(REFUSED, f"{what} of {reference.repository} is signed as {digest}.")
    return Verdict(VERIFIED, f"It is signed in {entry.server}.", min(roots))
