# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import remote_engine
from ansible_collections.breakwater.docker.plugins.module_utils.collector import collect
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import HostReport
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd, recorded

ADDRESS = "tcp://engine.example.net:2376"


@pytest.fixture
def tls(tmp_path: Path) -> dict[str, Any]:
    found = {name: tmp_path / f"{name}.pem" for name in remote_engine.TLS_FILES}
    for path in found.values():
        path.write_text("no certificate\n")
    return {name: str(path) for name, path in found.items()}


@pytest.mark.parametrize("address", ["tcp://", "tcp://host", "tcp://host:port", "http://host:2376", "tcp://a/b:1"])
def test_an_address_that_is_none_is_refused(address: str, tls: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="tcp://HOST:2376"):
        remote_engine.connector(address, tls)


def test_nothing_is_read_without_tls_on_both_sides(tls: dict[str, Any]) -> None:
    del tls["client_key"]
    with pytest.raises(InputError, match="needs tls with client_key"):
        remote_engine.connector(ADDRESS, tls)


def test_files_that_are_missing_or_no_certificates_are_told(tls: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="are not a CA, a certificate and its key"):
        remote_engine.connector(ADDRESS, tls)
    with pytest.raises(InputError, match=r"/nowhere\.pem can't be read: No such file or directory"):
        remote_engine.connector(ADDRESS, {**tls, "ca_path": "/nowhere.pem"})


@pytest.fixture
def report(tmp_path: Path) -> HostReport:
    """Return what is judged of a recorded engine when nothing of its host can be seen."""
    documents = recorded("26.1-rootful")
    risky = next(raw for path, raw in documents.items() if path.endswith("/json") and raw["Name"] == "/risky")
    risky["Mounts"] = [
        {"Type": "bind", "Source": "/var/run/docker.sock", "Destination": "/s", "RW": True, "Propagation": "rprivate"}
    ]
    with FakeDockerd(tmp_path / "s", documents) as engine, EngineApi(engine.path) as api:
        evidence = collect(api, remote_engine.NoFiles(), remote_engine.NoCommands(), ADDRESS)
    assert (evidence["host"], evidence["files"]) == (None, [])
    assert (evidence["engine"]["remote"], evidence["engine"]["socket"]) == (True, ADDRESS)
    controls = catalogue_loader.select(catalogue_loader.builtin(), "strict")
    return rules.evaluate(controls, evidence, rules.check_policy({}), "h1")


def test_the_host_its_files_and_its_kernel_are_not_applicable(report: HostReport) -> None:
    beyond = [found for found in report.findings if found.scope in ("host", "file")]
    assert {(found.status, found.message) for found in beyond} == {("not_applicable", rules._REMOTE)}
    [kernel] = [found for found in report.findings if found.control == "container_kernel_agrees"]
    assert kernel.status == "not_applicable"
    assert "remote engine" in kernel.message


def test_what_the_api_tells_is_judged_and_the_rest_of_the_daemon_is_an_error(report: HostReport) -> None:
    status = {(found.control, found.object.name): found for found in report.findings}
    assert status["container_no_engine_socket", "risky"].status == "fail"
    assert status["container_no_engine_socket", "hardened"].status == "pass"
    assert status["daemon_live_restore", "dockerd"].status in ("pass", "fail")
    listeners = status["daemon_tcp_verifies_clients", "dockerd"]
    assert listeners.status == "error"
    assert "the engine is remote, so its ports are unknown" in listeners.message
