# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# An engine that somebody has stopped, whose socket is still systemd's: whatever connects to it would start the engine,
# and with it the containers that restart always.

from __future__ import annotations

from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration.container_host import ContainerHost, playbook, started

NAME = "breakwater-stopped"
STOPPED = "docker.service is stopped, and docker.socket would start it"
CONTAINER = {"name": "web", "owner": "shop", "image": "busybox:local", "health": {"test": ["CMD", "true"]}}
ROLES = ("engine", "workload", "scan", "registry", "firewall", "apparmor", "seccomp", "image_trust", "probe")


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with started(NAME) as machine:
        machine.run("docker load -qi /usr/share/breakwater/busybox.tar")
        machine.run("docker run -d --name always --restart always busybox:local sleep 1000000")
        machine.run("systemctl stop docker.service && systemctl is-active docker.socket")
        yield machine


def run(host: ContainerHost, path: Path, *roles: str, check: bool, **others: str) -> str:
    """Run roles, each whatever becomes of the one before it."""
    blocks = [
        {
            "block": [{"ansible.builtin.include_role": {"name": f"breakwater.docker.docker_{role}"}}],
            "rescue": [{"ansible.builtin.debug": {"msg": f"{role} failed"}}],
        }
        for role in roles
    ]
    variables: dict[str, Any] = {
        "docker_image_rebuild_images": [{"name": "web:1", "path": "/srv/web", "base": "busybox:local"}],
        "docker_workload_containers": [CONTAINER],
        "docker_image_trust_policy": [{"repository": "*", "action": "reject"}],
        "docker_registry_users": [{"name": "ci", "password": "correct-horse-battery"}],
        "docker_registry_ca_passphrase": "correct-horse-battery",
        "docker_registry_ca_dir": str(path / "ca"),
        "docker_scan_report_dir": str(path),
        "docker_probe_report_dir": str(path),
        "docker_seccomp_profiles": [{"name": "web", "base": "web"}],
    }
    variables.update(others)
    play = {"hosts": "all", "gather_facts": True, "vars": variables, "tasks": blocks}
    (path / "site.yml").write_text(yaml.safe_dump([play]))
    said = playbook(str(path / "site.yml"), host.name, *(["--check"] if check else []), timeout=300)
    assert host.run("systemctl is-active docker.service || true").strip() == "inactive"
    return said


def test_check_mode_does_not_start_it(host: ContainerHost, tmp_path: Path) -> None:
    said = run(host, tmp_path, *ROLES, check=True)
    assert "scan failed" in said
    for role in set(ROLES) - {"scan"}:
        assert f"{role} failed" not in said, said
    assert f"{STOPPED}: start it yourself. What is predicted holds for an engine without containers." in said


def test_what_needs_an_engine_is_refused(host: ContainerHost, tmp_path: Path) -> None:
    for role in ("workload", "firewall", "seccomp"):
        said = run(host, tmp_path, role, check=False)
        assert f"{role} failed" in said
        assert STOPPED in said


def test_modules_of_others_are_kept_from_it(host: ContainerHost, tmp_path: Path) -> None:
    kind = {"docker_registry_kind": "container", "docker_registry_image": "registry:2"}
    for role in ("registry", "image_rebuild"):
        said = run(host, tmp_path, role, check=True, **kind)
        assert f"{role} failed" in said
        assert STOPPED in said


def test_role_that_runs_the_engine_starts_it(host: ContainerHost, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="'active' == 'inactive'"):
        run(host, tmp_path, "engine", check=False)
    host.wait_for("docker exec always true")
