# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whether the host's policy lets an image be used, by the record of what was verified here. Nothing is verified anew: an
# audit needs no verifier, no registry and no time. What was verified under other demands than today's does not count.

from __future__ import annotations

import errno
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.evidence.lazy import Lazy
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import repository
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import store
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import ACCEPT, VERIFY, Entry, Policy
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

VERIFIED, ACCEPTED, UNVERIFIED, REFUSED, UNKNOWN = "verified", "accepted", "unverified", "refused", "unknown"
_BEST_FIRST = (VERIFIED, ACCEPTED, UNVERIFIED, REFUSED)


class Judged(NamedTuple):
    """What the policy says of an image, and why."""

    status: str
    reason: str


class Signatures:
    """A host's policy and record, each read once."""

    def __init__(self, files: FileSystem) -> None:
        self._files = files
        self._policy = Lazy(lambda: _policy(files))
        self._record = Lazy(lambda: store.read_record(files))
        self._fingerprints: dict[Entry, str] = {}

    def judge(self, pinned: Sequence[str]) -> Judged:
        """Judge an image by its names by digest, of which the best decides, since they are of one content.

        UnreadableError or OSError where policy, keys or record can't be relied on.
        """
        policy = self._policy()
        if policy is None:
            return Judged(UNKNOWN, "There is no policy of images on the host.")
        if not pinned:
            return Judged(UNVERIFIED, "It was built or loaded on the host: no registry knows a digest of it.")
        judged = [self._judge(policy, name) for name in pinned]
        return min(judged, key=lambda item: _BEST_FIRST.index(item.status))

    def _judge(self, policy: Policy, pinned: str) -> Judged:
        place, _at, digest = pinned.partition("@")
        name = repository(place)
        entry = policy.match(name)
        if entry is None:
            return Judged(REFUSED, f"The policy has no entry for {name}.")
        if entry.action == ACCEPT:
            return Judged(ACCEPTED, f"The policy accepts {name} without a signature.")
        if entry.action != VERIFY:
            return Judged(REFUSED, f"The policy rejects {name}.")
        verified = self._record().get((f"{name}@{digest}", self._fingerprint(entry)))
        if verified is None:
            return Judged(UNVERIFIED, "No verification of its digest under this policy and by these keys is on record.")
        return Judged(VERIFIED, f"It was verified by {verified.key} on {verified.verified_at[:10]}.")

    def _fingerprint(self, entry: Entry) -> str:
        if entry not in self._fingerprints:
            self._fingerprints[entry] = entry.fingerprint(store.anchors_of(self._files, entry))
        return self._fingerprints[entry]


def has_policy(files: FileSystem) -> bool:
    """Tell whether the host has a policy; UnreadableError where it can't be relied on."""
    return store.read_policy(files) is not None


def _policy(files: FileSystem) -> Policy | None:
    try:
        return store.read_policy(files)
    except OSError as error:
        # A host that can't be seen is for a person to judge, as one without a policy.
        if error.errno == errno.EREMOTE:
            return None
        raise
