# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# An engine that asks a real authorization plugin about every request: who may do what by the certificate's common name,
# and what becomes of an engine whose plugin is bad or gone. Needs the test bed (`make bed`).

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration import ansible_runs, container_host

NAME = f"breakwater-authz-{os.getpid()}"
PLUGIN = Path(__file__).parent / "authz_plugin.py"
UNITS = """
cat > /etc/systemd/system/cn-policy.socket <<END
[Unit]
Before=docker.service
[Socket]
ListenStream=/run/docker/plugins/cn-policy.sock
SocketMode=0600
[Install]
WantedBy=sockets.target
END
cat > /etc/systemd/system/cn-policy.service <<END
[Unit]
StartLimitIntervalSec=0
[Service]
ExecStart=/usr/bin/python3 /usr/local/lib/authz_plugin.py /etc/cn-policy.json
DynamicUser=yes
ProtectSystem=strict
END
systemctl daemon-reload
systemctl enable --quiet --now cn-policy.socket
"""
POLICY = {"viewer": ["GET", "HEAD"], "deployer": ["*"], "": ["*"]}
TLS = {
    "hosts": ["fd://"],
    "tlsverify": True,
    "tlscacert": "/etc/docker/tls/ca.pem",
    "tlscert": "/etc/docker/tls/cert.pem",
    "tlskey": "/etc/docker/tls/key.pem",
}
WITH_PLUGIN = {**TLS, "authorization-plugins": ["cn-policy"]}


def set_policy(host: container_host.ContainerHost, policy: dict[str, list[str]]) -> None:
    host.run(f"echo '{json.dumps(policy)}' > /etc/cn-policy.json")


def ask(host: container_host.ContainerHost, client: str, method: str, path: str) -> tuple[int, str]:
    """Return the status and the answer to a request of a client, known by its certificate, or by none at the socket."""
    if client:
        where = f"--cacert /root/{client}/ca.pem --cert /root/{client}/cert.pem --key /root/{client}/key.pem https://{NAME}:2376"
    else:
        where = "--unix-socket /run/docker.sock http://docker"
    body = """-H 'Content-Type: application/json' -d '{"Image": "busybox:local"}'""" if method == "POST" else ""
    head = "-I" if method == "HEAD" else f"-X {method}"
    said = host.run(f"curl -s -m 20 {head} {body} -w '\\n%{{http_code}}' {where}{path}")
    return int(said.splitlines()[-1]), said


def create_by_large_body(host: container_host.ContainerHost, client: str) -> str:
    """Ask for a container with a body of 9 MB and return the name of the one that came of it.

    A refusal may come before the whole body was sent: then curl finds the connection closed and sees no status.
    """
    host.run(
        "head -c 9000000 /dev/zero | tr '\\0' ' ' > /root/large; echo '{\"Image\": \"busybox:local\"}' >> /root/large"
    )
    tls = "--cacert /root/{0}/ca.pem --cert /root/{0}/cert.pem --key /root/{0}/key.pem".format(client)
    host.run(
        f"curl -s -m 30 {tls} -H 'Content-Type: application/json' --data-binary @/root/large -o /dev/null"
        f" 'https://{NAME}:2376/containers/create?name=large' || true"
    )
    created = host.run("docker container ls --all --filter name=^large$ --format '{{.Names}}'")
    host.run("docker container rm --force large")
    return created.strip()


def configure(config: dict[str, Any], **options: Any) -> str:
    """Run the module and return what it says."""
    run = ansible_runs.start_module("docker_daemon_config", NAME, config=config, **options)
    return ansible_runs.finished(run)


def container(host: container_host.ContainerHost) -> str:
    return host.run("cat /proc/$(pidof httpd)/stat | cut -d ' ' -f 1,22")


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[container_host.ContainerHost]:
    """An engine that verifies its clients, three of them with a certificate, and a plugin that it does not use yet."""
    directory = tmp_path_factory.mktemp("authz")
    names = ("viewer", "deployer", "stranger")
    given = {
        "docker_tls_ca_dir": str(directory / "ca"),
        "docker_tls_ca_passphrase": "battery-staple-horse",
        "docker_tls_clients": [{"name": name, "directory": f"/root/{name}"} for name in names],
        "docker_engine_config": TLS,
    }
    roles = ["breakwater.docker.docker_tls", "breakwater.docker.docker_engine"]
    site = directory / "site.yml"
    site.write_text(yaml.safe_dump([{"hosts": "all", "gather_facts": False, "roles": roles}]))
    with container_host.started(NAME) as machine:
        machine.run("docker load -qi /usr/share/breakwater/busybox.tar")
        machine.run("docker run -d --name kept busybox:local httpd -f")
        container_host.playbook(str(site), NAME, "-e", json.dumps(given))
        container_host.run("docker", "cp", "-q", str(PLUGIN), f"{NAME}:/usr/local/lib/authz_plugin.py")
        machine.run(UNITS)
        set_policy(machine, POLICY)
        yield machine


def test_large_body_is_taken_by_an_engine_without_a_plugin(host: container_host.ContainerHost) -> None:
    assert create_by_large_body(host, "viewer") == "large"


@pytest.fixture(scope="module")
def guarded(host: container_host.ContainerHost) -> container_host.ContainerHost:
    """The host with its engine asking the plugin."""
    set_policy(host, POLICY)
    process = container(host)
    said = configure(WITH_PLUGIN)
    assert "CHANGED" in said, said
    assert container(host) == process
    return host


@pytest.mark.parametrize(
    ("plugin", "policy", "seconds", "reason"),
    [
        ("nobody", POLICY, 90, "taken back: .*nobody.*the engine runs by it"),  # dockerd looks for it for 15 seconds
        ("cn-policy", {"viewer": ["*"]}, 5, r"taken back: .*refuses to show /info \(HTTP 403\).*the engine runs by it"),
        ("silent", POLICY, 20, "taken back: .*did not end within 20 seconds.*the engine runs by it"),
    ],
    ids=["is not there", "shuts everybody out", "does not answer"],
)
def test_configuration_with_a_plugin_that_is_bad_is_taken_back(
    host: container_host.ContainerHost, plugin: str, policy: dict[str, list[str]], seconds: int, reason: str
) -> None:
    process = container(host)
    host.run(
        "systemd-run --quiet --collect --unit=silent python3 -c 'import socket, time;"
        ' s = socket.socket(socket.AF_UNIX); s.bind("/run/docker/plugins/silent.sock"); s.listen(); time.sleep(600)\''
    )
    set_policy(host, policy)
    try:
        said = configure({**TLS, "authorization-plugins": [plugin]}, timeout=seconds)
    finally:
        host.run("systemctl stop silent; rm -f /run/docker/plugins/silent.sock")
        set_policy(host, POLICY)
    assert re.search(reason, said), said
    assert ask(host, "stranger", "GET", "/info")[0] == 200
    assert "authorization-plugins" not in host.run("cat /etc/docker/daemon.json")
    assert container(host) == process


@pytest.mark.parametrize(
    ("client", "method", "path", "status"),
    [
        ("viewer", "GET", "/containers/json", 200),
        ("viewer", "HEAD", "/_ping", 200),
        ("viewer", "POST", "/containers/create", 403),
        ("viewer", "DELETE", "/containers/kept?force=1", 403),
        ("deployer", "GET", "/containers/json", 200),
        ("deployer", "POST", "/containers/create", 201),
        ("stranger", "GET", "/containers/json", 403),
        ("stranger", "POST", "/containers/create", 403),
        ("", "GET", "/containers/json", 200),
        ("", "POST", "/containers/create", 201),
    ],
)
def test_policy_by_common_name(
    guarded: container_host.ContainerHost, client: str, method: str, path: str, status: int
) -> None:
    got, said = ask(guarded, client, method, path)
    assert got == status, said
    if status == 403:
        assert f"{client} may not {method} " in said


def test_large_body_does_not_get_past_the_plugin(guarded: container_host.ContainerHost) -> None:
    """CVE-2026-34040: the engine asked the plugin without a body that was too large for it."""
    assert create_by_large_body(guarded, "viewer") == ""


def test_client_is_shut_out_by_the_policy_at_once(guarded: container_host.ContainerHost) -> None:
    engine = guarded.run("systemctl show docker -P MainPID")
    assert ask(guarded, "deployer", "GET", "/info")[0] == 200
    set_policy(guarded, {name: methods for name, methods in POLICY.items() if name != "deployer"})
    try:
        assert ask(guarded, "deployer", "GET", "/info")[0] == 403
        assert ask(guarded, "viewer", "GET", "/info")[0] == 200
    finally:
        set_policy(guarded, POLICY)
    assert guarded.run("systemctl show docker -P MainPID") == engine


def test_plugin_that_crashed_is_started_by_its_socket(guarded: container_host.ContainerHost) -> None:
    assert ask(guarded, "viewer", "GET", "/info")[0] == 200
    guarded.run("systemctl kill --signal=KILL cn-policy.service")
    assert ask(guarded, "viewer", "GET", "/info")[0] == 200
    assert ask(guarded, "viewer", "POST", "/containers/create")[0] == 403


def test_plugin_that_is_gone_shuts_everybody_out_and_costs_no_container(
    guarded: container_host.ContainerHost,
) -> None:
    process = container(guarded)
    guarded.run("systemctl stop cn-policy.socket cn-policy.service")
    try:
        for client in ("viewer", ""):
            assert ask(guarded, client, "GET", "/info")[0] >= 400
        said = configure({**WITH_PLUGIN, "debug": True})
        assert re.search("dockerd runs but can't be asked.*Nothing was changed", said), said
    finally:
        guarded.run("systemctl start cn-policy.socket")
    assert ask(guarded, "", "GET", "/info")[0] == 200
    assert container(guarded) == process
    assert "SUCCESS" in configure(WITH_PLUGIN)


def test_audit_sees_the_plugin(guarded: container_host.ContainerHost, tmp_path: Path) -> None:
    given = {"report_dir": str(tmp_path), "profile": "strict", "controls": ["daemon_authorization_plugin"]}
    variables = json.dumps({f"docker_compliance_{key}": value for key, value in given.items()})
    container_host.playbook("breakwater.docker.compliance", NAME, "-e", variables)
    [host] = json.loads((tmp_path / "report.json").read_text())["hosts"]
    assert [finding["status"] for finding in host["findings"]] == ["pass"]
