# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Signatures by cosign, by a key or by an identity that a certificate names; nothing but the registry is asked.
# Source: https://github.com/sigstore/cosign/blob/main/doc/cosign_verify.md, cmd/cosign/errors/exit_codes.go.

from __future__ import annotations

import base64
import json
from typing import Sequence

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

#: Exit codes from here on are about signatures; below are failures to look at them, and refusals of bundles.
_NO_SIGNATURE = 10
_NONE_MATCHES = "no matching attestations:"
_ROOT_WANTED = "must be provided using --trusted-root"
_AUTHORITIES = "--ca-roots="
#: What a signature by cosign 3 states, in a Sigstore bundle. cosign 2 takes such bundles for attestations only.
_SIGNATURE = "https://sigstore.dev/cosign/sign/v1"
#: For a bundle cosign asks the internet whom to trust, unless it has a file that says it; a key needs nobody.
_TRUST_NOBODY = '{"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"}'


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
            options = _options(entry, key, read_anchor(self._files, key))
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
            cosign = (*environment(directory, **variables), "cosign")
            told = self._run(*cosign, "verify", "--output", "json", *options, pinned)
            if told.rc == _NO_SIGNATURE and not entry.identity:
                verdict = self._by_statement(cosign, f"{directory}/root.json", pinned, entry, key)
                if verdict:
                    return verdict
            if _ROOT_WANTED in last_words(told):
                told = self._by_root(cosign, f"{directory}/root.json", options, entry, pinned)
        if told.rc != 0:
            return _refusal(told, entry, key)
        if not _is_about(told.stdout, digest):
            return _beside_the_point(digest)
        return Verdict(VERIFIED, f"It is signed by {entry.identity or key}.", key)

    def _by_statement(self, cosign: Sequence[str], root: str, pinned: str, entry: Entry, key: str) -> Verdict | None:
        """Let cosign 2 look for bundles; None where there are none, or where it does not know them."""
        with open(root, "w", encoding="utf-8") as stream:
            stream.write(_TRUST_NOBODY)
        bundle = ("--new-bundle-format", f"--trusted-root={root}", f"--type={_SIGNATURE}")
        told = self._run(*cosign, "verify-attestation", *bundle, *_by_key(key), pinned)
        if told.rc == 0:
            return _stated(told.stdout, pinned.rpartition("@")[2], entry, key)
        # cosign 3 gives no reason where there is none
        return _none_holds(entry, key) if last_words(told).partition(_NONE_MATCHES)[2].strip() else None

    def _by_root(
        self, cosign: Sequence[str], root: str, options: Sequence[str], entry: Entry, pinned: str
    ) -> CommandResult:
        """Verify a bundle by a short-lived key, for which cosign 3 takes CA and log in a file of its own form only."""
        [authorities] = [option for option in options if option.startswith(_AUTHORITIES)]
        chain = authorities.replace(_AUTHORITIES, "--certificate-chain=")
        log = (f"--rekor-key={anchor_path(entry.transparency_log)}",) if entry.transparency_log else ()
        made = self._run(*cosign, "trusted-root", "create", chain, *log, f"--out={root}")
        if made.rc != 0:
            return made
        others = [option for option in options if option != authorities]
        return self._run(*cosign, "verify", "--output", "json", f"--trusted-root={root}", *others, pinned)

    def _run(self, *argv: str) -> CommandResult:
        return self._commands.run(argv, timeout=self._timeout)


def _refusal(told: CommandResult, entry: Entry, key: str) -> Verdict:
    words = last_words(told).replace("error during command execution: ", "")
    if is_missing(told):
        return Verdict(UNDECIDED, "cosign is not installed: run the role docker_image_trust.")
    if told.rc is None or (told.rc < _NO_SIGNATURE and _NONE_MATCHES not in words):
        return Verdict(UNDECIDED, f"cosign can't look at its signatures: {words}.")
    if told.rc == _NO_SIGNATURE:
        return Verdict(REFUSED, "It has no signature.")
    return _lacks_annotations(entry, key) if "annotation" in words else _none_holds(entry, key)


def _lacks_annotations(entry: Entry, key: str) -> Verdict:
    wanted = ", ".join(f"{name}={value}" for name, value in entry.annotations)
    return Verdict(REFUSED, f"Its signatures by {key} lack the annotations {wanted}.")


def _none_holds(entry: Entry, key: str) -> Verdict:
    demanded = f"of {entry.identity}, vouched for by {entry.issuer}," if entry.identity else f"by {key}"
    return Verdict(REFUSED, f"It has signatures, but none {demanded} that holds.")


def _beside_the_point(digest: str) -> Verdict:
    return Verdict(UNDECIDED, f"cosign's answer is not about {digest}: see to the cosign on this host.")


def _stated(output: str, digest: str, entry: Entry, key: str) -> Verdict:
    """Judge by the statements that the key has signed, of which any will do. in-toto's Statement, version 1."""
    try:
        statements = [json.loads(base64.b64decode(json.loads(line)["payload"])) for line in output.splitlines()]
        subjects = [
            subject
            for statement in statements
            if statement["predicateType"] == _SIGNATURE
            for subject in statement["subject"]
            if "sha256:" + subject["digest"]["sha256"] == digest
        ]
        noted = [dict(subject.get("annotations") or {}) for subject in subjects]
    except (ValueError, KeyError, TypeError, AttributeError):
        noted = []
    if not noted:
        return _beside_the_point(digest)
    if not any(all(item in annotations.items() for item in entry.annotations) for annotations in noted):
        return _lacks_annotations(entry, key)
    return Verdict(VERIFIED, f"It is signed by {key}.", key)


def _by_key(key: str) -> tuple[str, ...]:
    # Who has the key needs no witness, and asking one would need the internet.
    return (f"--key={anchor_path(key)}", "--insecure-ignore-tlog=true")


def _options(entry: Entry, key: str, anchor: str) -> list[str]:
    """Return the options for an entry and one of its trust anchors; UnreadableError for an anchor of the wrong kind."""
    # cosign takes addresses and variables of the environment for --key: a path begins with a slash.
    path = anchor_path(key)
    options = [f"--annotations={name}={value}" for name, value in entry.annotations]
    if not entry.identity:
        if not anchor.startswith(PUBLIC_KEY):
            raise UnreadableError(f"{path} is not a public key in PEM")
        return [*options, *_by_key(key)]
    options += [
        f"--certificate-identity={entry.identity}",
        f"--certificate-oidc-issuer={entry.issuer}",
        "--offline=true",
    ]
    if not anchor.startswith(CERTIFICATE):
        raise UnreadableError(f"{path} holds no CA certificates in PEM")
    # Without a log a certificate has to be valid still. The log of certificates is that of public CAs.
    ignored = "false" if entry.transparency_log else "true"
    return [*options, f"{_AUTHORITIES}{path}", "--insecure-ignore-sct=true", f"--insecure-ignore-tlog={ignored}"]


def _is_about(output: str, digest: str) -> bool:
    try:
        found = json.loads(output)
        return any(item["critical"]["image"]["docker-manifest-digest"] == digest for item in found)
    except (ValueError, KeyError, TypeError):
        return False
