# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a certificate is to be, what the present one is, and why it has to be renewed. Source: RFC 5280.

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Iterable, Sequence

with contextlib.suppress(ImportError):  # ansible-core brings it; only ansible-test's import test is without
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

#: Clocks of hosts may be that much behind the controller's.
BACKDATED = timedelta(hours=1)


@dataclass(frozen=True)
class CertificateSpec:
    """What a certificate is to be: `usage` is server or client, `names` are as `subject_names` returns them."""

    name: str
    usage: str
    names: tuple[str, ...]
    key_type: str
    days: int


@dataclass(frozen=True)
class CertificateFacts:
    """What a certificate is; times are aware of their zone."""

    name: str
    usages: frozenset[str]
    names: tuple[str, ...]
    key_type: str
    not_before: datetime
    not_after: datetime
    by_present_ca: bool
    key_matches: bool


def subject_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return alternative names with their kind, sorted: `IP:` for an address, `email:` with an @, else `DNS:`."""

    def typed(name: str) -> str:
        try:
            return f"IP:{ipaddress.ip_address(name)}"
        except ValueError:
            return f"email:{name}" if "@" in name else f"DNS:{name}"

    return tuple(sorted({typed(name) for name in names}))


def renewal_reasons(
    spec: CertificateSpec, facts: CertificateFacts | None, ca_end: datetime, now: datetime, renew_before: timedelta
) -> list[str]:
    """Return, as clauses, why the certificate has to be issued anew; empty when it is as it is to be.

    `facts` is None where there is none; `ca_end` is when the issuing CA expires, which no renewal can exceed.
    """
    if facts is None:
        return ["there is none yet"]
    end = facts.not_after
    checks = [
        (facts.name != spec.name, f"its name is {facts.name}, not {spec.name}"),
        (facts.usages != {spec.usage}, f"it is for {_listed(facts.usages)} use, not for {spec.usage} use"),
        (facts.names != spec.names, f"it is for {_listed(facts.names)}, not for {_listed(spec.names)}"),
        (facts.key_type != spec.key_type, f"its key is {facts.key_type}, not {spec.key_type}"),
        (not facts.key_matches, "the private key beside it is missing or another one's"),
        (not facts.by_present_ca, "the CA that issued it no longer issues"),
        (facts.not_before > now, f"it is not valid before {facts.not_before:%Y-%m-%d %H:%M} UTC"),
        (end - now < renew_before and end < ca_end, f"it expires on {end:%Y-%m-%d}"),
        (end - now > timedelta(days=spec.days), f"it is valid for more than {spec.days} days"),
    ]
    return [reason for applies, reason in checks if applies]


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words)) or "nothing"


def key_type_of(key: Any) -> str:
    """Return the type of a public key as the options of the collection call it, for example ec-p256 or rsa-3072."""
    if isinstance(key, ec.EllipticCurvePublicKey):
        return {"secp256r1": "ec-p256", "secp384r1": "ec-p384"}.get(key.curve.name, f"ec-{key.curve.name}")
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa-{key.key_size}"
    return type(key).__name__


def public_key_bytes(holder: x509.Certificate | x509.CertificateSigningRequest) -> bytes:
    """Return the public key of a certificate or request in one comparable form."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return holder.public_key().public_bytes(serialization.Encoding.DER, form)


def load_request(pem: str) -> x509.CertificateSigningRequest:
    """Return a signing request whose sender has the key; InputError otherwise."""
    try:
        request = x509.load_pem_x509_csr(pem.encode())
    except ValueError:
        raise InputError("The host sent a signing request that can't be read; see to its openssl command.") from None
    if not request.is_signature_valid:
        raise InputError("The host sent a signing request that is not signed by its key; nothing was issued.")
    return request


def load_certificate(pem: str) -> x509.Certificate | None:
    """Return the certificate, None where the text is not one."""
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError:
        return None


def foreign_ca(trusted: str, certificate: str, key: bool, ours: Sequence[x509.Certificate]) -> str:
    """Return the name of the CA that a host's files are of; empty when it is one of `ours`, or there are none.

    `trusted` is the text of the CAs beside the certificate. Each step of a rotation leaves one of `ours` in it.
    `key` tells whether there is a key: one that lies alone was never given a certificate by us.
    """
    try:
        authorities = x509.load_pem_x509_certificates(trusted.encode())
    except ValueError:
        authorities = []
    if authorities:
        known = any(authority in ours for authority in authorities)
        return "" if known else _name(authorities[0].subject)
    found = load_certificate(certificate)
    if found is None:
        return "no certificate beside the key tells which" if key else ""
    if any(is_issued_by(found, authority) for authority in ours):
        return ""
    return _name(found.issuer)


def _name(name: x509.Name) -> str:
    return name.rfc4514_string() or "a CA without a name"


def read_facts(pem: str, request: str, issuer: x509.Certificate) -> CertificateFacts | None:
    """Return what a certificate is; `request` is one made with the key beside it, empty where there is no key."""
    certificate = load_certificate(pem)
    if certificate is None:
        return None
    return CertificateFacts(
        name=_common_name(certificate),
        usages=_usages(certificate),
        names=_alternative_names(certificate),
        key_type=key_type_of(certificate.public_key()),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        by_present_ca=is_issued_by(certificate, issuer),
        key_matches=bool(request) and public_key_bytes(load_request(request)) == public_key_bytes(certificate),
    )


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether the issuer signed the certificate."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _common_name(certificate: x509.Certificate) -> str:
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else ""


def _usages(certificate: x509.Certificate) -> frozenset[str]:
    known = {ExtendedKeyUsageOID.SERVER_AUTH: "server", ExtendedKeyUsageOID.CLIENT_AUTH: "client"}
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return frozenset({"any"})
    return frozenset(known.get(usage, usage.dotted_string) for usage in found)


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return subject_names(str(name.value) for name in found)


def issue(
    spec: CertificateSpec, request: str, issuer: x509.Certificate, issuer_key: Any, now: datetime
) -> x509.Certificate:
    """Return a certificate for the key of the request; all else is what `spec` says, whatever the request asks for."""
    key = load_request(request).public_key()
    usage = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}[spec.usage]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, spec.name)]))
        .issuer_name(issuer.subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(min(now + timedelta(days=spec.days), issuer.not_valid_after_utc))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage("digital_signature"), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(_issuer_identifier(issuer), critical=False)
    )
    if spec.names:
        names = x509.SubjectAlternativeName([_general_name(name) for name in spec.names])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key, signature_hash(issuer_key))


def _issuer_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    try:  # a CA that somebody else made may count its identifier in its own way
        identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key: Any = issuer.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)


def _general_name(name: str) -> x509.GeneralName:
    kind, _separator, value = name.partition(":")
    if kind == "IP":
        return x509.IPAddress(ipaddress.ip_address(value))
    return x509.RFC822Name(value) if kind == "email" else x509.DNSName(value)


def key_usage(*allowed: str) -> x509.KeyUsage:
    """Return the extension that allows the named uses and no others."""
    every = (
        *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
        *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
    )
    return x509.KeyUsage(**{name: name in allowed for name in every})


def signature_hash(key: Any) -> hashes.SHA256 | None:
    """Return the hash to sign with; None for the keys that have their own (Ed25519, Ed448)."""
    return hashes.SHA256() if isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)) else None


def describe_ca(certificate: x509.Certificate) -> dict[str, str]:
    """Return what people recognise a CA by."""
    return {
        "name": _common_name(certificate),
        "expires": f"{certificate.not_valid_after_utc:%Y-%m-%d}",
        "fingerprint": certificate.fingerprint(hashes.SHA256()).hex(),
    }


def to_pem(certificate: x509.Certificate) -> str:
    """Return the certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
