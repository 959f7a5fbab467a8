# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls import rotation
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.authority import Authority, CaSpec

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
SPEC = CaSpec("Docker CA", "ec-p256", 1825, "not a secret")
STEPS = ("ensure", "introduce", "promote", "retire")


def step(authority: Authority, name: str, due: bool = False) -> str | None:
    deed = rotation.deed(name, authority.phase, due)
    rotation.check(deed, SPEC)
    rotation.perform(authority, deed, SPEC, NOW)
    return deed


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def test_new_ca_is_private_and_encrypted(authority: Authority) -> None:
    assert step(authority, "ensure") == "create"
    current = authority.directory / "current"
    assert authority.directory.stat().st_mode & 0o777 == 0o700
    assert (current / "ca-key.pem").stat().st_mode & 0o777 == 0o400
    assert (current / "ca-key.pem").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert authority.key("not a secret").public_key() == authority.certificate().public_key()
    assert step(authority, "ensure") is None


def test_no_ca_without_a_passphrase(authority: Authority) -> None:
    with pytest.raises(InputError, match=r"needs a passphrase.*docker_tls_ca_passphrase"):
        rotation.check("create", CaSpec("Docker CA", "ec-p256", 1825, ""))
    assert not authority.directory.exists()


@pytest.mark.parametrize(
    ("phase", "due", "expected"),
    [
        ("absent", False, ["create", "create", None, None]),
        ("stable", False, [None, None, None, None]),
        ("stable", True, [None, "introduce", None, None]),
        ("introduced", True, [None, None, "promote", None]),
        ("promoted", True, [None, None, None, "retire"]),
    ],
)
def test_each_step_has_its_turn(phase: str, due: bool, expected: list[str | None]) -> None:
    assert [rotation.deed(name, phase, due) for name in STEPS] == expected


def test_rotation(authority: Authority) -> None:
    step(authority, "ensure")
    old = authority.certificate()
    assert step(authority, "introduce", due=True) == "introduce"
    assert authority.phase == "introduced"
    assert authority.certificate() == old
    [_old, new] = authority.trusted()
    assert old.subject != new.subject
    step(authority, "promote")
    assert (authority.phase, authority.trusted()) == ("promoted", [new, old])
    step(authority, "retire")
    assert (authority.phase, authority.trusted()) == ("stable", [new])


def test_killed_promotion_is_finished(authority: Authority) -> None:
    step(authority, "ensure")
    step(authority, "introduce", due=True)
    [old, new] = authority.trusted()
    (authority.directory / "current").rename(authority.directory / "previous")
    assert (authority.phase, authority.trusted()) == ("promoted", [new, old])
    assert step(authority, "ensure") is None
    assert (authority.directory / "current").is_dir()
    assert authority.trusted() == [new, old]


def test_due_near_its_end(authority: Authority) -> None:
    step(authority, "ensure")
    for days, due in ((1600, False), (1700, True)):
        assert rotation.is_due(authority, NOW + timedelta(days=days), timedelta(days=180)) is due


def test_loose_rights_are_corrected(authority: Authority) -> None:
    step(authority, "ensure")
    key = authority.directory / "current" / "ca-key.pem"
    key.chmod(0o644)
    assert authority.loose_rights() == [(key, 0o400)]
    step(authority, "ensure")
    assert authority.loose_rights() == []


def test_wrong_passphrase(authority: Authority) -> None:
    step(authority, "ensure")
    for passphrase in ("wrong", ""):
        with pytest.raises(InputError, match=r"ca-key.pem can't be decrypted: set docker_tls_ca_passphrase"):
            authority.key(passphrase)


def test_what_is_no_ca_is_refused(authority: Authority, tmp_path: Path) -> None:
    step(authority, "ensure")
    other = Authority(tmp_path / "other")
    step(other, "ensure")
    current = authority.directory / "current"
    own = (current / "ca.pem").read_text()
    foreign = (other.directory / "current" / "ca.pem").read_text()
    (current / "ca.pem").chmod(0o644)
    (current / "ca.pem").write_text(own + foreign)
    with pytest.raises(InputError, match="holds 2 certificates: leave the one that issues"):
        authority.certificate()
    (current / "ca.pem").write_text(foreign)
    with pytest.raises(InputError, match="not the key of the certificate beside it"):
        authority.key("not a secret")
    (current / "ca.pem").write_text("nonsense")
    with pytest.raises(InputError, match="not a certificate in PEM form"):
        authority.certificate()
    shutil.rmtree(current)
    with pytest.raises(InputError, match="There is no CA in"):
        authority.certificate()
