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
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult

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
def workspace(*hosts: str) -> Iterator[str]:
    """Yield a directory for a verifier's files, which is gone afterwards; in it, `certs` has the CAs of these hosts."""
    directory = tempfile.mkdtemp(prefix="breakwater-")
    try:
        os.mkdir(f"{directory}/certs")
        for host in hosts:
            with contextlib.suppress(OSError):
                for name in (name for name in os.listdir(f"{_CERTS}/{host}") if name.endswith(".crt")):
                    shutil.copy(f"{_CERTS}/{host}/{name}", f"{directory}/certs/{host}.{name}")
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def environment(directory: str, **variables: str) -> list[str]:
    """Return the words before a command that let it trust what the engine trusts, with more variables.

    Directories are added to the system's bundle, so a registry's own CA is trusted where this registry is asked only.
    """
    trusted = {"SSL_CERT_DIR": f"{_SYSTEM_CERTS}:{directory}/certs", **variables}
    return ["env", *(f"{name}={value}" for name, value in trusted.items())]


def last_words(result: CommandResult) -> str:
    """Return what a command said at last about its failure."""
    return (result.stderr.strip().splitlines() or ["it does not say why"])[-1][:300]


def is_missing(result: CommandResult) -> bool:
    """Tell whether the command after `environment` is not installed; env(1) says so by its exit code."""
    return result.rc == 127
