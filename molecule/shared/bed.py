# The scenario's container hosts, for its testinfra tests: `testinfra_hosts = bed.hosts("group")`; playbooks for them.
# Docker's own connection answers ten times as fast as testinfra's Ansible one.

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

#: For linking a policy and booting under emulation.
PLAY_SECONDS = 1200


def names(group: str = "all") -> list[str]:
    """Return the names of the platforms in `group` of the scenario that Molecule is verifying."""
    scenario = yaml.safe_load(Path(os.environ["MOLECULE_FILE"]).read_text(encoding="utf-8"))
    return [platform["name"] for platform in scenario["platforms"] if group in ("all", *platform.get("groups", []))]


def hosts(group: str = "all") -> list[str]:
    """Return testinfra's addresses of the platforms in `group`."""
    return [address(name) for name in names(group)]


def address(name: str) -> str:
    """Return testinfra's address of a platform: docker://... of a container host, ssh://... of a virtual machine."""
    connections = yaml.safe_load(Path(os.environ["MOLECULE_INSTANCE_CONFIG"]).read_text(encoding="utf-8"))
    [connection] = [connection for connection in connections if connection["instance"] == name]
    if connection["connection"] != "ssh":
        return f"docker://{name}"
    return f"ssh://{name}?ssh_config={Path(connection['identity_file']).parent / name / 'ssh_config'}&timeout=60"


def wait_for_registry(machine: Any) -> None:
    """Wait at most 30 seconds until the machine's registry answers: systemd calls it started before it listens."""
    machine.check_output("for i in $(seq 150); do curl -sk https://127.0.0.1:5000/v2/ && exit; sleep 0.2; done; exit 1")


def play(playbook: str, *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    """Run a playbook against the scenario's hosts, with the most verbose log; RuntimeError when it fails."""
    command = ["ansible-playbook", playbook, "-i", os.environ["MOLECULE_INVENTORY_FILE"], "-vvv"]
    done = subprocess.run(
        [*command, "-e", json.dumps(variables), *arguments],
        capture_output=True,
        text=True,
        timeout=PLAY_SECONDS,
        check=False,
        env={**os.environ, "ANSIBLE_FORCE_COLOR": "0"},
    )
    if done.returncode:
        raise RuntimeError(done.stdout[-5000:] + done.stderr[-2000:])
    return done
