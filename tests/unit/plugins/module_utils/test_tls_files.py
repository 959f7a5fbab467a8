# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult
from ansible_collections.breakwater.docker.plugins.module_utils.tls_files import Bundle, acting_as

ME = pwd.getpwuid(os.geteuid()).pw_name


class OpenSsl:
    """Makes keys that are their own public key, and certificates that are the public key in them."""

    def __init__(self) -> None:
        self.made = 0
        self.seen: list[str] = []

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        self.seen.append(" ".join(argv))
        if argv[1] == "genpkey":
            self.made += 1
            Path(argv[-1]).write_text(f"key {self.made}")
            return CommandResult(0, "", "")
        return CommandResult(0, Path(argv[-1]).read_text(), "")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(str(tmp_path / "tls"), OpenSsl())


def mode(bundle: Bundle, name: str) -> int:
    return os.lstat(os.path.join(bundle.directory, name)).st_mode & 0o7777


def test_key_and_certificate_come_together(bundle: Bundle) -> None:
    assert bundle.request() == ""
    assert bundle.make_key("ec-p256", "client") == "key 1"
    assert os.listdir(bundle.directory) == ["key.pem.next"]
    assert os.stat(bundle.directory).st_mode & 0o777 == 0o700
    bundle.install("key 1", "the CAs")
    assert [mode(bundle, name) for name in ("ca.pem", "cert.pem", "key.pem")] == [0o444, 0o444, 0o400]
    assert (bundle.read("ca.pem"), bundle.request(), bundle.loose_rights()) == ("the CAs", "key 1", [])


def test_no_key_is_on_a_command_line(bundle: Bundle) -> None:
    bundle.make_key("rsa-3072", "server")
    assert isinstance(bundle.commands, OpenSsl)
    assert not [line for line in bundle.commands.seen if "key 1" in line]


def test_renewal_leaves_the_key(bundle: Bundle) -> None:
    bundle.make_key("ec-p256", "server")
    bundle.install("key 1", "old CA")
    bundle.make_key("ec-p256", "server")  # of a run that was killed before it got a certificate
    bundle.install("key 1", "new CA")
    assert (bundle.request(), bundle.read("ca.pem")) == ("key 1", "new CA")


def test_certificate_for_another_key_is_refused(bundle: Bundle) -> None:
    bundle.make_key("ec-p256", "server")
    with pytest.raises(BreakwaterError, match="changed by another run meanwhile"):
        bundle.install("key 9", "the CAs")
    assert os.listdir(bundle.directory) == ["key.pem.next"]


def test_rights_are_told_and_corrected(bundle: Bundle) -> None:
    bundle.make_key("ec-p256", "server")
    bundle.install("key 1", "the CAs")
    os.chmod(os.path.join(bundle.directory, "key.pem"), 0o644)
    assert bundle.loose_rights() == ["key.pem has mode 0644, not 0400"]
    bundle.install("", "the CAs")
    assert bundle.loose_rights() == []


def test_former_files_are_kept_once(bundle: Bundle) -> None:
    bundle.make_key("ec-p256", "client")
    bundle.install("key 1", "their CA")
    bundle.keep()
    bundle.keep()  # of a run that was killed before it replaced anything
    bundle.make_key("ec-p256", "client")
    bundle.install("key 2", "our CA")
    former = {"ca.pem": ("their CA", 0o444), "cert.pem": ("key 1", 0o444), "key.pem": ("key 1", 0o400)}
    for name, (content, rights) in former.items():
        kept = f"{name}.breakwater-previous"
        assert (bundle.read(kept), mode(bundle, kept)) == (content, rights)
    with pytest.raises(InputError, match=r"ca\.pem\.breakwater-previous was kept earlier: move it away first"):
        bundle.keep()
    assert bundle.read("key.pem.breakwater-previous") == "key 1"


def test_link_is_not_followed(bundle: Bundle, tmp_path: Path) -> None:
    bundle.make_key("ec-p256", "server")
    bundle.install("key 1", "the CAs")
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in ("ca.pem", "key.pem"):
        os.unlink(os.path.join(bundle.directory, name))
        os.symlink(victim, os.path.join(bundle.directory, name))
    assert bundle.request() == ""
    assert bundle.loose_rights() == ["ca.pem is not a file of its user", "key.pem is not a file of its user"]
    bundle.make_key("ec-p256", "server")
    bundle.install("key 2", "the CAs")
    assert (victim.read_text(), bundle.loose_rights()) == ("mine", [])


def test_remove(bundle: Bundle) -> None:
    bundle.make_key("ec-p256", "client")
    bundle.install("key 1", "the CAs")
    assert bundle.remove()
    assert os.listdir(bundle.directory) == []
    assert not bundle.remove()


def test_failing_openssl_is_told(tmp_path: Path) -> None:
    class Missing:
        def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
            return CommandResult(None, "", "openssl is not installed")

    with pytest.raises(BreakwaterError, match="openssl genpkey failed: openssl is not installed"):
        Bundle(str(tmp_path), Missing()).make_key("ec-p256", "server")


def test_acting_as_oneself_and_as_nobody_known() -> None:
    with acting_as(ME):
        pass
    with pytest.raises(InputError, match="There is no user no-such-user"), acting_as("no-such-user"):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_root_acts_as_another_user(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with acting_as("nobody"), pytest.raises(PermissionError):
        (tmp_path / "x").write_text("")
    assert os.geteuid() == 0
