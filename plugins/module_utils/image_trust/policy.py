# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whose signature an image needs, by its repository. What no entry is about is refused.

from __future__ import annotations

import json
import re
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import REPOSITORY, repository

VERIFY, ACCEPT, REJECT = ACTIONS = ("verify", "accept", "reject")
COSIGN, NOTATION, CONTENT_TRUST = VERIFIERS = ("cosign", "notation", "content_trust")
_BELOW = "/*"
_EVERYTHING = "*"
#: What a trust anchor may be called; its file has this name.
KEY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_ROOT_KEY_ID = re.compile(r"[0-9a-f]{64}")
#: What else an entry may have, by what it does.
_OPTIONS = {
    COSIGN: {"keys", "identity", "issuer", "transparency_log", "annotations"},
    NOTATION: {"keys", "identity", "annotations"},
    CONTENT_TRUST: {"keys", "server"},
}
_SERVER = re.compile(r"https://[A-Za-z0-9.:\[\]-]+")


class Entry(NamedTuple):
    """What the images of a repository need, or of all below a prefix."""

    repository: str
    action: str
    verifier: str = COSIGN
    keys: tuple[str, ...] = ()
    """Names of trust anchors, any of which will do; ids of root keys for content trust."""
    identity: str = ""
    """Whom the certificate has to name, for signatures by short-lived keys and by notation."""
    issuer: str = ""
    """Who has to have vouched for that identity."""
    transparency_log: str = ""
    """Trust anchor of the log that has to have seen a signature by a short-lived key; without one no log is asked."""
    server: str = ""
    """Address of the Notary server, for content trust."""
    annotations: tuple[tuple[str, str], ...] = ()

    @property
    def anchors(self) -> tuple[str, ...]:
        """The names of the trust anchors that it needs; content trust brings its own."""
        if self.verifier == CONTENT_TRUST:
            return ()
        return (*self.keys, self.transparency_log) if self.transparency_log else self.keys

    def covers(self, name: str) -> bool:
        """Tell whether the entry is about the repository of this full name."""
        if self.repository.endswith(_BELOW):
            return name.startswith(self.repository[:-1])
        return self.repository in (_EVERYTHING, name)

    def fingerprint(self, anchors: Mapping[str, str]) -> str:
        """Return a digest of the entry and of its trust anchors' content, which changes with what it demands."""
        import hashlib  # noqa: PLC0415 (it loads OpenSSL, and most hosts that are audited have no policy)

        content = {**self._asdict(), "anchors": [anchors.get(name, "") for name in self.anchors]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Policy(NamedTuple):
    """The entries, of which for each repository the most specific one holds."""

    entries: tuple[Entry, ...]

    def match(self, name: str) -> Entry | None:
        """Return the entry for a repository's full name, None for none."""
        fitting = [entry for entry in self.entries if entry.covers(name)]
        # A name of one letter below a prefix is no longer than this prefix with its asterisk.
        return max(fitting, key=lambda entry: (entry.repository == name, len(entry.repository)), default=None)


def parse(items: Sequence[Mapping[str, Any]]) -> Policy:
    """Return the policy that these entries are; InputError for one that can't be meant so."""
    entries = tuple(_entry(item) for item in items)
    names = [entry.repository for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"The policy has two entries for {name}: merge them. Nothing was changed.")
    return Policy(entries)


def document(policy: Policy) -> list[dict[str, Any]]:
    """Return the entries in the form that `parse` takes, without what they leave out."""
    shown = []
    for entry in policy.entries:
        item = {name: value for name, value in entry._asdict().items() if value}
        if entry.annotations:
            item["annotations"] = dict(entry.annotations)
        if entry.action != VERIFY:
            del item["verifier"]
        shown.append(item)
    return shown


def _entry(item: Mapping[str, Any]) -> Entry:
    given = {name: value for name, value in item.items() if value not in (None, "", [], {}, ())}
    pattern = str(given.pop("repository", ""))
    _check_pattern(pattern)
    where = f"The policy's entry for {pattern}"
    action, verifier = given.pop("action", VERIFY), given.pop("verifier", COSIGN)
    if action not in ACTIONS or verifier not in VERIFIERS:
        raise InputError(f"{where} has {action} by {verifier}: give one of {', '.join((*ACTIONS, *VERIFIERS))}.")
    superfluous = sorted(given.keys() - (_OPTIONS[verifier] if action == VERIFY else set()))
    if superfluous:
        does = f"verifies by {verifier}" if action == VERIFY else f"does {action}"
        raise InputError(f"{where} {does}, which takes no {', '.join(superfluous)}. Nothing was changed.")
    if action != VERIFY:
        return Entry(pattern, action)
    annotations = given.get("annotations", {})
    entry = Entry(
        pattern,
        action,
        verifier,
        tuple(given.get("keys", ())),
        str(given.get("identity", "")),
        str(given.get("issuer", "")),
        str(given.get("transparency_log", "")),
        str(given.get("server", "")),
        tuple(sorted((str(name), str(value)) for name, value in annotations.items())),
    )
    _check_demands(entry, where)
    return entry


def _check_pattern(pattern: str) -> None:
    name = pattern[: -len(_BELOW)] if pattern.endswith(_BELOW) else pattern
    # `registry.example.org` alone is a registry, and a prefix needs no repository; Docker Hub's have two parts.
    full = name + "/x/x" if pattern.endswith(_BELOW) else name
    if pattern != _EVERYTHING and (not REPOSITORY.fullmatch(full) or repository(full) != full):
        raise InputError(
            f"The policy has an entry for {pattern!r}: give a repository's full name (docker.io/library/debian, the"
            f" host in lower case), all below a registry or path (registry.example.org/team/*), or * for everything."
            " Nothing was changed."
        )


def _check_demands(entry: Entry, where: str) -> None:
    if not entry.keys:
        raise InputError(f"{where} names no keys: without one anybody's signature would do. Nothing was changed.")
    pattern = _ROOT_KEY_ID if entry.verifier == CONTENT_TRUST else KEY_NAME
    for key in entry.keys:
        if not pattern.fullmatch(key):
            takes = "ids of root keys, of 64 hexadecimal digits" if pattern is _ROOT_KEY_ID else "names of keys"
            raise InputError(f"{where} has the key {key!r}: {entry.verifier} takes {takes}. Nothing was changed.")
    if entry.verifier == COSIGN and bool(entry.identity) != bool(entry.issuer):
        raise InputError(f"{where} has one of identity and issuer: each is worthless alone. Nothing was changed.")
    if entry.transparency_log and not (entry.identity and KEY_NAME.fullmatch(entry.transparency_log)):
        raise InputError(
            f"{where} has a transparency_log, which takes a key's name beside identity. Nothing was changed."
        )
    if entry.verifier == CONTENT_TRUST and not _SERVER.fullmatch(entry.server):
        raise InputError(f"{where} needs server, the Notary server's address with https://. Nothing was changed.")
    if entry.verifier == NOTATION and not entry.identity:
        raise InputError(f"{where} names no identity, such as x509.subject: C=…, ST=…, O=…. Nothing was changed.")
