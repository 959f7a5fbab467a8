# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a hostile server can do with docker_engine_repository, which asks it for a key, and passwords of a mirror.

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Iterator

import pytest
from ansible.module_utils.testing import patch_module_args

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.modules.docker_engine_repository import fetch, main, shown
from ansible_collections.breakwater.docker.tests.unit.fakes.hostile_server import serve


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = serve(0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("attack", "told"),
    [
        ("huge", "gives more than 100000 bytes"),
        ("drip", "takes longer than 1 seconds"),
        ("file", "can't be fetched"),
        ("garbage", "can't be fetched"),
        ("words", "can't be fetched"),
    ],
)
def test_hostile_answers_are_refused_within_their_time(address: str, attack: str, told: str) -> None:
    started = time.monotonic()
    with pytest.raises(BreakwaterError, match=told):
        fetch(f"{address}/{attack}", largest=100_000, seconds=1)
    assert time.monotonic() - started < 10


class Mirror(BaseHTTPRequestHandler):
    """Gives a key to who knows the password."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it has above
        """Say nothing."""

    def do_GET(self) -> None:
        self.send_response(200 if self.headers.get("Authorization") == "Basic c3ZjOnB3" else 401)
        self.end_headers()
        self.wfile.write(b"key")


def test_password_for_the_key_comes_from_netrc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/gpg"
        monkeypatch.setenv("HOME", str(tmp_path))
        with pytest.raises(BreakwaterError, match="401"):
            fetch(url)
        (tmp_path / ".netrc").write_text("machine 127.0.0.1 login svc password pw\n")
        (tmp_path / ".netrc").chmod(0o600)
        assert fetch(url) == "key"
        server.shutdown()


def test_password_in_the_address_is_refused_and_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    given = {"url": "https://svc:hunter2@mirror/linux", "distribution": "rocky", "_ansible_check_mode": True}
    with patch_module_args(given), pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().out
    assert json.loads(told)["msg"].startswith("https://(hidden)@mirror/linux names a user or a password")
    assert "hunter2" not in told


def test_passwords_of_a_file_that_is_replaced_are_not_told() -> None:
    text = "[docker]\nbaseurl=https://svc:hunter2@mirror/linux\nusername = svc\npassword=hunter2\nenabled=1\n"
    assert shown(text) == (
        "[docker]\nbaseurl=https://(hidden)@mirror/linux\nusername =(hidden)\npassword=(hidden)\nenabled=1\n"
    )
    assert shown("URIs: http://svc@mirror/\n") == "URIs: http://(hidden)@mirror/\n"
