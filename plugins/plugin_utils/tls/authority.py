# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The CA in its directory on the controller. `current` issues; while it is being replaced there is also `next`, which is
# trusted already, and later `previous`, which is trusted still. Each step is one rename, so a killed run leaves a state
# that the next one goes on from.

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

with contextlib.suppress(ImportError):  # ansible-core brings it; only ansible-test's import test is without
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.x509.oid import NameOID

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.tls.certificate import (
    BACKDATED,
    key_usage,
    signature_hash,
    to_pem,
)

CERTIFICATE, KEY = "ca.pem", "ca-key.pem"
_DIRECTORY_MODE, _CERTIFICATE_MODE, _KEY_MODE = 0o700, 0o444, 0o400


@dataclass(frozen=True)
class CaSpec:
    """What a new CA is to be; `passphrase` encrypts its key."""

    name: str
    key_type: str
    days: int
    passphrase: str


class Authority:
    """The CA in `directory`; nothing is read before it is asked for."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @property
    def phase(self) -> str:
        """Return absent, stable, introduced (two are trusted, the old one issues) or promoted (the new one issues)."""
        present = {name for name in ("current", "next", "previous") if self._part(name).is_dir()}
        if "previous" in present:
            return "promoted"
        if "next" in present:
            return "introduced"
        return "stable" if present else "absent"

    def _part(self, name: str) -> Path:
        return self.directory / name

    def _issuing(self) -> Path:
        """Return the directory of the issuing CA; that of a killed promotion is still called `next`."""
        current = self._part("current")
        return current if current.is_dir() else self._part("next")

    def certificate(self) -> x509.Certificate:
        """Return the issuing CA's certificate; InputError when there is none or it is not fit for it."""
        if self.phase == "absent":
            raise InputError(f"There is no CA in {self.directory}: make one with breakwater.docker.docker_tls_ca.")
        return _load_ca(self._issuing())

    def trusted(self) -> list[x509.Certificate]:
        """Return every CA whose certificates are to be accepted at present, the issuing one first."""
        others = (self._part(name) for name in ("next", "previous"))
        directories = [self._issuing(), *(part for part in others if part.is_dir() and part != self._issuing())]
        return [_load_ca(directory) for directory in directories]

    def key(self, passphrase: str) -> Any:
        """Return the issuing CA's private key; InputError when the passphrase or the key is a wrong one."""
        return _load_key(self._issuing(), passphrase)

    def loose_rights(self) -> list[tuple[Path, int]]:
        """Return each path below the directory that has another mode than it must have, and that mode."""
        expected = {self.directory: _DIRECTORY_MODE}
        for part in (self._part(name) for name in ("current", "next", "previous")):
            expected.update({part: _DIRECTORY_MODE, part / CERTIFICATE: _CERTIFICATE_MODE, part / KEY: _KEY_MODE})
        present = ((path, mode) for path, mode in expected.items() if path.exists())
        return [(path, mode) for path, mode in present if path.stat().st_mode & 0o777 != mode]

    def create(self, spec: CaSpec, now: datetime, name: str = "current") -> None:
        """Make a new CA; InputError without a passphrase, since the key would lie readable on the disk."""
        check_creatable(spec)
        key = _make_key(spec.key_type)
        certificate = _self_signed(spec, key, now)
        self.directory.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=self.directory))
        try:
            encryption = serialization.BestAvailableEncryption(spec.passphrase.encode())
            private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
            _write(work / KEY, private, _KEY_MODE)
            _write(work / CERTIFICATE, to_pem(certificate).encode(), _CERTIFICATE_MODE)
            work.rename(self._part(name))
        except BaseException:
            shutil.rmtree(work)
            raise

    def promote(self) -> None:
        """Let the next CA issue and the present one only be trusted."""
        if self._part("current").is_dir():
            self._part("current").rename(self._part("previous"))
        self.finish_promotion()

    def finish_promotion(self) -> None:
        """Bring a promotion to its end that was killed between its two renames."""
        if not self._part("current").is_dir():
            self._part("next").rename(self._part("current"))

    def retire(self) -> None:
        """Remove the previous CA with its key: what it issued is worthless from now on."""
        shutil.rmtree(self._part("previous"))


def check_creatable(spec: CaSpec) -> None:
    """Raise InputError when a CA can't be made as asked for."""
    if not spec.passphrase:
        raise InputError(
            "A new CA needs a passphrase for its key: set docker_tls_ca_passphrase, or for registries"
            " docker_registry_ca_passphrase, from a vault. Nothing was changed."
        )


def _make_key(key_type: str) -> Any:
    kind, _separator, size = key_type.partition("-")
    if kind == "rsa":
        return rsa.generate_private_key(public_exponent=65537, key_size=int(size))
    return ec.generate_private_key({"p256": ec.SECP256R1(), "p384": ec.SECP384R1()}[size])


def _self_signed(spec: CaSpec, key: Any, now: datetime) -> x509.Certificate:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    # Two CAs that are trusted at the same time need different names to be told apart.
    common_name = f"{spec.name} {identifier.digest.hex()[:8]}"
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + timedelta(days=spec.days))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage("key_cert_sign", "crl_sign"), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, signature_hash(key))
    )


def _write(path: Path, content: bytes, mode: int) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(handle)
    path.chmod(mode)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.") from None


def _load_ca(directory: Path) -> x509.Certificate:
    path = directory / CERTIFICATE
    try:
        certificates = x509.load_pem_x509_certificates(_read(path))
    except ValueError:
        raise InputError(f"{path} is not a certificate in PEM form.") from None
    if len(certificates) != 1:
        raise InputError(
            f"{path} holds {len(certificates)} certificates: leave the one that issues. Whoever has a client"
            " certificate of any other CA in it would command the engines."
        )
    try:
        constraints = certificates[0].extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        raise InputError(f"{path} is not a CA's certificate: it has no basic constraints.") from None
    if not constraints.ca:
        raise InputError(f"{path} is not a CA's certificate.")
    return certificates[0]


def _load_key(directory: Path, passphrase: str) -> Any:
    path = directory / KEY
    content = _read(path)
    try:
        key = _decrypt(content, passphrase)
    except (ValueError, TypeError):
        raise InputError(
            f"{path} can't be decrypted: set docker_tls_ca_passphrase to its passphrase, or for registries"
            " docker_registry_ca_passphrase and docker_registry_client_ca_passphrase."
        ) from None
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != _load_ca(directory).public_key().public_bytes(*form):
        raise InputError(f"{path} is not the key of the certificate beside it.")
    return key


def _decrypt(content: bytes, passphrase: str) -> Any:
    try:
        return serialization.load_pem_private_key(content, passphrase.encode() or None)
    except TypeError:  # a passphrase is given, but an existing CA's key is not encrypted
        return serialization.load_pem_private_key(content, None)
