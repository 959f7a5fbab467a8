# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Which packages the roles install where, by what a host says it is.

from __future__ import annotations

import json
import subprocess
from pathlib import Path

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


@pytest.mark.parametrize("role", ["docker_engine", "docker_engine_rootless"])
def test_client_is_installed_where_it_is_a_package_of_its_own(tmp_path: Path, role: str) -> None:
    told = {
        name: {f"__{role}_host": {"distribution": distribution, "distribution_version": version}}
        for name, (distribution, version, _own) in HOSTS.items()
    }
    inventory = tmp_path / "hosts.json"
    inventory.write_text(json.dumps({"all": {"hosts": told}}))
    shown = "{{ inventory_hostname }} installs {{ " + f"__{role}_packages" + " }}"
    command = ["ansible", "-i", str(inventory), "all", "-m", "ansible.builtin.debug", "-a", json.dumps({"msg": shown})]
    done = subprocess.run(
        [*command, "-e", f"@{ROLES}/{role}/vars/main.yml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if " installs " in line]
    found = {name: "docker-cli" in line for name in HOSTS for line in lines if f"{name} installs" in line}
    assert found == {name: own for name, (_distribution, _version, own) in HOSTS.items()}
