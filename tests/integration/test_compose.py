# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The audit of a compose file says of a service what the audit of a host says of its container.

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration.container_host import ROOT, ContainerHost, run, started

NAME = "breakwater-compose"
COMPOSE = Path(__file__).with_name("compose.yaml")
#: Decided on a host only: by the image that is there, the process that runs, and the security module that is missing.
DIFFERENT = {"container_image_current", "container_no_ssh_server", "container_kernel_agrees"}


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with started(NAME) as machine:
        machine.run("apt-get -qq update && apt-get -qq -y --no-install-recommends install docker-compose", timeout=300)
        machine.run("docker load -qi /usr/share/breakwater/busybox.tar")
        yield machine


def module(name: str, host: str, **arguments: Any) -> dict[str, Any]:
    """Run a module and return its result, whether it failed or not."""
    done = subprocess.run(
        ["ansible", host, "-i", f"{host},", "-m", f"breakwater.docker.{name}", "-a", json.dumps(arguments)]
        + (["-c", "local"] if host == "localhost" else ["-c", "community.docker.docker"]),
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "=> {" in done.stdout, done.stdout + done.stderr
    return {**json.loads(done.stdout.partition("=> ")[2]), "failed": done.returncode != 0}


def of_file(path: Path, **options: Any) -> dict[str, Any]:
    return module("docker_compose_audit_info", "localhost", path=str(path), profile="strict", **options)


def of_host() -> dict[tuple[str, str], str]:
    """Return the statuses of the started containers and networks, by service and control."""
    told = module("docker_compliance_info", NAME, profile="strict", controls=["container", "network"])
    assert told["assessed"], told["reason"]
    return {(_service(item["object"]["name"]), item["control"]): item["status"] for item in told["findings"]}


def _service(name: str) -> str:
    return name.removeprefix("shop-").removesuffix("-1")


def start(host: ContainerHost, *files: Path) -> None:
    for file in files:
        run("docker", "cp", "-q", str(file), f"{NAME}:/root/{file.name}")
    named = " ".join(f"-f /root/{file.name}" for file in files)
    host.run(f"docker-compose {named} up -d --remove-orphans", timeout=120)


def test_file_and_containers_have_the_same_findings(host: ContainerHost) -> None:
    start(host, COMPOSE)
    on_host = of_host()
    told = of_file(COMPOSE)
    in_file = {(item["object"]["name"], item["control"]): item["status"] for item in told["findings"]}
    names = {"bad", "plain", "writer", "good", "shop_default", "shop_front"}
    decided = {
        key: status
        for key, status in on_host.items()
        if key[0] in names and status in ("pass", "fail") and key[1] not in DIFFERENT
    }
    assert len(decided) > 120
    undecided = {key for key, status in in_file.items() if status == "error"}
    assert undecided == {("bad", "container_health_check")}
    assert {key for key, status in decided.items() if status == "fail"} - undecided == {
        key for key, status in in_file.items() if status == "fail" and on_host.get(key) != "not_applicable"
    }
    assert {control for name, control in in_file if name == "good"} == set()
    assert len({control for name, control in in_file if name == "bad"}) > 15
    assert "hunter2" not in json.dumps(told)


def test_suggested_lines_mend_the_containers(host: ContainerHost, tmp_path: Path) -> None:
    simple = tmp_path / "simple.yaml"
    service = {"image": "busybox:local", "command": "sleep 1000000", "cgroup": "private"}
    service["healthcheck"] = {"test": ["CMD", "true"]}
    simple.write_text(yaml.safe_dump({"name": "shop", "services": {"web": service}}))
    override = tmp_path / "override.yaml"
    override.write_text(of_file(simple)["override"])
    start(host, simple, override)
    assert {key for key, status in of_host().items() if key[0] == "web" and status in ("fail", "error")} == set()
    host.run("docker exec shop-web-1 touch /tmp/x")


def test_grave_findings_fail_the_task() -> None:
    told = of_file(COMPOSE, fail_on="critical")
    assert told["failed"]
    assert "bad: container_not_privileged" in told["msg"]
    assert "good" not in told["msg"]
    assert not of_file(COMPOSE, fail_on="critical", controls=["container_read_only"])["failed"]


def test_guide_can_be_followed_with_a_playbook_that_is_started_from_elsewhere(tmp_path: Path) -> None:
    """Its compose file is found beside the playbook, where the file that hardens it is written."""
    guide = (ROOT / "docs/compose.md").read_text(encoding="utf-8")
    play, write = re.findall(r"^```yaml\n(.*?)^```", guide, re.MULTILINE | re.DOTALL)
    playbook = tmp_path / "site/gate.yml"
    (tmp_path / "site/files").mkdir(parents=True)
    (tmp_path / "site/files/compose.yaml").write_text("services: {web: {image: web}}\n", encoding="utf-8")
    playbook.write_text(
        play.replace("fail_on: high", "fail_on: none\n      register: audited") + write, encoding="utf-8"
    )
    done = subprocess.run(
        ["ansible-playbook", str(playbook)],
        cwd=tmp_path,
        # the test is not in the directory of the ansible.cfg that finds the collection
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    hardened = yaml.safe_load((tmp_path / "site/files/compose.hardened.yaml").read_text(encoding="utf-8"))
    assert hardened["services"]["web"]["read_only"] is True
