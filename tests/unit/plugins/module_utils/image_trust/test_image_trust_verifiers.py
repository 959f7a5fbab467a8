# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import parse
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.content_trust import ContentTrust
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.notation import Notation
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.registry import Registry
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import Verdict
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import DOCKER, RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd

OLD, NEW = "sha256:" + "0" * 64, "sha256:" + "1" * 64
ROOT, OTHER_ROOT = "a" * 64, "b" * 64
SERVER = "https://notary.example.org:4443"
REPOSITORY = "registry.example.org/web"


def trusted(*roots: str, **tags: str) -> str:
    """Return what docker trust inspect prints."""
    return json.dumps(
        [
            {
                "Name": REPOSITORY,
                "SignedTags": [{"SignedTag": tag, "Digest": digest[7:]} for tag, digest in tags.items()],
                "AdministrativeKeys": [
                    {"Name": "Root", "Keys": [{"ID": root} for root in roots]},
                    {"Name": "Repository", "Keys": [{"ID": "c" * 64}]},
                ],
            }
        ]
    )


def content_trust(reference: str, digest: str, answer: str, rc: int = 0, version: str = "26.1.5") -> Verdict:
    commands = RecordedCommands()
    commands.answer(f"{DOCKER} version", f"{version} {version}\n")
    commands.answer("env", answer, rc, "no signatures or cannot access it" if rc else "")
    entry = Entry("registry.example.org/*", "verify", "content_trust", (ROOT,), server=SERVER)
    verdict = ContentTrust(commands, "/root/.docker", 60).verify(parse(reference), digest, entry)
    assert all(f"DOCKER_CONTENT_TRUST_SERVER={SERVER} {DOCKER} trust" in line for line in commands.asked[1:])
    return verdict


@pytest.mark.parametrize(
    ("reference", "digest", "status"),
    [
        (f"{REPOSITORY}:v1", OLD, "verified"),
        (f"{REPOSITORY}:v2", NEW, "verified"),
        (f"{REPOSITORY}:v2", OLD, "refused"),  # signed, but as another tag
        (f"{REPOSITORY}:v3", OLD, "refused"),
        (f"{REPOSITORY}@{OLD}", OLD, "verified"),
        (f"{REPOSITORY}@sha256:{'2' * 64}", f"sha256:{'2' * 64}", "refused"),
    ],
)
def test_content_trust_binds_a_tag_to_its_digest(reference: str, digest: str, status: str) -> None:
    assert content_trust(reference, digest, trusted(ROOT, v1=OLD, v2=NEW)).status == status


@pytest.mark.parametrize("roots", [(), (OTHER_ROOT,), (ROOT, OTHER_ROOT)])
def test_a_root_key_beside_the_policys_is_refused(roots: tuple[str, ...]) -> None:
    assert content_trust(f"{REPOSITORY}:v1", OLD, trusted(*roots, v1=OLD)).status == "refused"


def test_content_trust_is_refused_where_it_was_removed() -> None:
    verdict = content_trust(f"{REPOSITORY}:v1", OLD, trusted(ROOT, v1=OLD), version="29.0.0")
    assert verdict.status == "refused"
    assert "Docker 29 removed content trust" in verdict.reason


def test_content_trust_that_can_not_be_asked_decides_nothing() -> None:
    assert content_trust(f"{REPOSITORY}:v1", OLD, "[]", rc=1).status == "undecided"
    for answer in ("", "{}", "[]", "[1]", '[{"AdministrativeKeys": 1}]', "null"):
        assert content_trust(f"{REPOSITORY}:v1", OLD, answer).status == "undecided"


NOTATION = """#!/bin/sh
cd "$XDG_CONFIG_HOME/notation"
echo "$@" >&2
cat truststore/x509/ca/breakwater/acme.pem trustpolicy.json >"{log}"
{end}
"""


@pytest.mark.skipif(os.getuid() != 0, reason="keys have to be root's")
@pytest.mark.parametrize(
    ("end", "status"),
    [
        ("true", "verified"),
        (
            "echo 'Error: signature verification failed for all the signatures of it' >&2; exit 1",
            "refused",
        ),
        ("echo 'Error: signature verification failed: no signature is associated with it' >&2; exit 1", "refused"),
        ("echo 'Error: dial tcp: connection refused' >&2; exit 1", "undecided"),
    ],
)
def test_notation_gets_a_trust_policy_for_just_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str, status: str
) -> None:
    keys = tmp_path / "etc/docker/image-trust/keys"
    keys.mkdir(parents=True)
    (keys / "acme").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/notation").write_text(NOTATION.format(log=tmp_path / "log", end=end))
    (tmp_path / "bin/notation").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    entry = Entry(f"{REPOSITORY}", "verify", "notation", ("acme",), identity="x509.subject: C=DE, O=Acme")
    notation = Notation(SubprocessRunner(), LocalFileSystem(str(tmp_path)), "/root/.docker", 60)
    assert notation.verify(parse(f"{REPOSITORY}:1"), OLD, entry).status == status
    certificate, _newline, policy = (tmp_path / "log").read_text().partition("\n")
    assert certificate == "-----BEGIN CERTIFICATE-----"
    [statement] = json.loads(policy)["trustPolicies"]
    assert statement["trustedIdentities"] == ["x509.subject: C=DE, O=Acme"]
    assert statement["signatureVerification"] == {"level": "strict"}


def test_without_notation_or_its_keys_nothing_is_decided(tmp_path: Path) -> None:
    entry = Entry(REPOSITORY, "verify", "notation", ("acme",), identity="x509.subject: C=DE")
    notation = Notation(RecordedCommands(), LocalFileSystem(str(tmp_path)), "/root/.docker", 60)
    assert notation.verify(parse(f"{REPOSITORY}:1"), OLD, entry).status == "undecided"


HELPER = """#!/bin/sh
[ "$1" = get ] && [ "$(cat)" = registry.example.org ] && echo '{"Username": "ada", "Secret": "from-helper"}'
"""


ANSWER = {"Descriptor": {"digest": NEW}}


class TestRegistry:
    def digest(self, tmp_path: Path, answer: Any, config: Any = None) -> tuple[str, dict[str, str]]:
        """Return the digest that the engine tells, and the credentials that it was given."""
        if config is not None:
            (tmp_path / "config.json").write_text(json.dumps(config))
        (tmp_path / "s").unlink(missing_ok=True)
        path = f"/distribution/{REPOSITORY}:1/json"
        with FakeDockerd(tmp_path / "s", {path: answer}) as engine:
            source = Registry(engine.path, str(tmp_path), LocalFileSystem(), SubprocessRunner(), 5)
            digest = source.digest(parse(f"{REPOSITORY}:1"))
            return digest, json.loads(base64.urlsafe_b64decode(engine.headers["X-Registry-Auth"]))

    def test_the_engine_is_asked_without_credentials_where_there_are_none(self, tmp_path: Path) -> None:
        assert self.digest(tmp_path, ANSWER) == (NEW, {})
        other = {"auths": {"other.example.org": {"auth": base64.b64encode(b"eve:x").decode()}}}
        assert self.digest(tmp_path, ANSWER, other) == (NEW, {})

    def test_it_gets_those_of_docker_login(self, tmp_path: Path) -> None:
        config = {"auths": {"registry.example.org": {"auth": base64.b64encode(b"ada:s3:cret").decode()}}}
        assert self.digest(tmp_path, ANSWER, config)[1] == {"username": "ada", "password": "s3:cret"}

    def test_it_gets_those_of_a_helper(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "docker-credential-safe").write_text(HELPER)
        (tmp_path / "docker-credential-safe").chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        for config in ({"credsStore": "safe"}, {"credHelpers": {"registry.example.org": "safe"}}):
            found = self.digest(tmp_path, ANSWER, config)[1]
            assert found == {"username": "ada", "password": "from-helper"}

    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ({"Descriptor": {"digest": "md5:1"}}, "has no digest"),
            ([], "has no digest"),
            (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}", "docker login registry.example.org"),
            (b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", "has no registry.example.org/web:1"),
            (
                b'HTTP/1.1 500 Error\r\nContent-Length: 33\r\n\r\n{"message": "connection refused"} ',
                "HTTP 500: connection refused",
            ),
            (
                b'HTTP/1.1 500 Error\r\nContent-Length: 40\r\n\r\n{"message": "no basic auth credentials"} ',
                "docker login registry.example.org",
            ),
        ],
    )
    def test_failures_are_told(self, tmp_path: Path, answer: Any, reason: str) -> None:
        with pytest.raises(BreakwaterError, match=reason):
            self.digest(tmp_path, answer)
