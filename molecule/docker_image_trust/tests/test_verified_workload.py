# What signatures decide of containers: docker_workload starts what is signed and nothing else, and images that are
# built anew replace the running ones once they are signed.

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_image_trust import BUSY, DIRECTORY, PLACE, REGISTRY, ansible, host, module

NAME = f"{PLACE}/app/shop:1"
DEFINITIONS = Path(__file__).parents[3] / "tests/integration/scan_content/oval.xml"
PLAYBOOK = "- {hosts: all, gather_facts: false, roles: [breakwater.docker.docker_workload]}"
SIGN = """
- name: Sign the image by its digest
  ansible.builtin.shell: |
    name={{ docker_image_rebuild_image.name }}
    sign release "$(docker image inspect -f {% raw %}'{{ index .RepoDigests 0 }}'{% endraw %} "$name")"
  changed_when: true
"""
PREPARE = """
mkdir -p /root/shop && cd /root/shop
sed '/^Package: bash$/,/^$/d' /var/lib/dpkg/status >status
cp /etc/os-release os-release
printf 'FROM busybox:local\\nCOPY os-release /etc/os-release\\nCOPY status /var/lib/dpkg/status\\n' >Dockerfile
printf 'RUN date +%%N >/built\\nUSER 1000\\n' >>Dockerfile
"""


def container(name: str, image: str) -> dict[str, Any]:
    sleeping = {"command": ["sleep", "100000"], "health": {"test": ["CMD", "true"], "interval": 2}, "stop_timeout": 1}
    return {"name": name, "owner": "shop", "image": image, **sleeping}


def workload(tmp_path: Path, *containers: dict[str, Any], **variables: Any) -> str:
    """Run the role on the busy host; return what it says."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(PLAYBOOK)
    given = {"docker_workload_containers": containers, "docker_workload_profile": "strict", **variables}
    done = ansible("ansible-playbook", str(playbook), "--limit", BUSY, **given)
    return done.stdout + done.stderr


def pinned(name: str) -> str:
    """Return the name by digest of an image that this registry's host has pushed."""
    return host(REGISTRY).check_output(f"docker image inspect -f '{{{{index .RepoDigests 0}}}}' {PLACE}/{name}")


def containers() -> str:
    return host(BUSY).check_output("docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' | sort")


def running(name: str) -> str:
    """Return by which name and as which process a container runs."""
    return host(BUSY).check_output(f"docker inspect -f '{{{{.Config.Image}}}} {{{{.State.Pid}}}}' {name}")


class TestStrict:
    def test_signed_image_starts_by_its_digest(self, tmp_path: Path) -> None:
        signed = container("web", pinned("app/signed:1"))
        assert "failed=0" in workload(tmp_path, signed)
        assert running("web").startswith(signed["image"])
        assert "changed=0" in workload(tmp_path, signed)
        assert "changed=1" in workload(tmp_path, docker_workload_absent=["web"])

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("app/unsigned:1", "It has no signature."),
            ("app/others:1", "none by release that holds"),
            ("production/test:1", "lack the annotations env=production"),
            ("rejected/web:1", "The policy rejects"),
        ],
    )
    def test_others_are_refused_and_nothing_starts(self, tmp_path: Path, name: str, reason: str) -> None:
        before = containers()
        said = workload(tmp_path, container("web", pinned("app/signed:1")), container("db", pinned(name)))
        assert "failed=1" in said
        assert "Not verified" in said
        assert reason in said
        assert containers() == before

    def test_image_of_this_host_needs_a_reason(self, tmp_path: Path) -> None:
        before = containers()
        local = container("web", host(BUSY).check_output("docker image inspect -f '{{.Id}}' busybox:local"))
        said = workload(tmp_path, local)
        assert "image_signature_verified" in said
        assert containers() == before
        said = workload(tmp_path, {**local, "reasons": {"image_signature_verified": "It is built here."}})
        assert "web: image_signature_verified, since: It is built here." in " ".join(said.split())
        assert "changed=1" in workload(tmp_path, docker_workload_absent=["web"])

    def test_hardening_puts_the_policy_right(self) -> None:
        areas = {"docker_hardening_areas": ["image_trust"]}
        harden = ("ansible-playbook", "breakwater.docker.harden", "--limit", BUSY)
        assert "failed=0" in ansible(*harden, **areas).stdout
        release = host(BUSY).check_output(f"cat {DIRECTORY}/keys/release")
        module("docker_image_policy", policy=[{"repository": "*", "action": "accept"}], keys={"unused": release})
        assert "failed=0" in ansible(*harden, **areas).stdout
        policy = json.loads(host(BUSY).check_output(f"cat {DIRECTORY}/policy.json"))["policy"]
        assert "*" not in {entry["repository"] for entry in policy}
        assert len(policy) > 5
        assert "changed=0" in ansible(*harden, **areas).stdout


class TestRebuild:
    def rebuild(self, tmp_path: Path, signed: bool = True) -> subprocess.CompletedProcess[str]:
        sign = tmp_path / "sign.yml"
        sign.write_text(SIGN)
        return ansible(
            *("ansible-playbook", "breakwater.docker.rebuild_images"),
            docker_build_host=REGISTRY,
            docker_hosts=BUSY,
            docker_scan_definitions=[str(DEFINITIONS)],
            docker_image_rebuild_images=[{"name": NAME, "path": "/root/shop", "base": "busybox:local"}],
            docker_image_rebuild_pull=False,
            docker_image_rebuild_push=True,
            docker_image_rebuild_sign_tasks=str(sign) if signed else "",
            docker_image_rebuild_report_dir=str(tmp_path / "reports"),
            docker_image_rebuild_pins=str(tmp_path / "pins.yml"),
            docker_workload_profile="strict",
            docker_workload_containers=[container("shop", f"{{{{ docker_image_pins['{NAME}'] }}}}")],
        )

    def test_signed_images_replace_the_running_ones(self, tmp_path: Path) -> None:
        host(REGISTRY).check_output(PREPARE)
        pins = tmp_path / "pins.yml"
        pins.write_text(yaml.safe_dump({"docker_image_pins": {"other:1": "other@sha256:1"}}))
        seen = []
        for _time in range(2):
            done = self.rebuild(tmp_path)
            assert done.returncode == 0, done.stdout + done.stderr
            kept = yaml.safe_load(pins.read_text())["docker_image_pins"]
            assert kept["other:1"] == "other@sha256:1"
            assert kept[NAME].startswith(f"{PLACE}/app/shop@sha256:")
            image, process = running("shop").split()
            assert image == kept[NAME]
            seen.append((image, process))
        assert seen[0][0] != seen[1][0]
        assert seen[0][1] != seen[1][1]
        record = json.loads(host(BUSY).check_output("cat /var/lib/breakwater/verified-images.json"))
        assert {image for image, _process in seen} <= {item["image"] for item in record["images"]}

        done = self.rebuild(tmp_path, signed=False)
        assert done.returncode != 0
        assert "It has no signature." in done.stdout + done.stderr
        assert tuple(running("shop").split()) == seen[1]
        assert yaml.safe_load(pins.read_text())["docker_image_pins"][NAME] != seen[1][0]
