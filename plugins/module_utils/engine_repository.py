# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Docker's package repository as a source of apt's or dnf's. Sources: sources.list(5), dnf.conf(5),
# https://docs.docker.com/engine/install/.

from __future__ import annotations

from typing import NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.openpgp import fingerprints

#: Distributions for which Docker has no directory of their own, and whose they use.
_DIRECTORIES = {"almalinux": "centos", "ol": "centos", "rocky": "centos"}
_DEBIAN_KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
_RPM_KEY = "060A61C51B558A7F742B77AAC52FEB6B621E9F35"


class Repository(NamedTuple):
    """One repository: where its key comes from and goes to, and the file that describes it."""

    key_url: str
    fingerprint: str
    key_path: str
    path: str
    text: str


def repository(url: str, distribution: str, codename: str, architecture: str) -> Repository:
    """Return Docker's repository below `url` for a distribution (os-release's ID); dnf's without architecture."""
    base = f"{url.rstrip('/')}/{_DIRECTORIES.get(distribution, distribution)}"
    if architecture:
        key = "/etc/apt/keyrings/docker.asc"
        fields = {
            "Types": "deb",
            "URIs": base,
            "Suites": codename,
            "Components": "stable",
            "Architectures": architecture,
            "Signed-By": key,
        }
        lines = [f"{name}: {value}" for name, value in fields.items()]
        fingerprint, path = _DEBIAN_KEY, "/etc/apt/sources.list.d/docker.sources"
    else:
        key = "/etc/pki/rpm-gpg/RPM-GPG-KEY-docker"
        source = f"{base}/$releasever/$basearch/stable"
        lines = ["[docker-ce-stable]", "name=Docker CE Stable", f"baseurl={source}", "enabled=1", "gpgcheck=1"]
        lines.append(f"gpgkey=file://{key}")
        fingerprint, path = _RPM_KEY, "/etc/yum.repos.d/docker-ce.repo"
    text = "\n".join(["# Managed by breakwater.docker", *lines, ""])
    return Repository(f"{base}/gpg", fingerprint, key, path, text)


def check_key(text: str, fingerprint: str, source: str) -> None:
    """Raise InputError unless the armored key in `text`, which came from `source`, is the one with the fingerprint."""
    try:
        found = fingerprints(text)
    except ValueError as error:
        raise InputError(f"The signing key at {source} can't be used: {error}. Nothing was changed.") from None
    if found != ["".join(fingerprint.split()).upper()]:
        raise InputError(
            f"The signing key at {source} is {' and '.join(found) or 'none'}, not {fingerprint}: find out who changed"
            " it, and set the fingerprint only to what its owner publishes. Nothing was changed."
        )
