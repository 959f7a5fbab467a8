# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import parse
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.cosign import Cosign
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import Entry
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import Verdict
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="keys have to be root's")

DIGEST = "sha256:" + "0" * 64
WEB = parse("registry.example.org:5000/web:1")
PUBLIC_KEY = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
KEYS = {"release": PUBLIC_KEY, "next": PUBLIC_KEY, "rekor": PUBLIC_KEY, "ca": "-----BEGIN CERTIFICATE-----\nMIIB\n"}
#: As cosign 2.5 printed them, and where it says so cosign 3.1.
SIGNED = json.dumps([{"critical": {"image": {"docker-manifest-digest": DIGEST}}, "optional": None}])
UNSIGNED = "Error: no signatures found\nerror during command execution: no signatures found"
OTHER = (
    "error during command execution: no matching signatures: invalid signature when validating ASN.1 encoded signature"
)
ANNOTATION = "error during command execution: no matching signatures: missing or incorrect annotation"
UNREACHABLE = (
    'error during command execution: Get "https://registry.example.org:5000/v2/": dial tcp: connect: connection refused'
)
OTHER_IN_BUNDLE = (
    "error during command execution: no matching attestations: failed to verify signature: could not verify envelope:"
    " accepted signatures do not match threshold, Found: 0, Expected 1"
)
ANNOTATION_IN_BUNDLE = "error during command execution: no matching attestations: missing or incorrect annotation"
NO_BUNDLE = "error during command execution: no valid bundles exist in registry"
NO_BUNDLE_3 = "error during command execution: no matching attestations: "
ROOT_WANTED_3 = (
    "error during command execution: unsupported: CA roots/intermediates must be provided using --trusted-root when"
    " using --new-bundle-format"
)


def statement(digest: str = DIGEST, kind: str = "https://sigstore.dev/cosign/sign/v1", **annotations: str) -> str:
    """Return what cosign 2.5 prints of a signature that cosign 3 made."""
    subject = {"digest": {"sha256": digest.partition(":")[2]}, "annotations": annotations}
    stated = {"_type": "https://in-toto.io/Statement/v1", "subject": [subject], "predicateType": kind, "predicate": {}}
    payload = base64.b64encode(json.dumps(stated).encode()).decode()
    return json.dumps({"payload": payload, "payloadType": "application/vnd.in-toto+json", "signatures": []}) + "\n"


class ByVerb(RecordedCommands):
    """Answers by what cosign is asked to do: its exit code, output and error."""

    def __init__(self, **answers: tuple[int, str, str]) -> None:
        super().__init__()
        self._by_verb = answers

    def run(self, argv: Any, timeout: float = 10.0) -> Any:
        self.asked.append(" ".join(argv))
        verb = argv[argv.index("cosign") + 1].replace("-", "_")
        rc, stdout, stderr = self._by_verb[
            "rooted" if verb == "verify" and "--trusted-root=" in self.asked[-1] else verb
        ]
        return answering(rc, stdout, stderr).run(argv)


def entry(*keys: str, **more: Any) -> Entry:
    return Entry("registry.example.org:5000/*", "verify", "cosign", keys, **more)


def verify(root: Path, commands: RecordedCommands, demanded: Entry) -> Verdict:
    directory = root / "etc/docker/image-trust/keys"
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in KEYS.items():
        (directory / name).write_text(content)
    return Cosign(commands, LocalFileSystem(str(root)), "/root/.docker", 60).verify(WEB, DIGEST, demanded)


def answering(rc: int | None, stdout: str = "", stderr: str = "") -> RecordedCommands:
    commands = RecordedCommands()
    commands.answer("env", stdout, rc, stderr)
    return commands


def test_a_digest_is_verified_offline_by_the_key(tmp_path: Path) -> None:
    commands = answering(0, SIGNED)
    verdict = verify(tmp_path, commands, entry("release", annotations=(("env", "production"),)))
    assert (verdict.status, verdict.key) == ("verified", "release")
    [line] = commands.asked
    assert "DOCKER_CONFIG=/root/.docker cosign verify" in line
    assert "--key=/etc/docker/image-trust/keys/release --insecure-ignore-tlog=true" in line
    assert "--annotations=env=production" in line
    assert line.endswith(f"registry.example.org:5000/web@{DIGEST}")


@pytest.mark.parametrize(
    ("rc", "stderr", "status", "reason"),
    [
        (10, UNSIGNED, "refused", "It has no signature."),
        (12, OTHER, "refused", "none by release that holds"),
        (12, ANNOTATION, "refused", "lack the annotations env=production"),
        (1, OTHER_IN_BUNDLE, "refused", "none by release that holds"),
        (1, ANNOTATION_IN_BUNDLE, "refused", "lack the annotations env=production"),
        (1, UNREACHABLE, "undecided", "connection refused"),
        (1, "", "undecided", "does not say why"),
        (127, "env: 'cosign': No such file or directory", "undecided", "not installed"),
        (None, "env did not end within 60 seconds", "undecided", "did not end within 60 seconds"),
    ],
)
def test_what_cosign_says_becomes_a_reason(tmp_path: Path, rc: int, stderr: str, status: str, reason: str) -> None:
    verdict = verify(tmp_path, answering(rc, "", stderr), entry("release", annotations=(("env", "production"),)))
    assert verdict.status == status
    assert reason in verdict.reason


def test_an_answer_about_something_else_does_not_verify(tmp_path: Path) -> None:
    for output in ("", "[]", "{}", "[1]", SIGNED.replace("000", "111")):
        assert verify(tmp_path, answering(0, output), entry("release")).status == "undecided"


@pytest.mark.parametrize(
    ("stated", "status", "reason"),
    [
        ((0, statement(env="production"), ""), "verified", "It is signed by release."),
        ((0, statement() + statement(env="production", more="x"), ""), "verified", "It is signed by release."),
        ((0, statement(env="test"), ""), "refused", "lack the annotations env=production"),
        ((0, statement(), ""), "refused", "lack the annotations env=production"),
        ((0, statement("sha256:" + "1" * 64, env="production"), ""), "undecided", "not about"),
        ((0, statement(kind="https://spdx.dev/Document", env="production"), ""), "undecided", "not about"),
        ((0, "", ""), "undecided", "not about"),
        ((0, "[1]", ""), "undecided", "not about"),
        ((1, "", OTHER_IN_BUNDLE), "refused", "none by release that holds"),
        ((1, "", NO_BUNDLE), "refused", "It has no signature."),
        ((1, "", NO_BUNDLE_3), "refused", "It has no signature."),
        ((1, "", "Error: unknown flag: --new-bundle-format"), "refused", "It has no signature."),
    ],
)
def test_cosign_2_finds_what_cosign_3_signed(
    tmp_path: Path, stated: tuple[int, str, str], status: str, reason: str
) -> None:
    commands = ByVerb(verify=(10, "", UNSIGNED), verify_attestation=stated)
    verdict = verify(tmp_path, commands, entry("release", annotations=(("env", "production"),)))
    assert verdict.status == status
    assert reason in verdict.reason
    assert "--type=https://sigstore.dev/cosign/sign/v1" in commands.asked[1]
    assert "--key=/etc/docker/image-trust/keys/release --insecure-ignore-tlog=true" in commands.asked[1]


def test_cosign_3_gets_the_authorities_of_a_bundle_in_its_own_form(tmp_path: Path) -> None:
    demanded = entry("ca", identity="ci@example.org", issuer="https://issuer.example.org", transparency_log="rekor")
    wanted = (1, "", ROOT_WANTED_3)
    commands = ByVerb(verify=wanted, trusted_root=(0, "", ""), rooted=(0, SIGNED, ""))
    assert verify(tmp_path, commands, demanded).status == "verified"
    _first, created, rooted = commands.asked
    assert "--certificate-chain=/etc/docker/image-trust/keys/ca" in created
    assert "--rekor-key=/etc/docker/image-trust/keys/rekor" in created
    assert "--ca-roots" not in rooted
    assert "--certificate-identity=ci@example.org" in rooted
    assert "--insecure-ignore-tlog=false" in rooted
    refusal = OTHER_IN_BUNDLE.replace("signature:", "certificate identity:")
    refused = verify(tmp_path, ByVerb(verify=wanted, trusted_root=(0, "", ""), rooted=(1, "", refusal)), demanded)
    assert refused.status == "refused"
    failed = verify(tmp_path, ByVerb(verify=wanted, trusted_root=(1, "", "Error: unknown flag")), demanded)
    assert (failed.status, "unknown flag" in failed.reason) == ("undecided", True)


def test_any_of_several_keys_will_do(tmp_path: Path) -> None:
    commands = RecordedCommands()

    class ByKey(RecordedCommands):
        def run(self, argv: Any, timeout: float = 10.0) -> Any:
            self.asked.append(" ".join(argv))
            good = any(word.endswith("/next") for word in argv)
            return answering(0, SIGNED).run(argv) if good else answering(12, "", OTHER).run(argv)

    commands = ByKey()
    assert verify(tmp_path, commands, entry("release", "next")).key == "next"
    assert len(commands.asked) == 2


def test_identities_are_verified_by_certificates_without_the_internet(tmp_path: Path) -> None:
    who = {"identity": "ci@example.org", "issuer": "https://issuer.example.org"}
    for more, ignored in (({}, "true"), ({"transparency_log": "rekor"}, "false")):
        commands = answering(0, SIGNED)
        assert verify(tmp_path, commands, entry("ca", **who, **more)).status == "verified"
        [line] = commands.asked
        assert "--certificate-identity=ci@example.org" in line
        assert "--certificate-oidc-issuer=https://issuer.example.org --offline=true" in line
        assert "--ca-roots=/etc/docker/image-trust/keys/ca --insecure-ignore-sct=true" in line
        assert f"--insecure-ignore-tlog={ignored}" in line
        assert ("SIGSTORE_REKOR_PUBLIC_KEY=/etc/docker/image-trust/keys/rekor" in line) is bool(more)
    refused = verify(tmp_path, answering(12, "", "Error: no matching signatures: none of"), entry("ca", **who))
    assert "none of ci@example.org, vouched for by https://issuer.example.org" in refused.reason


@pytest.mark.parametrize("demanded", [entry("ca"), entry("release", identity="a", issuer="b")])
def test_an_anchor_of_the_wrong_kind_verifies_nothing(tmp_path: Path, demanded: Entry) -> None:
    commands = answering(0, SIGNED)
    assert verify(tmp_path, commands, demanded).status == "undecided"
    assert commands.asked == []


def test_keys_that_others_can_write_or_that_are_missing_verify_nothing(tmp_path: Path) -> None:
    commands = answering(0, SIGNED)
    verify(tmp_path, commands, entry("release"))
    commands.asked.clear()
    assert verify(tmp_path, commands, entry("absent")).status == "undecided"
    for path in ("keys/release", "keys", ""):
        place = tmp_path / "etc/docker/image-trust" / path
        mode = place.stat().st_mode
        place.chmod(0o777)
        verdict = verify(tmp_path, commands, entry("release"))
        assert (verdict.status, "tampered" in verdict.reason) == ("undecided", True)
        place.chmod(mode)
    assert commands.asked == []
