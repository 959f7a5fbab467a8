from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from workload_hosts import BUSY, VARIABLES, ansible

PLAYBOOK = f"""
- hosts: all
  gather_facts: false
  vars_files: [{VARIABLES}]
  roles: [breakwater.docker.docker_workload]
"""


@pytest.fixture
def play(tmp_path: Path) -> Any:
    """Run the role on the busy host; return what it says."""

    def run(*arguments: str, **variables: Any) -> str:
        playbook = tmp_path / "play.yml"
        playbook.write_text(PLAYBOOK)
        named = {f"docker_workload_{name}": value for name, value in variables.items()}
        done = ansible("ansible-playbook", str(playbook), "--limit", BUSY, *arguments, **named)
        return " ".join((done.stdout + done.stderr).split())

    return run
