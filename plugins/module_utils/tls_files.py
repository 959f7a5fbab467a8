# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Private keys, signing requests and certificates in the directory where they are used. A key is made by `openssl` into
# a file of its user, and its content is never read here. Sources: openssl-genpkey(1), openssl-req(1).

from __future__ import annotations

import contextlib
import os
import pwd
import stat
import tempfile
from dataclasses import dataclass
from typing import Iterator

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, CommandRunner

CA, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"
#: Under this name a new key waits for its certificate, so that the two are replaced together.
NEXT_KEY = "key.pem.next"
#: What follows the names of files that are kept.
_KEPT = ".breakwater-previous"
#: What CIS allows for certificates (3.9, 3.11) and keys (3.13).
MODES = {CA: 0o444, CERTIFICATE: 0o444, KEY: 0o400}
_DIRECTORY_MODES = {"server": 0o755, "client": 0o700}
_KEY_OPTIONS = {
    "ec-p256": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-pkeyopt", "ec_param_enc:named_curve"),
    "ec-p384": ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384", "-pkeyopt", "ec_param_enc:named_curve"),
    "rsa-3072": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"),
    "rsa-4096": ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:4096"),
}
#: Seconds for a large RSA key on a small, busy host.
_TIMEOUT = 120


class UnknownUserError(InputError):
    """The host has no such account, and so none of its files."""


@contextlib.contextmanager
def acting_as(user: str) -> Iterator[str]:
    """Use files as `user`, so that a link in his home leads root nowhere, and yield his home.

    UnknownUserError for an unknown user, and InputError for another one where we are not root.
    """
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise UnknownUserError(f"There is no user {user} on this host: create the account first.") from None
    if account.pw_uid == os.geteuid():
        yield account.pw_dir
        return
    if os.geteuid() != 0:
        raise InputError(f"Only root can write files of {user}: run with become, or as {user}.")
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(account.pw_gid)
    os.seteuid(account.pw_uid)
    try:
        yield account.pw_dir
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@dataclass(frozen=True)
class Bundle:
    """The files of one certificate; all methods expect to run as their user, and raise OSError and BreakwaterError."""

    directory: str
    commands: CommandRunner

    def read(self, name: str) -> str:
        """Return the content of a file that is not secret, empty where it is missing or may not be read."""
        try:
            with open(self._path(name), encoding="ascii", errors="replace") as stream:
                return stream.read()
        except (FileNotFoundError, PermissionError):
            return ""

    def request(self, key: str = KEY) -> str:
        """Return a signing request made with the present key, empty where there is no usable one."""
        if not self._is_own(key):
            return ""
        # The name is left to the controller, which does not read it from here.
        made = self._openssl("req", "-new", "-sha256", "-subj", "/CN=host", "-key", self._path(key))
        return made.stdout if made.rc == 0 else ""

    def loose_rights(self) -> list[str]:
        """Return, as clauses, which files have other rights than they must have."""
        found = []
        for name, mode in MODES.items():
            with contextlib.suppress(FileNotFoundError):
                status = os.lstat(self._path(name))
                if not self._is_own(name):
                    found.append(f"{name} is not a file of its user")
                elif status.st_mode & 0o7777 != mode:
                    found.append(f"{name} has mode {status.st_mode & 0o7777:04o}, not {mode:04o}")
        return found

    def make_key(self, key_type: str, usage: str) -> str:
        """Make a key that waits for its certificate, and return a signing request for it."""
        os.makedirs(self.directory, mode=_DIRECTORY_MODES[usage], exist_ok=True)
        path = self._path(NEXT_KEY)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        # openssl keeps the rights of a file that is there.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        self._succeed("genpkey", *_KEY_OPTIONS[key_type], "-out", path)
        os.chmod(path, MODES[KEY])
        request = self.request(NEXT_KEY)
        if not request:
            raise BreakwaterError(f"openssl made no signing request with {path}: see to its configuration.")
        return request

    def keep(self) -> None:
        """Keep the present files, with their rights, under another name; InputError where other ones were kept."""
        present = [self._path(name) for name in MODES if os.path.lexists(self._path(name))]
        for path in present:
            kept = path + _KEPT
            if not os.path.lexists(kept):
                os.link(path, kept, follow_symlinks=False)
            elif not os.path.samestat(os.lstat(path), os.lstat(kept)):
                raise InputError(f"{kept} was kept earlier: move it away first. {path} was not replaced.")

    def install(self, certificate: str, trusted: str) -> None:
        """Put a signed certificate (empty to keep the present one) and the trusted CAs in place, with their rights.

        The CAs come first: who trusts more than he needs for a moment refuses nobody.
        """
        key = self._key_of(certificate) if certificate else KEY
        if self.read(CA) != trusted:
            self._replace(CA, trusted)
        if key != KEY:
            os.replace(self._path(key), self._path(KEY))
        if certificate:
            self._replace(CERTIFICATE, certificate)
        self._correct_rights()

    def remove(self) -> bool:
        """Remove the files and tell whether there were any."""
        # The CA last: after a run that was killed meanwhile, it tells whose a key is.
        present = [name for name in (NEXT_KEY, KEY, CERTIFICATE, CA) if os.path.lexists(self._path(name))]
        for name in present:
            os.unlink(self._path(name))
        return bool(present)

    def exists(self, *names: str) -> bool:
        """Tell whether any of the files is there."""
        return any(os.path.lexists(self._path(name)) for name in names)

    def _path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def _is_own(self, name: str) -> bool:
        """Tell whether it is a regular file of the acting user; a key that somebody else put there is not trusted."""
        try:
            status = os.lstat(self._path(name))
        except FileNotFoundError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()

    def _key_of(self, certificate: str) -> str:
        """Return the name of the key that the certificate is for: dockerd would not start with another one."""
        with tempfile.NamedTemporaryFile("w", dir=self.directory, suffix=".pem") as stream:
            stream.write(certificate)
            stream.flush()
            wanted = self._succeed("x509", "-noout", "-pubkey", "-in", stream.name)
        for name in (NEXT_KEY, KEY):
            if self._is_own(name) and self._succeed("pkey", "-pubout", "-in", self._path(name)) == wanted:
                return name
        raise BreakwaterError(f"The key in {self.directory} was changed by another run meanwhile: run again.")

    def _correct_rights(self) -> None:
        for name in (CA, CERTIFICATE):
            if not self._is_own(name):
                self._replace(name, self.read(name))
        for name, mode in MODES.items():
            os.chmod(self._path(name), mode)

    def _replace(self, name: str, content: str) -> None:
        install(self._path(name), content, MODES[name])

    def _openssl(self, *arguments: str) -> CommandResult:
        return self.commands.run(("openssl", *arguments), timeout=_TIMEOUT)

    def _succeed(self, *arguments: str) -> str:
        done = self._openssl(*arguments)
        if done.rc != 0:
            reason = (done.stderr.strip().splitlines() or ["it does not say why"])[0]
            raise BreakwaterError(f"openssl {arguments[0]} failed: {reason}.")
        return done.stdout
