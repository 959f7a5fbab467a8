# What the audit says of registries: of the role's, and of bare ones that somebody started beside them.

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import bed
import pytest
import testinfra

NATIVE, CONTAINER = "breakwater-registry-12", "breakwater-registry-13"
SECRET = "planted-in-a-configuration"
#: In clear text, for everybody, as root; the second one with TLS as old as it gets.
BARE = f"""\
version: 0.1
storage:
  filesystem: {{rootdirectory: /srv/bare}}
  delete: {{enabled: true}}
http:
  addr: :5005
  debug: {{addr: ":5006"}}
notifications:
  endpoints:
    - {{name: x, disabled: true, url: "https://127.0.0.1/", headers: {{Authorization: [{SECRET}]}}}}
"""
OLD = """\
version: 0.1
storage: {filesystem: {rootdirectory: /srv/bare}}
http:
  addr: 127.0.0.1:5007
  tls:
    certificate: CERTIFICATE
    key: KEY
    minimumtls: tls1.0
    ciphersuites: [TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]
"""
#: The timers of the role collect the garbage of its own registries only.
FAILING = {
    *("registry_tls", "registry_authenticates", "registry_debug_private", "registry_http_secret", "registry_not_root"),
    *("registry_files_private", "registry_capabilities_dropped", "registry_confined", "registry_garbage_collected"),
}


@pytest.fixture
def bare_registries() -> Iterator[None]:
    native, container = (testinfra.get_host(f"docker://{name}") for name in (NATIVE, CONTAINER))
    old = OLD.replace("CERTIFICATE", "/etc/docker/registry-tls/cert.pem").replace(
        "KEY", "/etc/docker/registry-tls/key.pem"
    )
    for name, text in (("bare", BARE), ("old", old)):
        native.check_output(f"cat >/root/{name}.yml <<'END'\n{text}END")
        native.check_output(f"systemd-run -q --unit {name} docker-registry serve /root/{name}.yml")
    container.check_output(f"mkdir -p /srv/bare; cat >/srv/bare/config.yml <<'END'\n{BARE}END")
    container.check_output(
        "docker run -d --name bare -p 5005:5005 -p 5006:5006 -v /srv/bare:/srv/bare registry:local"
        " serve /srv/bare/config.yml"
    )
    wait = "for i in $(seq 100); do curl -so /dev/null http://127.0.0.1:5005/v2/ && exit; sleep 0.2; done; exit 1"
    for machine in (native, container):
        machine.check_output(wait)
    yield
    native.check_output("systemctl stop bare old; rm -rf /root/bare.yml /root/old.yml /srv/bare")
    container.check_output("docker rm -fv bare; rm -rf /srv/bare")


@pytest.mark.usefixtures("bare_registries")
def test_bare_registries_fail_and_the_roles_pass(tmp_path: Path) -> None:
    done = bed.play(
        "breakwater.docker.compliance",
        docker_hosts="registry",
        docker_compliance_controls=["registry"],
        docker_compliance_report_dir=str(tmp_path),
        docker_compliance_keep_evidence=True,
    )
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    found = {
        (host["host"], finding["object"]["name"], finding["control"]): finding["status"]
        for host in report["hosts"]
        for finding in host["findings"]
    }

    def of(host: str, name: str, *statuses: str) -> set[str]:
        return {key[2] for key, status in found.items() if key[:2] == (host, name) and status in statuses}

    assert of(NATIVE, "docker-registry.service", "fail", "error", "manual") == set()
    assert of(CONTAINER, "docker-registry", "fail", "error", "manual") == set()
    assert len(of(NATIVE, "docker-registry.service", "pass")) == len(of(CONTAINER, "docker-registry", "pass")) == 10
    assert of(NATIVE, "bare.service", "fail", "error") == FAILING
    # a container has a system call filter, but this one can write to its root
    assert of(CONTAINER, "bare", "fail", "error") == FAILING
    assert of(NATIVE, "old.service", "pass") >= {"registry_tls", "registry_debug_private"}
    assert of(NATIVE, "old.service", "fail") >= {"registry_tls_minimum", "registry_authenticates"}
    written = "".join(path.read_text(encoding="utf-8") for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET not in written + done.stdout
