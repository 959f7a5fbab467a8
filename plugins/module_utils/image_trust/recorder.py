# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Brings the record of verified digests up to date. Whether an image may still be used is judged by the policy of then:
# the record tells under which demands it was verified.

from __future__ import annotations

import contextlib
import os
import time
from typing import NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, locked
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import store
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.examine import Examined
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Policy
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import REFUSED, VERIFIED
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

#: Images of years of releases; the oldest of more are forgotten, and would have to be verified again.
LIMIT = 2000
_LOCK_TIMEOUT = 60.0


class Recording(NamedTuple):
    """The record's text before and after."""

    before: str
    after: str


def record(images: Sequence[Examined], policy: Policy, files: FileSystem, write: bool, root: str = "") -> Recording:
    """Put what was verified on the record and take what was refused off it; without `write` only tell how.

    A record that others than root can have written counts as empty, and is replaced. `root` is where a test's host is.
    """
    path = root + store.RECORD
    if not write:
        return _recording(images, policy, files)
    with locked(path, _LOCK_TIMEOUT):
        recording = _recording(images, policy, files)
        if recording.before != recording.after:
            if os.path.islink(path):
                os.unlink(path)
            ConfigFile(path).write(recording.after)
    return recording


def _recording(images: Sequence[Examined], policy: Policy, files: FileSystem) -> Recording:
    try:
        known = store.read_record(files)
        before = store.record_text(known) if known else ""
    except UnreadableError as error:
        known, before = {}, f"{error}\n"
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    for image in images:
        entry = policy.match(image.repository)
        if image.pinned is None or entry is None:
            continue
        if image.verdict.status == VERIFIED:
            demands = entry.fingerprint(store.anchors_of(files, entry))
            verified = store.Verified(image.pinned, demands, image.verdict.key, now)
            known.setdefault((image.pinned, demands), verified)
        elif image.verdict.status == REFUSED:
            with contextlib.suppress(UnreadableError, OSError):
                known.pop((image.pinned, entry.fingerprint(store.anchors_of(files, entry))), None)
    newest = sorted(known.items(), key=lambda item: item[1].verified_at)[-LIMIT:]
    return Recording(before, store.record_text(dict(newest)) if newest or before else "")
