# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The execution environment of examples/, built, and used from there on a host by ssh. Its base image is Debian's, since
# none can be pulled, and the collections come from this checkout and from PyPI's package ansible instead of Galaxy.

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Iterator, NamedTuple

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration import container_host
from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost

ROOT = Path(__file__).parents[2]
NAME = f"environment-{os.getpid()}"
BASE = "breakwater-base:python"
GUIDE = (ROOT / "docs/automation.md").read_text(encoding="utf-8")
# pip trusts whom this machine trusts and is as patient, and what the build leaves behind is known by the label.
TEST_BED = """
COPY ca-certificates.crt /etc/ssl/certs/
ENV PIP_DEFAULT_TIMEOUT=180
LABEL breakwater.environment=test
"""
REGISTRY_IMAGE = (ROOT / "molecule/docker_registry/files/registry_image.sh").read_text(encoding="utf-8")
SETTINGS = ("--env=ANSIBLE_HOST_KEY_CHECKING=false", "--env=ANSIBLE_PIPELINING=true")
#: Who runs in an execution environment.
USER = 1000


#: The collections that ours depends on, directly or not, as PyPI's package has them.
OTHERS = [
    Path(sysconfig.get_path("purelib")) / "ansible_collections/community" / name
    for name in ("docker", "general", "library_inventory_filtering_v1")
]


def build_collections(work: Path) -> list[Path]:
    """Make Galaxy's archives of the collection and of those that it depends on."""
    sources = [ROOT]
    for installed in OTHERS:
        source = shutil.copytree(installed, work / installed.name)
        about = json.loads((source / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]
        (source / "galaxy.yml").write_text(yaml.safe_dump(about))
        sources.append(source)
    built = work / "built"
    container_host.run("ansible-galaxy", "collection", "build", *map(str, sources), "--output-path", str(built))
    return sorted(built.iterdir())


def build_base(directory: Path) -> None:
    """Make the base image of the guide."""
    directory.mkdir()
    [recipe] = re.findall(r"```dockerfile\n(.*?)```", GUIDE, re.DOTALL)
    (directory / "Dockerfile").write_text(recipe.replace("debian:13", "breakwater-host:debian13") + TEST_BED)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", directory)
    container_host.run("docker", "build", "--quiet", "--tag", BASE, str(directory), timeout=300)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    work = tmp_path_factory.mktemp("environment")
    build_base(work / "base")
    definition = yaml.safe_load((ROOT / "examples/execution-environment.yml").read_text())
    assert definition["dependencies"]["galaxy"] == {"collections": [{"name": "breakwater.docker"}]}
    archives = build_collections(work)
    named = [{"name": f"built/{archive.name}", "type": "file"} for archive in archives]
    definition["dependencies"]["galaxy"] = {"collections": named}
    definition["additional_build_files"] = [{"src": str(archive), "dest": "built"} for archive in archives]
    (work / "environment.yml").write_text(yaml.safe_dump(definition))
    arguments = [
        f"--build-arg={given.replace('=BASE', f'={BASE}')}" for given in re.findall("--build-arg (.*?)[ \n]", GUIDE)
    ]
    arguments.append("--build-arg=ANSIBLE_GALAXY_CLI_COLLECTION_OPTS=--offline")
    where = ["--file", str(work / "environment.yml"), "--context", str(work / "context"), "--tag", NAME]
    container_host.run("ansible-builder", "build", "--container-runtime", "docker", *where, *arguments, timeout=500)
    yield NAME
    container_host.run("docker", "image", "rm", NAME)
    # what the stages of the build have left behind; the base stays for the next time
    container_host.run("docker", "image", "prune", "--force", "--filter", "label=breakwater.environment=test")


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    """A host with an engine, ssh, the image of a registry and a privileged container."""
    with container_host.started(NAME) as started:
        started.run(REGISTRY_IMAGE, timeout=240)
        started.run("apt-get install -qq -y --no-install-recommends openssh-server python3-requests", timeout=240)
        started.run("docker load --quiet --input /usr/share/breakwater/busybox.tar")
        started.run("docker run --detach --name bad --privileged busybox:local sleep 100000")
        yield started


class Site(NamedTuple):
    """A directory of the controller, and the address of the host that its inventory has."""

    directory: Path
    address: str

    def play(self, image: str, playbook: str, **variables: object) -> None:
        """Run a playbook of the collection in the execution environment."""
        used = ["docker", "run", "--rm", f"--volume={self.directory}:/site", *SETTINGS, image]
        command = ["ansible-playbook", f"breakwater.docker.{playbook}", "-i", "/site/inventory", "-e"]
        container_host.run(*used, *command, json.dumps(variables), timeout=180)


@pytest.fixture(scope="module")
def site(host: ContainerHost, tmp_path_factory: pytest.TempPathFactory) -> Site:
    directory = tmp_path_factory.mktemp("site")
    key = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    host.run(f"mkdir -p /root/.ssh && echo '{key.with_suffix('.pub').read_text()}' >/root/.ssh/authorized_keys")
    host.run("systemctl start ssh")
    address = host.run("hostname --ip-address").split()[0]
    (directory / "inventory").write_text(
        f"[registry]\n{address} ansible_user=root ansible_ssh_private_key_file=/site/key\n"
    )
    for path in (directory, key):
        os.chown(path, USER, 0)
    return Site(directory, address)


def test_documentation_is_told(image: str) -> None:
    told = container_host.run(
        "docker", "run", "--rm", image, "ansible-doc", "--type", "role", "breakwater.docker.docker_tls"
    )
    assert "docker_tls_ca_passphrase" in told


def test_registry_is_set_up_with_the_collections_that_ours_needs(image: str, host: ContainerHost, site: Site) -> None:
    site.play(
        image,
        "registry",
        docker_registry_kind="container",
        docker_registry_image="registry:local",
        docker_registry_image_pull="never",
        docker_registry_gc_schedule="",
        docker_registry_client_certificates="required",
        docker_registry_ca_dir="/site/ca",
        docker_registry_ca_passphrase="battery-staple-horse-correct",
        docker_registry_client_ca_dir="/site/ca",
        docker_registry_client_ca_passphrase="battery-staple-horse-correct",
        docker_registry_client_registries=[{"address": f"{site.address}:5000", "client_certificate": True}],
    )
    name = f"{site.address}:5000/team/app:1"
    host.run(f"docker tag busybox:local {name}; docker push {name}")
    assert host.run("docker ps --quiet --filter name=^docker-registry$")


def test_host_is_audited_by_ssh(image: str, host: ContainerHost, site: Site) -> None:
    site.play(image, "compliance", docker_compliance_report_dir="/site/reports")
    [report] = json.loads((site.directory / "reports/report.json").read_text())["hosts"]
    assert report["assessed"], report["reason"]
    assert report["summary"]["error"] == 0
    verdicts = {(item["control"], item["object"]["name"]): item["status"] for item in report["findings"]}
    assert verdicts["container_not_privileged", "bad"] == "fail"
