from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.probe import host_probes
from ansible_collections.breakwater.docker.plugins.module_utils.probe.host_probes import Registry
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import write

POLICY = "/etc/docker/image-trust/policy.json"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", "key", "-out", "crt"],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    return directory


@contextlib.contextmanager
def registry(status: int, certificate: Path | None = None) -> Iterator[int]:
    """Yield the port of a registry that answers everybody with this status."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/v2/" and "Authorization" not in self.headers else 500)
            self.end_headers()

        def log_message(self, *_told: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate / "crt", certificate / "key")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "encrypted", "mirror", "succeeded", "text"),
    [
        (200, False, False, True, "answers without TLS and without credentials"),
        (401, False, False, True, "answers without TLS"),
        (200, False, True, True, "answers without TLS and without credentials"),
        (301, False, False, False, "no answer without TLS, none without credentials"),
        (200, True, False, True, "answers without credentials"),
        (401, True, False, False, "no answer without TLS, none without credentials"),
        (200, True, True, False, "no answer without TLS, none without credentials"),
    ],
)
def test_registry_is_asked(
    certificate: Path, status: int, encrypted: bool, mirror: bool, succeeded: bool, text: str
) -> None:
    with registry(status, certificate if encrypted else None) as port:
        found = host_probes.ask([Registry("127.0.0.1", port, mirror)])
    assert found.succeeded is succeeded
    assert found.text.endswith(text)
    assert f"127.0.0.1:{port}" in found.text


def test_registry_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_probes, "_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = host_probes.ask([Registry("127.0.0.1", silent.getsockname()[1])])
    assert (found.succeeded, "no answer from 127.0.0.1:" in found.text) == (None, True)


def test_weakest_registry_counts_and_few_are_asked() -> None:
    with registry(200) as port, registry(401) as other:
        weak = Registry("127.0.0.1", port)
        found = host_probes.ask([Registry("127.0.0.1", other, mirror=True), weak])
        assert f"127.0.0.1:{other} answers without TLS; 127.0.0.1:{port} answers" in found.text
        late = [Registry("127.0.0.1", 1 + number) for number in range(8)]
        assert host_probes.ask([*late, weak]).succeeded is None
    assert "no registry but Docker Hub" in host_probes.ask([]).text


def test_configured_registries_are_those_of_the_engine_and_of_certificates(tmp_path: Path) -> None:
    config = {
        "IndexConfigs": {
            "docker.io": {"Name": "docker.io", "Official": True, "Secure": True},
            "insecure.example.org:5000": {"Official": False, "Secure": False},
            "[fd00::1]:5000": {"Official": False, "Secure": False},
            "bad:port": {"Official": False, "Secure": False},
        },
        "Mirrors": ["https://mirror.example.org/", "http://mirror.example.org:5001/"],
    }
    write(tmp_path, "/etc/docker/certs.d/registry.example.org/ca.crt", "")
    assert host_probes.configured(config, LocalFileSystem(str(tmp_path))) == [
        Registry("insecure.example.org", 5000),
        Registry("fd00::1", 5000),
        Registry("registry.example.org"),
        Registry("mirror.example.org", None, True),
        Registry("mirror.example.org", 5001, True),
    ]
    assert host_probes.configured({}, LocalFileSystem(str(tmp_path / "none"))) == []


@pytest.mark.parametrize(
    ("policy", "succeeded", "text"),
    [
        (None, False, "the host has no policy"),
        ([], False, "by the host's policy"),
        ([{"repository": "registry.example.org/*", "action": "accept"}], False, "by the host's policy"),
        ([{"repository": "*", "keys": ["release"]}], False, "by the host's policy"),
        ([{"repository": "*", "action": "accept"}], True, "accepts images without a signature (*)"),
    ],
)
def test_unsigned_image_starts_where_the_policy_accepts_it(
    tmp_path: Path, policy: list[dict[str, Any]] | None, succeeded: bool, text: str
) -> None:
    if policy is not None:
        write(tmp_path, POLICY, json.dumps({"policy": policy}))
    found = host_probes.started_by_workload(LocalFileSystem(str(tmp_path)))
    assert (found.succeeded, text in found.text) == (succeeded, True)


def test_policy_that_others_can_change_lets_nothing_start(tmp_path: Path) -> None:
    write(tmp_path, POLICY, json.dumps({"policy": [{"repository": "*", "action": "accept"}]}))
    (tmp_path / POLICY.lstrip("/")).chmod(0o666)
    found = host_probes.started_by_workload(LocalFileSystem(str(tmp_path)))
    assert (found.succeeded, "tampered" in found.text) == (False, True)
