# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.authority import Authority, CaSpec
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.certificate import (
    CertificateFacts,
    CertificateSpec,
    issue,
    load_request,
    read_facts,
    renewal_reasons,
    subject_names,
    to_pem,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.issuance import Issuance, Policy

NOW = datetime(2026, 11, 24, 12, tzinfo=timezone.utc)
SPEC = CertificateSpec("prod-1", "server", ("DNS:prod-1", "IP:192.0.2.1"), "ec-p256", 90)
FACTS = CertificateFacts(
    name="prod-1",
    usages=frozenset({"server"}),
    names=SPEC.names,
    key_type="ec-p256",
    not_before=NOW - timedelta(days=1),
    not_after=NOW + timedelta(days=89),
    by_present_ca=True,
    key_matches=True,
)
CA_END = NOW + timedelta(days=1000)
POLICY = Policy(key_type="ec-p256", days=90, renew_before=30, new_keys=False, replace_foreign=False)
PASSPHRASE = "not a secret"


def request(key: Any = None) -> str:
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "whatever the host says")])
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "ca")
    made.create(CaSpec("Docker CA", "ec-p256", 1825, PASSPHRASE), NOW)
    return made


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"name": "prod-2"}, "its name is prod-2, not prod-1"),
        ({"usages": frozenset({"client", "server"})}, "it is for client, server use, not for server use"),
        ({"names": ("DNS:prod-1",)}, "it is for DNS:prod-1, not for DNS:prod-1, IP:192.0.2.1"),
        ({"names": ()}, "it is for nothing, not for DNS:prod-1, IP:192.0.2.1"),
        ({"key_type": "rsa-2048"}, "its key is rsa-2048, not ec-p256"),
        ({"key_matches": False}, "the private key beside it is missing or another one's"),
        ({"by_present_ca": False}, "the CA that issued it no longer issues"),
        ({"not_before": NOW + timedelta(hours=1)}, "it is not valid before 2026-11-24 13:00 UTC"),
        ({"not_after": NOW + timedelta(days=29)}, "it expires on 2026-12-23"),
        ({"not_after": NOW + timedelta(days=91)}, "it is valid for more than 90 days"),
    ],
)
def test_each_reason_to_renew(facts: dict[str, Any], reason: str) -> None:
    assert renewal_reasons(SPEC, replace(FACTS, **facts), CA_END, NOW, timedelta(days=30)) == [reason]


def test_nothing_to_renew() -> None:
    assert renewal_reasons(SPEC, FACTS, CA_END, NOW, timedelta(days=30)) == []
    assert renewal_reasons(SPEC, None, CA_END, NOW, timedelta(days=30)) == ["there is none yet"]


def test_certificate_that_ends_with_its_ca_is_not_renewed_for_ever() -> None:
    end = NOW + timedelta(days=10)
    assert renewal_reasons(SPEC, replace(FACTS, not_after=end), end, NOW, timedelta(days=30)) == []


def test_kinds_of_names() -> None:
    assert subject_names(["b", "2001:DB8::0001", "a@example.org", "b"]) == (
        "DNS:b",
        "IP:2001:db8::1",
        "email:a@example.org",
    )


@pytest.mark.parametrize("usage", ["server", "client"])
@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 3072)])
def test_issued_certificate_is_what_was_asked_for(authority: Authority, usage: str, key: Any) -> None:
    kind = "rsa-3072" if isinstance(key, rsa.RSAPrivateKey) else "ec-p384"
    spec = CertificateSpec("alice", usage, subject_names(["alice@example.org", "h", "::1"]), kind, 90)
    signed_request = request(key)
    made = issue(spec, signed_request, authority.certificate(), authority.key(PASSPHRASE), NOW)
    facts = read_facts(to_pem(made), signed_request, authority.certificate())
    assert facts is not None
    assert renewal_reasons(spec, facts, CA_END, NOW, timedelta(days=30)) == []
    assert facts.not_after == NOW + timedelta(days=90)
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_independent_verifier_accepts_the_right_use_only(authority: Authority) -> None:
    issuer = authority.certificate()
    server = issue(SPEC, request(), issuer, authority.key(PASSPHRASE), NOW)
    policy = PolicyBuilder().store(Store([issuer])).time(NOW)
    policy.build_server_verifier(x509.DNSName("prod-1")).verify(server, [])
    with pytest.raises(VerificationError):
        policy.build_server_verifier(x509.DNSName("prod-2")).verify(server, [])
    with pytest.raises(VerificationError):
        policy.build_client_verifier().verify(server, [])


def test_request_of_somebody_without_the_key_is_refused() -> None:
    good = load_request(request()).public_bytes(serialization.Encoding.DER)
    forged = x509.load_der_x509_csr(good[:-1] + bytes([good[-1] ^ 1])).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(InputError, match="not signed by its key"):
        load_request(forged.decode())
    with pytest.raises(InputError, match="can't be read"):
        load_request("nonsense")


class Host:
    """A host's part, with keys in memory."""

    def __init__(self) -> None:
        self.kept = False
        self.files = {"present": False, "key": False, "certificate": "", "trusted": "", "request": ""}
        self.files["loose_rights"] = []

    def run(self, authority: Authority, policy: Policy = POLICY, now: datetime = NOW, **entry: Any) -> dict[str, Any]:
        given = {"name": "prod-1", "usage": "server", "names": ["prod-1"], "user": "root", "directory": None}
        issuance = Issuance(authority, policy, [{**given, "days": None, "state": "present", **entry}], now)
        issuance.judge([self.files for place in issuance.questions()])
        if issuance.changes():
            made = [{"request": request()} for order in issuance.key_orders()]
            issuance.sign(made, PASSPHRASE)
            for delivery in issuance.deliveries():
                self.kept = delivery["keep"]
                self.files["present"] = self.files["key"] = delivery["state"] == "present"
                self.files["trusted"] = delivery["trusted"]
                self.files["certificate"] = delivery["certificate"] or self.files["certificate"]
                self.files["request"] = made[0]["request"] if made else self.files["request"]
        [answer] = issuance.answer()["certificates"]
        return {**answer, "changed": issuance.answer()["changed"]}


def test_second_run_issues_nothing(authority: Authority) -> None:
    host = Host()
    assert host.run(authority)["renewed"] == ["there is none yet"]
    again = host.run(authority)
    assert (again["changed"], again["renewed"], again["corrected"]) == (False, [], [])
    assert again["expires"] == "2027-02-22"


def test_renewal_keeps_the_key_unless_told_otherwise(authority: Authority) -> None:
    host = Host()
    host.run(authority)
    key = host.files["request"]
    later = NOW + timedelta(days=61)
    assert host.run(authority, now=later)["renewed"] == ["it expires on 2027-02-22"]
    assert host.files["request"] == key
    host.run(authority, replace(POLICY, new_keys=True), now=later + timedelta(days=61))
    assert host.files["request"] != key


def test_loose_rights_are_corrected_without_issuing(authority: Authority) -> None:
    host = Host()
    host.run(authority)
    host.files["loose_rights"] = ["key.pem has mode 0644, not 0400"]
    corrected = host.run(authority)
    assert (corrected["changed"], corrected["renewed"]) == (True, [])
    assert corrected["corrected"] == ["key.pem has mode 0644, not 0400"]


def test_every_phase_of_a_rotation(authority: Authority) -> None:
    host = Host()
    host.run(authority)
    old = host.files["certificate"]
    authority.create(CaSpec("Docker CA", "ec-p256", 1825, PASSPHRASE), NOW + timedelta(days=1), "next")
    introduced = host.run(authority)
    assert (introduced["renewed"], introduced["corrected"]) == ([], ["the trusted CAs are others"])
    assert host.files["certificate"] == old
    both = host.files["trusted"]
    authority.promote()
    promoted = host.run(authority)
    assert (promoted["renewed"], promoted["corrected"]) == (["the CA that issued it no longer issues"], [])
    assert host.files["trusted"] == both
    authority.retire()
    assert host.run(authority)["corrected"] == ["the trusted CAs are others"]
    assert not host.run(authority)["changed"]


def other_ca(tmp_path: Path, name: str = "Company CA") -> Authority:
    made = Authority(tmp_path / name)
    made.create(CaSpec(name, "ec-p256", 1825, PASSPHRASE), NOW)
    return made


REPLACING = replace(POLICY, replace_foreign=True)


@pytest.mark.parametrize("there", [("certificate", "trusted", "request"), ("trusted",), ("certificate",)])
@pytest.mark.parametrize("usage", ["client", "server"])
def test_files_of_another_ca_are_refused(
    authority: Authority, tmp_path: Path, there: tuple[str, ...], usage: str
) -> None:
    host = Host()
    host.run(other_ca(tmp_path), usage=usage)
    host.files.update({name: "" for name in ("certificate", "trusted", "request") if name not in there})
    before = dict(host.files)
    for ours in (authority, Authority(tmp_path / "none")):
        with pytest.raises(InputError, match=r"of another CA \(CN=Company CA \w+\).*docker_tls_replace_foreign"):
            host.run(ours, usage=usage)
    assert host.files == before
    assert host.run(authority, REPLACING, usage=usage)["changed"]
    assert host.kept
    assert not host.run(authority, usage=usage)["changed"]


@pytest.mark.parametrize("readable", [True, False])
def test_key_without_a_certificate_is_kept(authority: Authority, readable: bool) -> None:
    host = Host()
    host.files.update(present=True, key=True, request=request() if readable else "", trusted="cut o")
    before = dict(host.files)
    with pytest.raises(InputError, match=r"in ~root/\.docker is of another CA \(no certificate beside the key tells"):
        host.run(authority, usage="client")
    assert not host.run(authority, usage="client", state="absent")["changed"]
    assert host.files == before
    assert host.run(authority, REPLACING, usage="client")["changed"]
    assert host.kept
    assert not host.run(authority, usage="client")["changed"]


def test_files_that_trust_our_ca_among_others_are_corrected(authority: Authority, tmp_path: Path) -> None:
    host = Host()
    host.run(authority)
    host.files["trusted"] = to_pem(other_ca(tmp_path).certificate()) + host.files["trusted"]
    assert host.run(authority)["corrected"] == ["the trusted CAs are others"]
    assert not host.kept


@pytest.mark.parametrize("trusted", ["", "-----BEGIN CERTIFICATE-----\ncut o"])
def test_missing_or_damaged_trusted_cas_are_corrected(authority: Authority, trusted: str) -> None:
    host = Host()
    host.run(authority)
    host.files["trusted"] = trusted
    assert host.run(authority)["corrected"] == ["the trusted CAs are others"]


def test_removed_client_keeps_what_another_ca_gave_it(authority: Authority, tmp_path: Path) -> None:
    host = Host()
    host.run(other_ca(tmp_path), usage="client")
    assert not host.run(authority, usage="client", state="absent")["changed"]
    assert host.run(authority, REPLACING, usage="client", state="absent")["corrected"] == ["it is removed"]


def test_certificate_does_not_outlive_its_ca(authority: Authority) -> None:
    late = authority.certificate().not_valid_after_utc - timedelta(days=5)
    host = Host()
    assert host.run(authority, now=late)["expires"] == f"{authority.certificate().not_valid_after_utc:%Y-%m-%d}"
    assert not host.run(authority, now=late)["changed"]


def test_expired_ca_issues_nothing(authority: Authority) -> None:
    with pytest.raises(InputError, match="The CA expired on 2031-11-23: run"):
        Host().run(authority, now=NOW + timedelta(days=1826))


def test_removed_client(authority: Authority) -> None:
    host = Host()
    host.run(authority, usage="client")
    assert host.run(authority, usage="client", state="absent")["corrected"] == ["it is removed"]
    assert not host.run(authority, usage="client", state="absent")["changed"]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"days": 30}, "valid for 30 days and renewed 30 days before its end"),
        ({"names": []}, "needs names by which clients call"),
    ],
)
def test_contradictions_are_refused(authority: Authority, entry: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Host().run(authority, **entry)


def test_two_certificates_need_two_directories(authority: Authority) -> None:
    entry = {"name": "a", "usage": "client", "names": [], "user": "root", "directory": None, "days": None}
    entries = [{**entry, "state": "present"}, {**entry, "name": "b", "state": "present"}]
    with pytest.raises(InputError, match=r"Two certificates are to be in ~root/\.docker"):
        Issuance(authority, POLICY, entries, NOW)


def test_without_a_ca_everything_is_predicted(tmp_path: Path) -> None:
    entry = {"name": "a", "usage": "client", "names": [], "user": "root", "directory": None, "days": None}
    issuance = Issuance(Authority(tmp_path / "none"), POLICY, [{**entry, "state": "present"}], NOW)
    issuance.judge([Host().files])
    assert issuance.answer()["certificates"][0]["renewed"] == ["there is no CA yet"]
    assert os.listdir(tmp_path) == []
