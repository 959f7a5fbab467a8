# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import protected_files
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_signature import Signatures, has_policy
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import deploy, recorder
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.examine import Examined
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import parse
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import Verdict
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.remote_engine import NoFiles

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="policies, keys and records count only when they are root's")

DIGEST = "sha256:" + "0" * 64
WEB = "registry.example.org/web"
PINNED = f"{WEB}@{DIGEST}"
PUBLIC = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
RECORD = "var/lib/breakwater/verified-images.json"
DIRECTORY = "etc/docker/image-trust"
POLICY = [
    {"repository": "registry.example.org/*", "keys": ["release"]},
    {"repository": "docker.io/library/busybox", "action": "accept"},
    {"repository": "registry.example.org/evil/*", "action": "reject"},
]


def put(root: Path, policy: Sequence[dict[str, Any]] = (), **keys: str) -> list[str]:
    """Put a policy on the host, by default POLICY; return which files that changed."""
    changes = deploy.plan(parse(policy or POLICY), keys or {"release": PUBLIC}, str(root))
    protected_files.apply(changes)
    return [change.path[len(str(root)) + 1 :] for change in changes]


def record(root: Path, status: str = "verified", write: bool = True) -> recorder.Recording:
    """Record that the image was verified, or not."""
    verdict = Verdict(status, "Because.", "release" if status == "verified" else "")
    images = [Examined(f"{WEB}:1", verdict, WEB, DIGEST)]
    return recorder.record(images, parse(POLICY), LocalFileSystem(str(root)), write, str(root))


def judge(root: Path, *pinned: str) -> str:
    return Signatures(LocalFileSystem(str(root))).judge(pinned).status


def test_policy_and_keys_are_everybodys_to_read_and_nobodys_to_write(tmp_path: Path) -> None:
    keys, policy = [f"{DIRECTORY}/keys/release"], [f"{DIRECTORY}/policy.json"]
    assert put(tmp_path) == keys + policy
    assert put(tmp_path) == []
    assert {(tmp_path / path).stat().st_mode & 0o777 for path in keys + policy} == {0o444}
    (tmp_path / keys[0]).chmod(0o666)
    assert put(tmp_path) == keys
    assert put(tmp_path, next=PUBLIC, release=PUBLIC) == [f"{DIRECTORY}/keys/next"]
    assert put(tmp_path) == [f"{DIRECTORY}/keys/next"]
    assert os.listdir(tmp_path / DIRECTORY / "keys") == ["release"]


@pytest.mark.parametrize(
    ("entry", "keys", "reason"),
    [
        ({"keys": ["release"]}, {}, "names release, which is not among the keys"),
        ({"keys": ["release"]}, {"release": CERTIFICATE}, "needs a public key"),
        ({"keys": ["ca"], "identity": "a@b", "issuer": "c"}, {"ca": PUBLIC}, "needs CA certificates"),
        ({"keys": ["release"]}, {"release": "-----BEGIN PRIVATE KEY-----\nhunter2"}, "is a private one"),
        ({"keys": ["release"]}, {"release": "MFkw"}, "neither a public key nor"),
        ({"keys": ["release"]}, {"release": PUBLIC, "../x": PUBLIC}, "no name of a key"),
    ],
)
def test_keys_that_do_not_fit_are_refused(
    tmp_path: Path, entry: dict[str, Any], keys: dict[str, str], reason: str
) -> None:
    with pytest.raises(InputError, match=reason) as caught:
        deploy.plan(parse([{"repository": "registry.example.org/*", **entry}]), keys, str(tmp_path))
    assert "hunter2" not in str(caught.value)


def test_what_was_verified_is_recorded_once_and_taken_off_when_it_is_refused(tmp_path: Path) -> None:
    put(tmp_path)
    predicted = record(tmp_path, write=False)
    assert not (tmp_path / RECORD).exists()
    written = record(tmp_path)
    assert (written.before, PINNED in written.after) == ("", True)
    assert [len(json.loads(text)["images"]) for text in (predicted.after, written.after)] == [1, 1]
    same = record(tmp_path)
    assert same.before == same.after
    assert record(tmp_path, "undecided").after == same.after
    assert PINNED not in record(tmp_path, "refused").after


def test_the_audit_goes_by_the_record(tmp_path: Path) -> None:
    assert judge(tmp_path, PINNED) == "unknown"
    put(tmp_path)
    assert judge(tmp_path, PINNED) == "unverified"
    record(tmp_path)
    assert judge(tmp_path, PINNED) == "verified"
    assert judge(tmp_path, f"{WEB}@sha256:{'1' * 64}") == "unverified"
    assert judge(tmp_path, f"busybox@{DIGEST}") == "accepted"
    assert judge(tmp_path, f"registry.example.org/evil/web@{DIGEST}") == "refused"
    assert judge(tmp_path, f"ghcr.io/x/y@{DIGEST}") == "refused"
    assert judge(tmp_path, f"ghcr.io/x/y@{DIGEST}", PINNED) == "verified"
    assert judge(tmp_path) == "unverified"


def test_another_calls_policy_leaves_the_hosts_record_alone(tmp_path: Path) -> None:
    put(tmp_path)
    record(tmp_path)
    files = LocalFileSystem(str(tmp_path))
    other = parse([{**POLICY[0], "annotations": {"env": "production"}}])
    for status in ("verified", "refused"):
        recorder.record([Examined(WEB, Verdict(status, ""), WEB, DIGEST)], other, files, True, str(tmp_path))
        assert judge(tmp_path, PINNED) == "verified"


def test_what_was_verified_under_other_demands_does_not_count(tmp_path: Path) -> None:
    put(tmp_path)
    record(tmp_path)
    put(tmp_path, release=PUBLIC.replace("MFkw", "MFkx"))
    assert judge(tmp_path, PINNED) == "unverified"
    put(tmp_path, [{**POLICY[0], "annotations": {"env": "production"}}], release=PUBLIC)
    assert judge(tmp_path, PINNED) == "unverified"
    put(tmp_path, [*POLICY, {"repository": "ghcr.io/x/y", "keys": ["release"]}])
    assert judge(tmp_path, PINNED) == "verified", "an entry about something else changes nothing"


@pytest.mark.parametrize("path", [RECORD, f"{DIRECTORY}/policy.json", f"{DIRECTORY}/keys/release", f"{DIRECTORY}/keys"])
@pytest.mark.parametrize("how", ["writable", "owner", "link"])
def test_what_others_can_have_changed_is_not_relied_on(tmp_path: Path, path: str, how: str) -> None:
    put(tmp_path)
    record(tmp_path)
    place = tmp_path / path
    if how == "writable":
        place.chmod(0o777)
    elif how == "owner":
        os.chown(place, 1000, 1000)
    else:
        place.rename(tmp_path / "elsewhere")
        place.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnreadableError, match="tampered"):
        judge(tmp_path, PINNED)


def test_a_tampered_record_is_replaced(tmp_path: Path) -> None:
    put(tmp_path)
    record(tmp_path)
    place = tmp_path / RECORD
    place.write_text(place.read_text().replace("0" * 64, "1" * 64))
    place.chmod(0o666)
    written = record(tmp_path)
    assert "tampered" in written.before
    assert "1" * 64 not in place.read_text()
    assert judge(tmp_path, PINNED) == "verified"


@pytest.mark.parametrize(
    "garbage", ["", "[]", "{}", '{"images": {"x": 1}}', '{"images": [{"image": "x"}]}', '{"policy": [1]}']
)
def test_garbage_is_unreadable(tmp_path: Path, garbage: str) -> None:
    put(tmp_path)
    record(tmp_path)
    (tmp_path / RECORD).write_text(garbage)
    with pytest.raises(UnreadableError):
        judge(tmp_path, PINNED)
    (tmp_path / DIRECTORY / "policy.json").write_text(garbage)
    with pytest.raises(UnreadableError):
        has_policy(LocalFileSystem(str(tmp_path)))


def test_the_host_of_a_remote_engine_is_unknown() -> None:
    assert Signatures(NoFiles()).judge([PINNED]).status == "unknown"
