# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import base64

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.engine_repository import (
    check_key,
    check_sources,
    repository,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.openpgp import fingerprints

#: Made by gpg 2.4, which told the fingerprint: an Ed25519 key with a subkey.
FINGERPRINT = "40F5A6A05EEE81C48B31B28559602C28AF7A3117"
KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawZRfhYJKwYBBAHaRw8BAQdA8CG7phPBs9qOSF93ixrpBPtSB11FzlXuo8Gh
pLFII/60BFRlc3SIkAQTFgoAOBYhBED1pqBe7oHEizGyhVlgLCivejEXBQJrBlF+
AhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJEFlgLCivejEX6ZsBAK0KwMYT
3fTeL5DUftSrrLcgwJ4O+OJ3wlgTy+X0PALfAQDGY21N4BTnpaugNofTZZetB/mV
wVXGRUlan2pnefiMArg4BGsGUX4SCisGAQQBl1UBBQEBB0Ag2UHgdesFW22mJcdM
MnUwD1Hi6+frOgSJZ9X3ijmxbgMBCAeIeAQYFgoAIBYhBED1pqBe7oHEizGyhVlg
LCivejEXBQJrBlF+AhsMAAoJEFlgLCivejEXqlUBAIeSlvz2M5pzioi+f1Yw2kzs
u/bL3mY8yHmWdTf9e7WWAP4rlUDOzeVhxTUPwle6JgJ5GbfqFej0/YYwQnYVrJJy
Dw==
=I5C5
-----END PGP PUBLIC KEY BLOCK-----
"""


def armored(data: bytes) -> str:
    body = base64.b64encode(data).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{body}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_fingerprint_as_gpg_tells_it() -> None:
    assert fingerprints(KEY) == [FINGERPRINT]
    assert fingerprints(KEY.replace("BLOCK-----\n", "BLOCK-----\nComment: two words\n", 1)) == [FINGERPRINT]
    assert fingerprints(KEY.replace("\n", "\r\n")) == [FINGERPRINT]


def test_packets_in_the_new_format() -> None:
    data = base64.b64decode("".join(KEY.splitlines()[2:-2]))
    body = data[2 : 2 + data[1]]
    lengths = (bytes((len(body),)), b"\xff" + len(body).to_bytes(4, "big"))
    for length in lengths:
        assert fingerprints(armored(b"\xc6" + length + body)) == [FINGERPRINT]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not one armored OpenPGP key"),
        ("<html>not found</html>", "not one armored OpenPGP key"),
        (KEY + KEY, "not one armored OpenPGP key"),
        (armored(b"\x98\x33\x04"), "damaged"),
        (armored(b"\x00\x01"), "damaged"),
        (armored(b"\xc6\xe1\x04"), "damaged"),
        (armored(b"\x98\x01\x03"), "another version"),
    ],
)
def test_what_is_no_key_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"key at https://x/gpg can't be used: .*{reason}.*Nothing was changed"):
        check_key(text, FINGERPRINT, "https://x/gpg")


def test_key_is_the_one_with_the_fingerprint() -> None:
    check_key(KEY, "40F5 A6A0 5EEE 81C4 8B31  B285 5960 2C28 AF7A 3117", "x")
    with pytest.raises(InputError, match=f"key at x is {FINGERPRINT}, not 9DC85822"):
        check_key(KEY, "9DC858229FC7DD38854AE2D88D81803C0EBFCD88", "x")


def test_second_key_beside_the_right_one_is_refused() -> None:
    data = base64.b64decode("".join(KEY.splitlines()[2:-2]))
    with pytest.raises(InputError, match=f"is {FINGERPRINT} and [0-9A-F]{{40}}, not"):
        check_key(armored(data + b"\x98\x02\x04x"), FINGERPRINT, "x")


def test_repository_of_apt() -> None:
    wanted = repository("https://download.docker.com/linux/", "ubuntu", "noble", "arm64")
    assert wanted.key_url == "https://download.docker.com/linux/ubuntu/gpg"
    assert wanted.path == "/etc/apt/sources.list.d/docker.sources"
    assert wanted.text.splitlines() == [
        "# Managed by breakwater.docker",
        "Types: deb",
        "URIs: https://download.docker.com/linux/ubuntu",
        "Suites: noble",
        "Components: stable",
        "Architectures: arm64",
        "Signed-By: /etc/apt/keyrings/docker.asc",
    ]


@pytest.mark.parametrize(("distribution", "directory"), [("rocky", "centos"), ("rhel", "rhel"), ("fedora", "fedora")])
def test_repository_of_dnf(distribution: str, directory: str) -> None:
    wanted = repository("https://download.docker.com/linux", distribution, "", "")
    assert wanted.path == "/etc/yum.repos.d/docker-ce.repo"
    assert f"baseurl=https://download.docker.com/linux/{directory}/$releasever/$basearch/stable" in wanted.text
    assert "gpgcheck=1\ngpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-docker\n" in wanted.text
    assert wanted.fingerprint == "060A61C51B558A7F742B77AAC52FEB6B621E9F35"


DOCKER = "https://download.docker.com/linux/debian"
OTHER_KEY = "/etc/apt/keyrings/docker.gpg"
STANZA = "Types: deb\nURIs: https://deb.debian.org/debian {uri}\nSuites: sid trixie\nComponents: stable\n{more}"
#: What apt 3.0 said of each beside our file was looked at on Debian 13.
CONFLICTING = {
    "docker.list": f"# Docker\ndeb [arch=amd64 signed-by={OTHER_KEY}] {DOCKER} trixie stable\n",
    "src.list": f"deb-src [ Signed-By={OTHER_KEY} ] {DOCKER}/ trixie stable\n",
    "two.sources": STANZA.format(uri=DOCKER, more=f"Signed-By: /etc/apt/keyrings/docker.asc,{OTHER_KEY}\n"),
    "inside.sources": STANZA.format(uri=f"\n {DOCKER}/", more="signed-by:\n -----BEGIN PGP\n .\n"),
    "second.sources": f"URIs: x\n\n# ours\nEnabled: yes\nURIs: {DOCKER}\nSuites: trixie\nSigned-By: {OTHER_KEY}",
}
HARMLESS = {
    "none.list": "",
    "commented.list": f"# deb [signed-by={OTHER_KEY}] {DOCKER} trixie stable\n",
    "suite.list": f"deb [signed-by={OTHER_KEY}] {DOCKER} bookworm stable\n",
    "same.list": f"deb [signed-by=/etc/apt/keyrings/docker.asc] {DOCKER} trixie stable\n",
    "keyless.list": f"deb [arch=amd64] {DOCKER} trixie stable\n",
    "off.sources": STANZA.format(uri=DOCKER, more=f"Enabled: no\nSigned-By: {OTHER_KEY}\n"),
    "keyless.sources": STANZA.format(uri=DOCKER, more=""),
    "docker.sources": STANZA.format(uri=DOCKER, more=f"Signed-By: {OTHER_KEY}\n"),  # ours, which is written anew
    "docker.list.save": f"deb [signed-by={OTHER_KEY}] {DOCKER} trixie stable\n",
}


@pytest.mark.parametrize("name", CONFLICTING)
def test_second_key_for_the_same_repository_is_refused(name: str) -> None:
    wanted = repository("https://download.docker.com/linux", "debian", "trixie", "amd64")
    with pytest.raises(InputError, match=f"sources.list.d/{name} has {DOCKER} trixie already.*take it out of there"):
        check_sources(wanted, {f"/etc/apt/sources.list.d/{name}": CONFLICTING[name]})
    dnf = repository("https://download.docker.com/linux", "debian", "", "")
    check_sources(dnf, {f"/etc/apt/sources.list.d/{name}": CONFLICTING[name]})


@pytest.mark.parametrize("name", HARMLESS)
def test_other_sources_are_no_contradiction(name: str) -> None:
    wanted = repository("https://download.docker.com/linux", "debian", "trixie", "amd64")
    check_sources(wanted, {f"/etc/apt/sources.list.d/{name}": HARMLESS[name]})
