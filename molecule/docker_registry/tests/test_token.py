# A registry that wants the tokens of an authorization service, beside a real small one. It replaces the passwords, so
# this runs last, and converge has to run before these tests do again.

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bed
import pytest
import testinfra

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
NAME = "breakwater-registry-12"
REGISTRY, PASSWORD = f"{NAME}:5000", "known-to-the-service"
TLS = "/etc/docker/registry-tls"
MACHINE = testinfra.get_host(f"docker://{NAME}")
CLIENT = testinfra.get_host("docker://breakwater-registry-client")
SERVE = f"""\
for kind in token other; do
    openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=$kind -days 2 -keyout /root/$kind.key -out /root/$kind.crt 2>&1
done
systemd-run -q --unit tokens python3 /root/tokens.py 5443 {TLS}/cert.pem {TLS}/key.pem /root/token.crt /root/token.key \
    alice:{PASSWORD}
systemd-run -q --unit forged python3 /root/tokens.py 5444 {TLS}/cert.pem {TLS}/key.pem /root/other.crt /root/other.key \
    alice:{PASSWORD}"""


@pytest.fixture(scope="module", autouse=True)
def tokens() -> Any:
    script = (SCENARIO / "files/token_server.py").read_text(encoding="utf-8")
    MACHINE.check_output(f"cat >/root/tokens.py <<'END'\n{script}END\n{SERVE}")
    CLIENT.run(f"docker logout {REGISTRY}")
    # the tasks for clients would only be repeated
    bed.play(
        str(SCENARIO / "converge.yml"),
        "--limit",
        NAME,
        docker_registry_users=[],
        docker_registry_token={
            **{"realm": f"https://{NAME}:5443/token", "service": "registry", "issuer": "breakwater"},
            "rootcertbundle": "/root/token.crt",
        },
    )
    yield
    MACHINE.check_output("systemctl stop tokens forged; rm -f /root/token.* /root/other.* /root/tokens.py")


def asked(path: str, token: str = "") -> str:
    """Return the status that the registry answers the client host."""
    header = f"-H 'Authorization: Bearer {token}'" if token else ""
    command = f"curl -s -o /dev/null -w '%{{http_code}}' -m 20 --cacert /etc/docker/certs.d/{REGISTRY}/ca.crt {header}"
    return CLIENT.check_output(f"{command} https://{REGISTRY}{path}")


def issued(port: int, scope: str) -> str:
    """Return a token of a service on the registry's host."""
    url = f"https://{NAME}:{port}/token?service=registry&scope={scope}"
    command = f"curl -sf --cacert /etc/docker/certs.d/{REGISTRY}/ca.crt -u alice:{PASSWORD} '{url}'"
    return CLIENT.check_output(command).split('"')[3]


def test_nobody_gets_in_without_a_token() -> None:
    assert asked("/v2/") == "401"
    assert asked("/v2/", "eyJhbGciOiJub25lIn0.e30.") == "401"
    CLIENT.check_output(
        f"head -c 20000 /dev/urandom >/tmp/blob; tar -cC /tmp blob | docker import - {REGISTRY}/team/app:1"
    )
    assert CLIENT.run(f"docker push -q {REGISTRY}/team/app:1").rc != 0


def test_a_token_of_somebody_else_is_refused() -> None:
    scope = "repository:team/app:pull"
    assert asked("/v2/", issued(5443, scope)) == "200"
    assert asked("/v2/", issued(5444, scope)) == "401"


def test_tokens_say_who_may_push_where() -> None:
    wrong = CLIENT.run(f"echo wrong | docker login -u alice --password-stdin {REGISTRY}")
    assert wrong.rc != 0
    CLIENT.check_output(f"echo {PASSWORD} | docker login -u alice --password-stdin {REGISTRY}")
    CLIENT.check_output(f"docker push -q {REGISTRY}/team/app:1")
    identity = CLIENT.check_output(f"docker image inspect -f '{{{{.Id}}}}' {REGISTRY}/team/app:1")
    CLIENT.check_output(f"docker rmi {REGISTRY}/team/app:1; docker pull -q {REGISTRY}/team/app:1")
    assert CLIENT.check_output(f"docker image inspect -f '{{{{.Id}}}}' {REGISTRY}/team/app:1") == identity
    CLIENT.check_output(f"docker tag {REGISTRY}/team/app:1 {REGISTRY}/other/app:1")
    refused = CLIENT.run(f"docker push -q {REGISTRY}/other/app:1")
    assert refused.rc != 0
    assert "denied" in refused.stderr
