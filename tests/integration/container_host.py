# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A container host of the test bed with a real engine, for as long as a test needs it.

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).parents[2]
#: What hosts have; BREAKWATER_DEBIAN=debiantesting puts that Debian in the place of 13.
DEBIAN = os.environ.get("BREAKWATER_DEBIAN", "debian13")
IMAGE = f"breakwater-host:{DEBIAN}-docker"


def run(*argv: str, timeout: float = 60) -> str:
    """Run a command; AssertionError with what it said when it fails."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
    return done.stdout


class ContainerHost:
    """A running container host."""

    def __init__(self, name: str) -> None:
        self.name = name

    def run(self, script: str, timeout: float = 60) -> str:
        """Run a shell's script in it."""
        return run("docker", "exec", self.name, "sh", "-ec", script, timeout=timeout)

    def wait_for(self, script: str) -> None:
        """Wait at most two minutes until the script succeeds."""
        for _attempt in range(240):
            argv = ("docker", "exec", self.name, "sh", "-c", script)
            if subprocess.run(argv, capture_output=True, check=False).returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(f"{script} did not succeed in {self.name}")


@contextmanager
def started(name: str, image: str = IMAGE, ready: str = "docker info") -> Iterator[ContainerHost]:
    """Start a container host, by default with a rootful engine, wait until it is ready, and remove it at the end."""
    run("docker", "run", "-d", "--name", name, "--hostname", name, "--privileged", "--cgroupns=private", image)
    try:
        host = ContainerHost(name)
        host.wait_for(ready)
        yield host
    finally:
        run("docker", "rm", "-fv", name)


def playbook(name: str, host: str, *arguments: str, timeout: float = 180, code: int = 0) -> str:
    """Run a playbook against the container host, or an inventory of such, and return what it prints, without colours.

    AssertionError with what it prints when it ends with another exit code.
    """
    inventory = host if "/" in host else f"{host},"
    done = subprocess.run(
        ["ansible-playbook", name, "-i", inventory, "-c", "community.docker.docker", *arguments],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_PIPELINING": "1", "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr
