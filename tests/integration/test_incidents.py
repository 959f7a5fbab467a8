# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The commands of docs/incidents.md, on a real engine.

from __future__ import annotations

import json
import os
import re
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import container_host
from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/incidents.md").read_text(encoding="utf-8")
NAME = f"incidents-{os.getpid()}"
REGISTRY = f"{NAME}:5000"
PASSWORD = "correct-horse-battery"
SSH = (
    *("ssh", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "ConnectTimeout=5"),
    *("-o", "PubkeyAuthentication=no", "-o", "NumberOfPasswordPrompts=1"),
)
PUBLISH = """
cd $(mktemp -d) && printf '{content}' >key.pem && printf 'FROM busybox:local\\nCOPY key.pem /\\n' >Dockerfile
DOCKER_BUILDKIT=0 docker build --quiet --no-cache --tag {image} . && docker push --quiet {image}
"""


def commands(title: str) -> list[str]:
    """Return the blocks of commands in a part of the guide."""
    part = GUIDE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^ *```console\n(.*?)^ *```", part, re.MULTILINE | re.DOTALL)
    assert blocks
    return [textwrap.dedent(block) for block in blocks]


def at_the_console(changed: str) -> str:
    """Return what the guide lets type at the console of a host that is locked out."""
    [command] = re.findall(rf"^\| `{changed}` \| `([^`]+)`", GUIDE, re.MULTILINE)
    return command


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with container_host.started(NAME) as started:
        image = "docker save busybox:local | docker exec -i NAME docker load".replace("NAME", started.name)
        container_host.run("sh", "-c", image)
        yield started


class Site:
    """The controller's directory with the inventory, and where the hosts' administrator types."""

    def __init__(self, directory: Path, **groups: str) -> None:
        """Have groups of one host each."""
        self.directory = directory
        self._groups = groups or {"registry": NAME}

    def write(self, **variables: Any) -> None:
        """Write the inventory, in which a group's name leads to variables of its own."""
        children = {
            group: {"hosts": {host: {}}, "vars": variables.pop(group, {})} for group, host in self._groups.items()
        }
        reached = {"ansible_connection": "community.docker.docker", "ansible_become_method": "su"}
        (self.directory / "inventory").write_text(
            json.dumps({"all": {"children": children, "vars": {**reached, **variables}}})
        )

    def run(self, script: str, **environment: str) -> str:
        """Run a script on the controller."""
        done = self.attempt(script, **environment)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def attempt(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script on the controller that may fail."""
        given = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_PIPELINING": "1", "ANSIBLE_NOCOLOR": "1"}
        return subprocess.run(
            ["sh", "-euc", script],
            cwd=self.directory,
            env={**os.environ, **given, **environment},
            capture_output=True,
            text=True,
            timeout=600,
            stdin=subprocess.DEVNULL,
            check=False,
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_compromised_container_is_cut_off_frozen_and_kept(host: ContainerHost) -> None:
    host.run("docker network create other && docker run -d --name web busybox:local sh -c 'echo x > /new; sleep 600'")
    host.run("docker network connect other web")
    for block in commands("A container is compromised"):
        host.run(f"cd /root && {block}".replace("CONTAINER", "web"))
    assert host.run("docker ps --format '{{.Names}} {{.Status}} {{.Networks}}'").strip().endswith("(Paused)")
    assert "A /new" in host.run("cat /root/diff.txt")
    assert "new\n" in host.run("tar -tf /root/files.tar")
    host.run("docker unpause web && docker rm -f web")  # a host whose processes are frozen can't be removed


def test_engine_that_does_not_start_gets_its_former_configuration(host: ContainerHost) -> None:
    host.run("echo '{\"debug\": true}' > /etc/docker/daemon.json.breakwater-previous")
    host.run("echo '{\"nonsense\": 1}' > /etc/docker/daemon.json; ! systemctl restart docker")
    [block] = commands("The engine does not start")
    told = host.run(block.replace("dockerd --validate", "! dockerd --validate"))
    assert "nonsense" in told
    assert host.run("docker info --format '{{.Debug}}'") == "true\n"


@pytest.fixture(scope="module")
def sshd(host: ContainerHost) -> str:
    """Return the address of the host, on which bob logs in with his password."""
    host.run("apt-get update -qq && apt-get install -qq -y --no-install-recommends openssh-server", timeout=240)
    host.run(f"useradd --create-home bob && echo bob:{PASSWORD} | chpasswd && systemctl start ssh")
    return host.run("hostname --ip-address").split()[0]


def logged_in(site: Site, address: str) -> bool:
    """Tell whether bob gets in by ssh."""
    ask = site.directory / "ask"
    ask.write_text(f"#!/bin/sh\necho {PASSWORD}\n")
    ask.chmod(0o700)
    done = site.attempt(" ".join((*SSH, f"bob@{address}", "id -un")), SSH_ASKPASS=str(ask), SSH_ASKPASS_REQUIRE="force")
    return done.stdout == "bob\n"


def let_in(site: Site, address: str) -> bool:
    """Tell whether bob gets in within twenty tries: while sshd reads its settings anew it listens nowhere."""
    for _try in range(20):
        if logged_in(site, address):
            return True
        time.sleep(1)
    return False


@pytest.mark.parametrize(
    ("changed", "area", "variables"),
    [
        ("docker_host_sshd", "host", {"docker_host_sshd": True}),
        ("docker_firewall", "firewall", {"docker_firewall_input": [{"port": 22, "sources": ["192.0.2.1"]}]}),
    ],
)
def test_host_that_is_locked_out_is_let_in_from_its_console(
    host: ContainerHost, sshd: str, site: Site, changed: str, area: str, variables: dict[str, Any]
) -> None:
    assert logged_in(site, sshd)
    site.write(docker_hardening_areas=[area], **variables)
    tags = "--tags sshd" if area == "host" else ""
    site.run(f"ansible-playbook breakwater.docker.harden -i inventory {tags}")
    assert not logged_in(site, sshd)
    host.run(at_the_console(changed))
    assert let_in(site, sshd)


@pytest.fixture(scope="module")
def registry(host: ContainerHost, tmp_path_factory: pytest.TempPathFactory) -> ContainerHost:
    """The host as a registry of its own, and logged in there."""
    made = Site(tmp_path_factory.mktemp("registry"))
    made.write(
        docker_registry_names=[NAME],
        docker_registry_ca_dir=str(made.directory / "ca"),
        docker_registry_ca_passphrase=PASSWORD,
        docker_registry_client_registries=[{"address": REGISTRY}],
        docker_registry_client_ca_dir=str(made.directory / "ca"),
        docker_registry_users=[{"name": "ci", "password": PASSWORD}],
    )
    made.run("ansible-playbook breakwater.docker.registry -i inventory")
    host.run(f"echo {PASSWORD} | docker login --username ci --password-stdin {REGISTRY}")
    return host


def filled(block: str, reference: str) -> str:
    """Put an image, named by its digest, and its registry into commands of the guide."""
    repository, digest = reference.removeprefix(f"{REGISTRY}/").split("@")
    names = {"REPOSITORY": repository, "REGISTRY": REGISTRY, "DIGEST": digest, "USER": f"ci:{PASSWORD}"}
    return re.sub("|".join(names), lambda found: names[found.group()], block)


def kept(host: ContainerHost, content: str) -> bool:
    """Tell whether a layer in the registry has the content."""
    script = (
        f"find /var/lib/docker-registry -path '*blobs*' -name data -exec zgrep --text --quiet {content} {{}} ';' -print"
    )
    return host.run(script) != ""


def test_secret_leaves_the_registry_and_the_host(registry: ContainerHost) -> None:
    image = f"{REGISTRY}/team/web:1"
    registry.run(PUBLISH.format(image=image, content="geheim"))
    known, delete, collect, remove = commands("A secret is in an image")
    reference = registry.run(known.replace("IMAGE", image)).strip()
    registry.run(PUBLISH.format(image=image, content="public"))
    registry.run(collect)
    assert kept(registry, "geheim"), "what has no name is not collected"
    registry.run(filled(delete, reference))
    registry.run(filled(remove, reference))
    registry.run(collect)
    assert not kept(registry, "geheim")
    registry.wait_for(f"docker pull {image}")
    registry.run(f"! docker pull {reference}; ! docker image inspect {reference}; docker image rm {image}")


def verdicts(site: Site, audit: str) -> dict[str, str]:
    """Run the audit's command; return what it says of each image's signature, by the image's repository."""
    site.run(audit)
    [report] = json.loads((site.directory / "audit/report.json").read_text())["hosts"]
    found = {item["object"]["name"]: item["status"] for item in report["findings"]}
    return {re.split("[@:][^@:]*$", name.removeprefix(f"{REGISTRY}/"))[0]: status for name, status in found.items()}


def test_what_only_a_stolen_key_has_signed_is_refused(registry: ContainerHost, site: Site) -> None:
    cosign = f"cd /root; export COSIGN_PASSWORD=x SSL_CERT_FILE=/etc/docker/certs.d/{REGISTRY}/ca.crt; "
    registry.run("apt-get update -qq && apt-get install -qq -y cosign", timeout=240)
    generate, used, sign, harden, audit = commands("A signing key is known to others")
    registry.run(cosign + generate.replace("renewed", "old"))
    references = {}
    for name in ("ours", "theirs"):
        image = f"{REGISTRY}/{name}:1"
        registry.run(PUBLISH.format(image=image, content=name))
        references[name] = registry.run(f"docker image inspect --format '{{{{index .RepoDigests 0}}}}' {image}").strip()
        registry.run(cosign + filled(sign.replace("renewed", "old"), references[name]))
        registry.run(f"docker run --detach --name {name} {references[name]} sleep 100000")

    def trust(key: str) -> None:
        site.write(
            docker_image_trust_keys={"release": registry.run(f"cat /root/{key}.pub")},
            docker_image_trust_policy=[{"repository": f"{REGISTRY}/*", "keys": ["release"]}],
            docker_compliance_report_dir=str(site.directory / "audit"),
        )
        site.run(harden)

    trust("old")
    before = verdicts(site, audit)
    assert (before["ours"], before["theirs"]) == ("pass", "pass")
    registry.run(cosign + generate)
    assert references["ours"] in registry.run(used)
    registry.run(cosign + filled(sign, references["ours"]))
    trust("renewed")
    after = verdicts(site, audit)
    assert (after["ours"], after["theirs"]) == ("pass", "fail")
    assert len(registry.run("docker ps --quiet --filter name=ours --filter name=theirs").split()) == 2


BUNDLE = "/root/.docker"
SERVER = "/etc/docker/tls"
# Whoever has the CA's key and its passphrase makes what he wants by openssl.
FORGE = """
openssl req -new -subj /CN=anybody -key {key} -addext extendedKeyUsage={usage} -addext subjectAltName=IP:{address} |
openssl x509 -req -copy_extensions copyall -CA /root/ca/current/ca.pem -CAkey /root/ca/current/ca-key.pem \\
  -passin pass:{passphrase} -not_before 20260101000000Z -not_after {end} -out {certificate}
"""


class Pair:
    """An engine, and a host with a client's certificate that commands it over TLS."""

    def __init__(self, site: Site, engine: ContainerHost, client: ContainerHost) -> None:
        self.site, self.engine, self.client = site, engine, client
        self.address = engine.run("hostname --ip-address").split()[0]
        self.ca = site.directory / "ca"

    def write(self, passphrase: str) -> None:
        """Write the inventory."""
        self.passphrase = passphrase
        files = {"tlscacert": "ca", "tlscert": "cert", "tlskey": "key"}
        named = {option: f"{SERVER}/{file}.pem" for option, file in files.items()}
        self.site.write(
            docker_tls_ca_dir=str(self.ca),
            docker_tls_ca_passphrase=passphrase,
            engines={
                "docker_hardening_areas": ["tls", "engine"],
                "docker_tls_server_names": [self.address],
                "docker_engine_config": {"hosts": ["fd://"], "tlsverify": True, **named},
            },
            clients={
                "docker_hardening_areas": ["tls"],
                "docker_tls_server": False,
                "docker_tls_clients": [{"name": "root"}],
            },
        )

    def answer(self, bundle: str = BUNDLE, to: str = "") -> str:
        """Return what a client gets to hear: OK, or why he is not let in; `to` is another address of the engine."""
        identity = f"--cacert {BUNDLE}/ca.pem --cert {bundle}/cert.pem --key {bundle}/key.pem"
        where = f"--connect-to ::{to}: https://{self.address}:2376/_ping"
        return self.client.run(f"curl -sS --connect-timeout 3 -m 20 {identity} {where} 2>&1 || true")

    def steal_ca(self) -> None:
        """Take the CA's directory."""
        for host in (self.client, self.engine):
            container_host.run("docker", "cp", "-q", str(self.ca), f"{host.name}:/root")

    def forge(self, host: ContainerHost, key: str, certificate: str, end: str = "21000101000000Z") -> None:
        """Issue a certificate, as fits the host, by the stolen CA."""
        usage = "clientAuth" if host is self.client else "serverAuth"
        given = {"usage": usage, "address": self.address, "passphrase": self.passphrase, "end": end}
        host.run(FORGE.format(key=key, certificate=certificate, **given))

    def kept(self) -> str:
        """Return which process the engine's container is."""
        return self.engine.run("docker inspect --format '{{.State.Pid}}' kept")


def refused(answer: str) -> bool:
    """Tell whether the engine did not take a client's certificate."""
    return "OK" not in answer and "alert" in answer


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    engine, client = f"{NAME}-engine", f"{NAME}-client"
    with container_host.started(engine) as first, container_host.started(client) as second:
        made = Pair(Site(tmp_path_factory.mktemp("pair"), engines=engine, clients=client), first, second)
        made.write(PASSWORD)
        made.site.run("ansible-playbook breakwater.docker.harden -i inventory -e docker_hardening_serial=100%")
        first.run("docker load --quiet --input /usr/share/breakwater/busybox.tar")
        first.run("docker run --detach --name kept busybox:local sleep 100000")
        yield made


@pytest.fixture
def unharmed(pair: Pair) -> Iterator[None]:
    """The client is let in and the engine's container runs, before and afterwards."""
    assert pair.answer() == "OK"
    before = pair.kept()
    yield
    assert pair.answer() == "OK"
    assert pair.kept() == before


@pytest.mark.usefixtures("unharmed")
def test_certificate_of_a_compromised_host_is_refused(pair: Pair) -> None:
    pair.client.run(f"cp -rT {BUNDLE} /root/stolen")
    keys = [host.run(f"cat {key}/key.pem") for host, key in ((pair.engine, SERVER), (pair.client, BUNDLE))]
    assert pair.answer("/root/stolen") == "OK"
    [replace] = commands("A host is compromised")
    pair.site.run(replace)
    assert refused(pair.answer("/root/stolen"))
    renewed = [host.run(f"cat {key}/key.pem") for host, key in ((pair.engine, SERVER), (pair.client, BUNDLE))]
    assert not set(keys) & set(renewed)


@pytest.mark.usefixtures("unharmed")
def test_what_a_stolen_ca_issues_is_refused(pair: Pair) -> None:
    for host, address in ((pair.engine, "fd00::1"), (pair.client, "fd00::2")):
        host.run(f"sysctl -qw net.ipv6.conf.eth0.disable_ipv6=0 && ip addr replace {address}/64 dev eth0 nodad")
    pair.steal_ca()
    pair.client.run("mkdir -p /root/forged && openssl genpkey -algorithm ed25519 -out /root/forged/key.pem")
    pair.forge(pair.client, "/root/forged/key.pem", "/root/forged/cert.pem")
    close, replace, reopen = commands("The CA's key is known to others")
    for address in (pair.address, "[fd00::1]"):
        assert pair.answer("/root/forged", address) == "OK"
    pair.site.run(close)
    for address in (pair.address, "[fd00::1]"):
        assert "timed out" in pair.answer("/root/forged", address)
    pair.write(f"{PASSWORD}-renewed")
    pair.site.run(replace)
    assert "timed out" in pair.answer()
    pair.site.run(reopen)
    for address in (pair.address, "[fd00::1]"):
        assert refused(pair.answer("/root/forged", address))


@pytest.mark.usefixtures("unharmed")
def test_lost_ca_is_replaced(pair: Pair) -> None:
    pair.ca.rename(pair.ca.with_name("lost"))
    replace, _anew = commands("The CA's key is lost")
    pair.site.run(replace.replace("ssh ENGINE", f"docker exec {pair.engine.name}"))
    assert (pair.ca / "current/ca-key.pem").exists()


@pytest.mark.usefixtures("unharmed")
def test_controller_without_the_ca_replaces_nothing_unasked(pair: Pair) -> None:
    pair.ca.rename(pair.ca.with_name("elsewhere"))
    places = ((pair.engine, SERVER), (pair.client, BUNDLE))
    before = [host.run(f"cat {directory}/*.pem") for host, directory in places]
    keys = [host.run(f"cat {directory}/key.pem") for host, directory in places]
    for options in ("--check", ""):
        done = pair.site.attempt(f"ansible-playbook breakwater.docker.rotate_certificates -i inventory {options}")
        assert done.returncode != 0
        assert "is of another CA (CN=Docker CA" in done.stdout + done.stderr
    assert [host.run(f"cat {directory}/*.pem") for host, directory in places] == before
    assert not pair.ca.exists()
    _replace, anew = commands("The CA's key is lost")
    pair.site.run(anew)
    assert [host.run(f"cat {directory}/key.pem.breakwater-previous") for host, directory in places] == keys


def test_expired_certificates_are_renewed(pair: Pair) -> None:
    pair.steal_ca()
    before = pair.kept()
    for host, directory in ((pair.engine, SERVER), (pair.client, BUNDLE)):
        pair.forge(host, f"{directory}/key.pem", f"{directory}/cert.pem", end="20260102000000Z")
    pair.engine.run("systemctl restart docker")
    assert "expired" in pair.answer()
    [renew] = commands("A certificate has expired")
    pair.site.run(renew)
    assert (pair.answer(), pair.kept()) == ("OK", before)
