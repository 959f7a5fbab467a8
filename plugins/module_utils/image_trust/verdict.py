# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a verifier says of one digest, and what it is called with.

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from typing import Iterator, NamedTuple, Protocol

from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import ImageReference
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry

VERIFIED, ACCEPTED, REFUSED, UNDECIDED = "verified", "accepted", "refused", "undecided"
_CERTS = "/etc/docker/certs.d"
_SYSTEM_CERTS = "/etc/ssl/certs"


class Verdict(NamedTuple):
    """Whether an image may be used: VERIFIED, ACCEPTED, REFUSED, or UNDECIDED where nobody could tell; and why."""

    status: str
    reason: str
    key: str = ""
    """The trust anchor that the signature was verified by."""


class Verifier(Protocol):
    """Verifies signatures in one way."""

    def verify(self, reference: ImageReference, digest: str, entry: Entry) -> Verdict:
        """Say whether the digest in the reference's repository is signed as the entry demands."""


@contextlib.contextmanager
def environment(registry: str, docker_config: str) -> Iterator[tuple[str, ...]]:
    """Yield the words before a command that let it trust a registry as the engine does, and log in as `docker` does."""
    directory = tempfile.mkdtemp(prefix="breakwater-")
    try:
        for host in sorted({registry, registry.rpartition(":")[0] or registry}):
            with contextlib.suppress(OSError):
                names = os.listdir(f"{_CERTS}/{host}")
                for name in (name for name in names if name.endswith(".crt")):
                    shutil.copy(f"{_CERTS}/{host}/{name}", directory)
        # Directories are added to the system's bundle; a registry's own CA is trusted for this registry only.
        trust = f"SSL_CERT_DIR={_SYSTEM_CERTS}:{directory}"
        yield ("env", trust, f"DOCKER_CONFIG={docker_config}")
    finally:
        shutil.rmtree(directory, ignore_errors=True)
