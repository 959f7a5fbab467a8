# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Docker's package repository as a source of apt's or dnf's. Sources: sources.list(5), dnf.conf(5),
# https://docs.docker.com/engine/install/.

from __future__ import annotations

import re
from typing import Iterator, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.openpgp import fingerprints

#: Distributions for which Docker has no directory of their own, and whose they use.
_DIRECTORIES = {"almalinux": "centos", "ol": "centos", "rocky": "centos"}
_DEBIAN_KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
_RPM_KEY = "060A61C51B558A7F742B77AAC52FEB6B621E9F35"
_ONE_LINE = re.compile(r"^\s*deb(?:-src)?\s+(?:\[(?P<options>[^]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)", re.MULTILINE)
_KEY_OPTION = re.compile(r"signed-by=(\S+)", re.IGNORECASE)
_FIELD = re.compile(r"^([\w-]+):((?:.*)(?:\n[ \t].*)*)", re.MULTILINE)


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


def check_sources(wanted: Repository, files: Mapping[str, str]) -> None:
    """Raise InputError where another of apt's source files (texts by path) has the same repository with another key.

    apt reads no source at all then, so nothing on the host could be installed or updated any more.
    """
    ours = {(uri, suite): key for uri, suite, key in _apt_sources(wanted.path, wanted.text)}
    for path, text in sorted(files.items()):
        for uri, suite, key in _apt_sources(path, text):
            # One without a key is no contradiction: apt takes ours for both.
            if path != wanted.path and key and ours.get((uri, suite), key) != key:
                raise InputError(
                    f"{path} has {uri} {suite} already, signed by another key file than {wanted.key_path}, and apt"
                    " refuses to work with both: take it out of there, then run again. Nothing was changed."
                )


def _apt_sources(path: str, text: str) -> Iterator[tuple[str, str, str]]:
    """Return address, suite and key file of each repository in a file of either format that apt has."""
    if path.endswith(".list"):
        for line in _ONE_LINE.finditer(text):
            key = _KEY_OPTION.search(line["options"] or "")
            yield line["uri"].rstrip("/"), line["suite"], key[1] if key else ""
    elif path.endswith(".sources"):
        lines = (line for line in text.splitlines() if not line.startswith("#"))
        for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
            fields = {name.lower(): value.strip() for name, value in _FIELD.findall(stanza)}
            if fields.get("enabled", "yes").lower() in ("no", "false", "without", "off", "disable", "0"):
                continue
            for uri in fields.get("uris", "").split():
                for suite in fields.get("suites", "").split():
                    yield uri.rstrip("/"), suite, fields.get("signed-by", "")
