# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Which packages the roles install where, by what a host says it is, and which units they leave alone.

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROLES = Path(__file__).parents[2] / "roles"
#: Distribution, version and whether the client is a package of its own, by the inventory's names. Debian's testing and
#: unstable, which come after 13, have no version.
HOSTS = {
    "bookworm": ("debian", "12", False),
    "trixie": ("debian", "13", True),
    "testing": ("debian", "", True),
    "noble": ("ubuntu", "24.04", False),
}


def rendered(directory: Path, role: str, expression: str, hosts: dict[str, Any]) -> dict[str, str]:
    """Return by host what Ansible makes of an expression with the role's variables and the hosts' own."""
    inventory = directory / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    shown = json.dumps({"msg": "{{ inventory_hostname }} has {{ " + expression + " }}"})
    command = ["ansible", "-i", str(inventory), "all", "-m", "ansible.builtin.debug", "-a", shown]
    variables = ["-e", f"@{ROLES}/{role}/defaults/main.yml", "-e", f"@{ROLES}/{role}/vars/main.yml"]
    done = subprocess.run([*command, *variables], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if " has " in line]
    return {name: line for name in hosts for line in lines if f'"{name} has ' in line}


@pytest.mark.parametrize("role", ["docker_engine", "docker_engine_rootless"])
def test_client_is_installed_where_it_is_a_package_of_its_own(tmp_path: Path, role: str) -> None:
    hosts = {
        name: {f"__{role}_host": {"distribution": distribution, "distribution_version": version}}
        for name, (distribution, version, _own) in HOSTS.items()
    }
    found = rendered(tmp_path, role, f"__{role}_packages", hosts)
    assert {name: "docker-cli" in line for name, line in found.items()} == {
        name: own for name, (_distribution, _version, own) in HOSTS.items()
    }


def test_avahi_stays_where_the_controller_finds_the_host_by_it(tmp_path: Path) -> None:
    hosts = {"pi.local": {}, "shop": {"ansible_host": "shop.local"}, "local": {}, "web.example.org": {}}
    found = rendered(tmp_path, "docker_host", "__docker_host_units_reached", hosts)
    kept = {name: "avahi-daemon.service" in line for name, line in found.items()}
    assert kept == {"pi.local": True, "shop": True, "local": False, "web.example.org": False}


def test_rootless_engine_of_the_rhel_family_is_dockers_own(tmp_path: Path) -> None:
    told = {
        "alma": {"distribution": "almalinux", "distribution_version": "9.4", "package_manager": "dnf"},
        "debian": {"distribution": "debian", "distribution_version": "13", "package_manager": "apt"},
    }
    hosts = {name: {"__docker_engine_rootless_host": state} for name, state in told.items()}
    found = rendered(tmp_path, "docker_engine_rootless", "__docker_engine_rootless_packages", hosts)
    assert {name: "docker-ce-rootless-extras" in line for name, line in found.items()} == {
        "alma": True,
        "debian": False,
    }
    assert {name: "docker.io" in line for name, line in found.items()} == {"alma": False, "debian": True}


def test_security_guides_are_the_distributions(tmp_path: Path) -> None:
    guides = {
        "debian": ("debian", "apt", "ssg-debian"),
        "ubuntu": ("ubuntu", "apt", "ssg-debderived"),
        "alma": ("almalinux", "dnf", "scap-security-guide"),
    }
    hosts = {
        name: {"__docker_scan_host_state": {"distribution": distribution, "package_manager": manager}}
        for name, (distribution, manager, _guide) in guides.items()
    }
    found = rendered(tmp_path, "docker_scan", "__docker_scan_packages", hosts)
    for name, (_distribution, _manager, guide) in guides.items():
        assert f"'{guide}'" in found[name], found[name]
