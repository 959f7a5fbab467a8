# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Runs of Ansible against container hosts that may fail, be killed or overlap.

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from ansible_collections.breakwater.docker.tests.integration.container_host import ROOT


def start(*command: str, **environment: str) -> subprocess.Popen[str]:
    """Start a command of Ansible for container hosts; what it says comes as text without colours."""
    return subprocess.Popen(
        [*command, "-c", "community.docker.docker"],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_FORCE_COLOR": "0", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def start_module(name: str, host: str, *options: str, **arguments: Any) -> subprocess.Popen[str]:
    """Start one module of the collection on the container host, with options of `ansible`."""
    module = ("-m", f"breakwater.docker.{name}", "-a", json.dumps(arguments))
    return start("ansible", host, "-i", f"{host},", *module, *options)


def finished(run: subprocess.Popen[str]) -> str:
    """Wait until Ansible ends and return what it said."""
    return run.communicate(timeout=300)[0]
