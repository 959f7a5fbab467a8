# `make bench-harden`: what a second run of docker_host, and of all of `harden`, costs over the floor: a playbook that
# does nothing but ping the same hosts. They are container hosts, reached by ssh with pipelining as users have it.
# Beside it os_hardening of devsec.hardening, where that collection is installed.

from __future__ import annotations

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "breakwater-host:debian13-docker"
PREFIX = f"breakwater-bench-harden-{os.getpid()}-"
#: Remote tasks that a second run may have.
LIMITS = {"docker_host": 8, "harden": 40}
#: A second run of os_hardening on one Debian 13 host over ssh with pipelining, where the ping took 0.96 seconds.
DEVSEC_BEFORE = ("devsec os_hardening", 54.0, 53.0, 56.0, 87)
ROW = "{:20}   {:7.2f}   {:14.2f}   {:5.1f}   {:12}"
PLAY = """\
- hosts: all
  gather_facts: {facts}
  {kind}:
    - {what}
"""
PLAYBOOKS = {
    "ping": PLAY.format(facts="false", kind="tasks", what="ansible.builtin.ping:"),
    "docker_host": PLAY.format(facts="false", kind="roles", what="breakwater.docker.docker_host"),
    "harden": "- import_playbook: breakwater.docker.harden\n",
    "devsec os_hardening": PLAY.format(facts="true", kind="roles", what="devsec.hardening.os_hardening"),
}


def run(*command: str, **environment: str) -> str:
    """Run a command in the checkout and return its output; SystemExit with what it printed when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"bench-harden: `{' '.join(command)}` failed:\n{done.stdout[-5000:]}{done.stderr}")
    return done.stdout


def start(name: str, key: Path) -> str:
    """Start a container host that the key opens by ssh, and return its address."""
    run("docker", "run", "-d", "--name", name, "--hostname", name, "--privileged", "--cgroupns=private", IMAGE)
    public = key.with_suffix(".pub").read_text().strip()
    script = f"""
        until systemctl is-system-running --wait; do sleep 1; done
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends openssh-server
        install -d -m 0700 /root/.ssh && echo {public} >/root/.ssh/authorized_keys"""
    run("docker", "exec", name, "timeout", "300", "sh", "-ec", script)
    return run("docker", "inspect", "-f", "{{.NetworkSettings.Networks.bridge.IPAddress}}", name).strip()


class Bench:
    """Runs playbooks against the hosts."""

    def __init__(self, directory: Path, hosts: int) -> None:
        self._directory = directory
        key = directory / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        addresses = [start(f"{PREFIX}{number}", key) for number in range(hosts)]
        lines = [*addresses, "[all:vars]", "ansible_user=root", f"ansible_ssh_private_key_file={key}"]
        lines.append("ansible_ssh_common_args=-o UserKnownHostsFile=/dev/null")
        lines.append("ansible_python_interpreter=/usr/bin/python3")
        (directory / "hosts.ini").write_text("\n".join(lines) + "\n")
        for name, text in PLAYBOOKS.items():
            (directory / f"{name}.yml").write_text(text)

    def play(self, name: str, *arguments: str) -> str:
        """Run a playbook and return what it printed."""
        path = str(self._directory / f"{name}.yml")
        options = {"ANSIBLE_PIPELINING": "true", "ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_NOCOLOR": "1"}
        return run("ansible-playbook", "-i", str(self._directory / "hosts.ini"), path, *arguments, **options)

    def seconds(self, name: str) -> float:
        """Return the wall time of a playbook, which must change nothing."""
        started = time.perf_counter()
        output = self.play(name)
        taken = time.perf_counter() - started
        if re.search(r"changed=[1-9]", output):
            sys.exit(f"bench-harden: the second run of {name} changed something:\n{output[-5000:]}")
        return taken

    def remote_tasks(self, name: str) -> int:
        """Return how many tasks of a playbook run anything on a host."""
        parts = re.split(r"(?m)^TASK \[", self.play(name, "-vvv"))[1:]
        return sum("SSH: EXEC" in part for part in parts)


def has_devsec() -> bool:
    """Tell whether the collection devsec.hardening is installed."""
    shown = subprocess.run(
        ["ansible-galaxy", "collection", "list", "devsec.hardening"], capture_output=True, text=True, check=False
    )
    return shown.returncode == 0 and "devsec.hardening" in shown.stdout


def main() -> None:
    """Measure and print; exit 1 where a second run has too many remote tasks."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs start with it ignored
        signal.signal(number, signal.default_int_handler)
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    names = [name for name in PLAYBOOKS if not name.startswith("devsec") or has_devsec()]
    print(f"{options.hosts} hosts, medians of {options.rounds} rounds, load {os.getloadavg()[0]:.1f}", flush=True)
    try:
        with tempfile.TemporaryDirectory() as directory:
            bench = Bench(Path(directory), options.hosts)
            for name in reversed(names):
                bench.play(name)
            times = [[bench.seconds(name) for name in names] for _round in range(options.rounds)]
            medians = dict(zip(names, map(median, zip(*times))))
            tasks = {name: bench.remote_tasks(name) for name in names}
    finally:
        containers = run("docker", "ps", "-aq", "--filter", f"name=^{PREFIX}").split()
        if containers:
            run("docker", "rm", "-fv", *containers)
    print("second run            seconds   over the floor   pings   remote tasks")
    floor = medians["ping"]
    for name in names:
        print(ROW.format(name, medians[name], medians[name] - floor, medians[name] / floor, tasks[name]))
    if DEVSEC_BEFORE[0] not in names:
        print(ROW.format(*DEVSEC_BEFORE), "  (measured before, on an idle machine)")
    exceeded = [name for name, limit in LIMITS.items() if tasks[name] > limit]
    if exceeded:
        sys.exit(f"bench-harden: too many remote tasks in {', '.join(exceeded)}; allowed are {LIMITS}.")


if __name__ == "__main__":
    main()
