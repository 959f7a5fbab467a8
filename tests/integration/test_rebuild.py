# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The playbook breakwater.docker.rebuild_images: a candidate with a flaw changes nothing, one without is rolled out.

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import check_mode
from ansible_collections.breakwater.docker.tests.integration.container_host import (
    ROOT,
    ContainerHost,
    playbook,
    started,
)

NAME = "breakwater-rebuild"
IMAGE = {"name": "app:1", "path": "/root/app", "base": "base:1"}
#: The engine lists it as acme/shop:1.
SPELT = {**IMAGE, "name": "docker.io/acme/shop:1"}
DEFINITIONS = ROOT / "tests/integration/scan_content/oval.xml"
SIGN = """
- name: Sign
  ansible.builtin.shell: "docker image inspect -f {{ '{{.Id}}' }} {{ docker_image_rebuild_image.name }} >>/root/signed"
  changed_when: true
"""
ROLL = """
- name: Tell that this host's turn has come
  ansible.builtin.lineinfile:
    path: /root/rolled
    line: "{{ inventory_hostname }}"
    create: true
    mode: "0600"

- name: Replace
  community.docker.docker_container:
    name: app
    image: app:1
    command: [sleep, "100000"]
    init: true

- name: Ask the service
  ansible.builtin.command: test ! -e /root/broken
  changed_when: false
"""
PREPARE = r"""
docker load --quiet --input /usr/share/breakwater/busybox.tar
mkdir -p /root/base /root/app && cd /root/base
sed '/^Package: bash$/,/^$/d' /var/lib/dpkg/status >patched
cp /etc/os-release /var/lib/dpkg/status .
printf 'FROM busybox:local\nCOPY os-release /etc/os-release\nCOPY status /var/lib/dpkg/status\n' >Dockerfile
printf 'FROM busybox:local\nCOPY os-release /etc/os-release\nCOPY patched /var/lib/dpkg/status\n' >Dockerfile.patched
printf 'FROM base:1\nRUN date +%%N >/built\nUSER 1000\n' >/root/app/Dockerfile
export DOCKER_BUILDKIT=0
docker build --quiet --tag base:1 .
docker build --quiet --label org.opencontainers.image.base.name=base:1 --tag app:1 /root/app
docker run --detach --init --name app app:1 sleep 100000
"""


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    subprocess.run(["docker", "rm", "-fv", NAME], capture_output=True, check=False)
    with started(NAME) as made:
        made.run(PREPARE, timeout=240)
        yield made


def play(name: str, inventory: str = NAME, *arguments: str, code: int = 0, **given: Any) -> str:
    return playbook(name, inventory, *arguments, "-e", json.dumps(given), timeout=600, code=code)


def rebuild(directory: Path, *arguments: str, code: int = 0, **given: Any) -> str:
    """Run the playbook over two hosts, which are one."""
    inventory = directory / "inventory"
    inventory.write_text(f"first ansible_host={NAME}\nsecond ansible_host={NAME}\n")
    (directory / "sign.yml").write_text(SIGN)
    (directory / "roll.yml").write_text(ROLL)
    return play(
        "breakwater.docker.rebuild_images",
        str(inventory),
        *arguments,
        code=code,
        docker_build_host="first",
        docker_scan_definitions=[os.path.relpath(DEFINITIONS, ROOT)],
        docker_image_rebuild_pull=False,
        # as a user names them: from where Ansible is started
        docker_image_rebuild_sign_tasks=os.path.relpath(directory / "sign.yml", ROOT),
        docker_image_rebuild_roll_tasks=os.path.relpath(directory / "roll.yml", ROOT),
        docker_image_rebuild_report_dir=str(directory / "reports"),
        **{"docker_image_rebuild_images": [IMAGE], **given},
    )


def on_current_base(directory: Path) -> str:
    chosen = {"docker_compliance_controls": ["image_on_current_base"]}
    play("breakwater.docker.compliance", docker_compliance_report_dir=str(directory / "audit"), **chosen)
    (report,) = json.loads((directory / "audit/report.json").read_text())["hosts"]
    return {found["object"]["name"]: found["status"] for found in report["findings"]}["app:1"]


def state(host: ContainerHost) -> tuple[str, str]:
    """Return the ids of the image in its name and of the container's image and process."""
    image = host.run("docker image inspect -f '{{.Id}}' app:1").strip()
    return image, host.run("docker inspect -f '{{.Image}} {{.State.Pid}}' app").strip()


def test_check_mode_says_what_then_changes(host: ContainerHost, tmp_path: Path) -> None:
    def converge(*options: str) -> None:
        before = state(host)
        rebuild(tmp_path, *options, docker_image_rebuild_fail_on="none")
        assert (state(host) == before) == ("--check" in options)

    assert check_mode.tried(converge, tmp_path / "changes") == []
    host.run("rm /root/signed /root/rolled")
    pins = {"docker_image_rebuild_push": True, "docker_image_rebuild_pins": str(tmp_path / "pins.yml")}
    said = rebuild(tmp_path, "--check", **pins)
    assert "The image app:1 would be pushed." in said
    assert "The role docker_workload would verify the images" in said
    assert not (tmp_path / "pins.yml").exists()


def test_a_candidate_with_a_flaw_changes_nothing(host: ContainerHost, tmp_path: Path) -> None:
    before = state(host)
    assert on_current_base(tmp_path) == "pass"
    rebuild(tmp_path, "--check")
    assert state(host) == before
    said = rebuild(tmp_path, code=2)
    assert "findings of severity critical or worse" in said
    assert state(host) == before
    host.run("test ! -e /root/signed")


def test_another_spelling_of_its_name_hides_no_flaw(host: ContainerHost, tmp_path: Path) -> None:
    said = rebuild(tmp_path, code=2, docker_image_rebuild_images=[SPELT])
    assert "findings of severity critical or worse" in said
    assert "CVE-2026-0001" in (tmp_path / "reports/report.json").read_text()
    assert host.run("docker images --quiet acme/shop:1") == ""


def test_a_name_without_a_tag_is_refused_before_anything_is_built(host: ContainerHost, tmp_path: Path) -> None:
    said = rebuild(tmp_path, code=2, docker_image_rebuild_images=[{**IMAGE, "name": "untagged"}])
    assert "Name images by a tag, as web:1, and by no digest: untagged." in " ".join(said.split())
    assert host.run("docker images --quiet untagged-candidate") == ""


@pytest.mark.parametrize("given", [{"docker_scan_images": ["other:*"]}, {"docker_scan_unused_images": False}])
def test_no_variable_of_the_command_line_leaves_the_candidate_out(
    host: ContainerHost, tmp_path: Path, given: dict[str, Any]
) -> None:
    before = state(host)
    assert "Not all candidates were scanned" in rebuild(tmp_path, code=2, **given)
    assert state(host) == before


def test_an_image_on_a_patched_base_is_rolled_out(host: ContainerHost, tmp_path: Path) -> None:
    host.run("cd /root/base && DOCKER_BUILDKIT=0 docker build --quiet --file Dockerfile.patched --tag base:1 .")
    assert on_current_base(tmp_path) == "fail"
    before = state(host)
    rebuild(tmp_path, docker_image_rebuild_images=[IMAGE, SPELT])
    image, container = state(host)
    assert image != before[0]
    assert container.split()[0] == image
    spelt = host.run("docker image inspect -f '{{.Id}}' acme/shop:1").strip()
    assert host.run("cat /root/signed").split() == [image, spelt]
    assert host.run("cat /root/rolled").split() == ["first", "second"]
    assert "-candidate" not in host.run("docker images --format '{{.Repository}}:{{.Tag}}'")
    assert on_current_base(tmp_path) == "pass"
    report = (tmp_path / "reports/report.json").read_text()
    assert "CVE-2026-0001" not in report
    assert "app:1-candidate" in report


def test_a_host_that_is_not_well_ends_the_run_before_the_next_one(host: ContainerHost, tmp_path: Path) -> None:
    host.run("rm /root/rolled; touch /root/broken")
    rebuild(tmp_path, code=2)
    assert host.run("cat /root/rolled").split() == ["first"]
