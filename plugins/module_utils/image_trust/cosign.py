# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Signatures by cosign, by a key or by an identity that a certificate names; nothing but the registry is asked.
# Source: https://github.com/sigstore/cosign/blob/main/doc/cosign_verify.md, cmd/cosign/errors/exit_codes.go.

from __future__ import annotations

import json

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import ImageReference
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.store import (
    CERTIFICATE,
    PUBLIC_KEY,
    anchor_path,
    read_anchor,
)
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
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner, FileSystem

#: Exit codes from here on are about signatures; below are failures to look at them.
_NO_SIGNATURE = 10


class Cosign:
    """cosign, by the command of that name."""

    def __init__(self, commands: CommandRunner, files: FileSystem, docker_config: str, timeout: float) -> None:
        self._commands = commands
        self._files = files
        self._docker_config = docker_config
        self._timeout = timeout

    def verify(self, reference: ImageReference, digest: str, entry: Entry) -> Verdict:
        """Say whether a signature by any of the entry's keys is there, with all its annotations."""
        verdicts = []
        for key in entry.keys:
            verdict = self._by(reference, digest, entry, key)
            if verdict.status == VERIFIED:
                return verdict
            verdicts.append(verdict)
        undecided = [verdict for verdict in verdicts if verdict.status == UNDECIDED]
        return (undecided or verdicts)[0]

    def _by(self, reference: ImageReference, digest: str, entry: Entry, key: str) -> Verdict:
        try:
            options = _options(entry, anchor_path(key), read_anchor(self._files, key))
            if entry.transparency_log:
                read_anchor(self._files, entry.transparency_log)
        except (UnreadableError, OSError) as error:
            return Verdict(
                UNDECIDED, f"The key {key} can't be used: {error}. Deploy it by the role docker_image_trust."
            )
        pinned = reference.pinned(digest)
        variables = {"DOCKER_CONFIG": self._docker_config}
        if entry.transparency_log:
            variables["SIGSTORE_REKOR_PUBLIC_KEY"] = anchor_path(entry.transparency_log)
        with workspace(reference.registry) as directory:
            argv = (*environment(directory, **variables), "cosign", "verify", "--output", "json", *options, pinned)
            told = self._commands.run(argv, timeout=self._timeout)
        if told.rc != 0:
            return self._refusal(told, entry, key)
        if not _is_about(told.stdout, digest):
            return Verdict(UNDECIDED, f"cosign's answer is not about {digest}: see to the cosign on this host.")
        return Verdict(VERIFIED, f"It is signed by {entry.identity or key}.", key)

    def _refusal(self, told: CommandResult, entry: Entry, key: str) -> Verdict:
        words = last_words(told).replace("error during command execution: ", "")
        if is_missing(told):
            return Verdict(UNDECIDED, "cosign is not installed: run the role docker_image_trust.")
        if told.rc is None or told.rc < _NO_SIGNATURE:
            return Verdict(UNDECIDED, f"cosign can't look at its signatures: {words}.")
        if told.rc == _NO_SIGNATURE:
            return Verdict(REFUSED, "It has no signature.")
        if "annotation" in words:
            wanted = ", ".join(f"{name}={value}" for name, value in entry.annotations)
            return Verdict(REFUSED, f"Its signatures by {key} lack the annotations {wanted}.")
        demanded = f"of {entry.identity}, vouched for by {entry.issuer}," if entry.identity else f"by {key}"
        return Verdict(REFUSED, f"It has signatures, but none {demanded} that holds.")


def _options(entry: Entry, path: str, anchor: str) -> list[str]:
    """Return the options for an entry and one of its trust anchors; UnreadableError for an anchor of the wrong kind."""
    # cosign takes addresses and variables of the environment for --key: a path begins with a slash.
    options = [f"--annotations={name}={value}" for name, value in entry.annotations]
    if not entry.identity:
        if not anchor.startswith(PUBLIC_KEY):
            raise UnreadableError(f"{path} is not a public key in PEM")
        # Who has the key needs no witness, and asking one would need the internet.
        return [*options, f"--key={path}", "--insecure-ignore-tlog=true"]
    options += [
        f"--certificate-identity={entry.identity}",
        f"--certificate-oidc-issuer={entry.issuer}",
        "--offline=true",
    ]
    if not anchor.startswith(CERTIFICATE):
        raise UnreadableError(f"{path} holds no CA certificates in PEM")
    # Without a log a certificate has to be valid still. The log of certificates is that of public CAs.
    ignored = "false" if entry.transparency_log else "true"
    return [*options, f"--ca-roots={path}", "--insecure-ignore-sct=true", f"--insecure-ignore-tlog={ignored}"]


def _is_about(output: str, digest: str) -> bool:
    try:
        found = json.loads(output)
        return any(item["critical"]["image"]["docker-manifest-digest"] == digest for item in found)
    except (ValueError, KeyError, TypeError):
        return False
