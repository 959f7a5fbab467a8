# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.registry.doors import Door, knock
from ansible_collections.breakwater.docker.tests.unit.fakes.server import make_certificate, serving, tls

OPEN, SHUT = b"HTTP/1.0 200 OK\r\n\r\n{}", b"HTTP/1.0 401 Unauthorized\r\n\r\n{}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize(("reply", "anonymous"), [(OPEN, True), (SHUT, False)])
def test_clear_text(reply: bytes, anonymous: bool) -> None:
    with serving(reply) as port:
        assert knock("0.0.0.0", port) == Door(tls=False, old_tls=False, anonymous=anonymous)


@pytest.mark.parametrize(("reply", "anonymous"), [(OPEN, True), (SHUT, False)])
def test_tls(certificate: Path, reply: bytes, anonymous: bool) -> None:
    with serving(reply, tls(certificate, verify=False)) as port:
        assert knock("127.0.0.1", port) == Door(tls=True, old_tls=False, anonymous=anonymous)


@pytest.mark.parametrize("verify", [False, True])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_tls_is_noticed(certificate: Path, verify: bool) -> None:
    context = tls(certificate, verify)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with serving(OPEN, context) as port:
        assert knock("127.0.0.1", port) == Door(tls=True, old_tls=True, anonymous=not verify)


def test_client_certificates_keep_strangers_out(certificate: Path) -> None:
    with serving(OPEN, tls(certificate, verify=True)) as port:
        assert knock("127.0.0.1", port) == Door(tls=True, old_tls=False, anonymous=False)


def test_something_else_tells_nothing() -> None:
    with serving(b"HTTP/1.0 404 Not Found\r\n\r\n") as port, pytest.raises(UnreadableError, match="as a registry does"):
        knock("127.0.0.1", port)
