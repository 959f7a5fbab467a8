# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The execution environment of examples/, built, and used from there on a host by ssh. Its base image is Debian's, since
# none can be pulled, and the collection comes from this checkout and not from Galaxy, without those that it depends on.

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Iterator

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
#: Who runs in an execution environment.
USER = 1000


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
    container_host.run("ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(work))
    [tarball] = work.glob("breakwater-docker-*.tar.gz")
    definition = yaml.safe_load((ROOT / "examples/execution-environment.yml").read_text())
    assert definition["dependencies"]["galaxy"] == {"collections": [{"name": "breakwater.docker"}]}
    definition["dependencies"]["galaxy"] = {"collections": [{"name": f"built/{tarball.name}", "type": "file"}]}
    definition["additional_build_files"] = [{"src": str(tarball), "dest": "built"}]
    (work / "environment.yml").write_text(yaml.safe_dump(definition))
    arguments = [
        f"--build-arg={given.replace('=BASE', f'={BASE}')}" for given in re.findall("--build-arg (.*?)[ \n]", GUIDE)
    ]
    arguments.append("--build-arg=ANSIBLE_GALAXY_CLI_COLLECTION_OPTS=--no-deps")
    where = ["--file", str(work / "environment.yml"), "--context", str(work / "context"), "--tag", NAME]
    container_host.run("ansible-builder", "build", "--container-runtime", "docker", *where, *arguments, timeout=500)
    yield NAME
    container_host.run("docker", "image", "rm", NAME)
    # what the stages of the build have left behind; the base stays for the next time
    container_host.run("docker", "image", "prune", "--force", "--filter", "label=breakwater.environment=test")


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    """A host with an engine, ssh and a privileged container."""
    with container_host.started(NAME) as started:
        started.run("apt-get update -qq && apt-get install -qq -y --no-install-recommends openssh-server", timeout=240)
        started.run("docker load --quiet --input /usr/share/breakwater/busybox.tar")
        started.run("docker run --detach --name bad --privileged busybox:local sleep 100000")
        yield started


def test_documentation_is_told(image: str) -> None:
    told = container_host.run(
        "docker", "run", "--rm", image, "ansible-doc", "--type", "role", "breakwater.docker.docker_tls"
    )
    assert "docker_tls_ca_passphrase" in told


def test_host_is_audited_by_ssh(image: str, host: ContainerHost, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True)
    host.run(f"mkdir -p /root/.ssh && echo '{(tmp_path / 'key.pub').read_text()}' >/root/.ssh/authorized_keys")
    host.run("systemctl start ssh")
    address = host.run("hostname --ip-address").split()[0]
    (tmp_path / "inventory").write_text(f"{address} ansible_user=root ansible_ssh_private_key_file=/site/key\n")
    for path in (tmp_path, tmp_path / "key"):
        os.chown(path, USER, 0)
    used = ["docker", "run", "--rm", "--volume", f"{tmp_path}:/site", "--env", "ANSIBLE_HOST_KEY_CHECKING=false", image]
    variables = "docker_compliance_report_dir=/site/reports"
    playbook = ["ansible-playbook", "breakwater.docker.compliance", "-i", "/site/inventory", "-e", variables]
    container_host.run(*used, *playbook, timeout=180)
    [report] = json.loads((tmp_path / "reports/report.json").read_text())["hosts"]
    assert report["assessed"], report["reason"]
    assert report["summary"]["error"] == 0
    verdicts = {(item["control"], item["object"]["name"]): item["status"] for item in report["findings"]}
    assert verdicts["container_not_privileged", "bad"] == "fail"
