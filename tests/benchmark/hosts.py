# `make bench-hosts`: harden and audit of twenty real hosts in one run each, all on this machine. They are container
# hosts with engines of their own, reached by Docker's connection; one after the other is started, and where the
# machine has no room for another (each systemd takes some of fs.inotify.max_user_instances), those that fit are used.

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

from fleet import Run, measured

IMAGE = "breakwater-host:debian13-docker"
PREFIX = f"breakwater-bench-hosts-{os.getpid()}-"
#: Enough for a host to boot beside twenty others.
BOOT_SECONDS = 120
READY = "until [ $(systemctl is-system-running) = running ] && docker info >/dev/null 2>&1; do sleep 1; done"
USE = """docker load -qi /usr/share/breakwater/busybox.tar
    for n in 1 2 3 4 5; do docker run -d busybox:local sleep 1000000; done"""
ROW = "{:12}   {:6.1f}   {:10.1f}   {:10.2f}   {:22.0f}"


def docker(*argv: str) -> str:
    """Run docker and return its output; CalledProcessError when it fails."""
    return subprocess.run(["docker", *argv], capture_output=True, text=True, check=True).stdout.strip()


def started(name: str) -> bool:
    """Start a host with five containers, and tell whether it came up; else remove it."""
    docker("run", "-d", "--name", name, "--hostname", name, "--privileged", "--cgroupns=private", IMAGE)
    try:
        docker("exec", name, "timeout", str(BOOT_SECONDS), "sh", "-c", READY)
        docker("exec", name, "sh", "-ec", USE)
    except subprocess.CalledProcessError:
        docker("rm", "-fv", name)
        return False
    return True


def memory(name: str) -> float:
    """Return the MiB of all processes of a host that nobody else shares, its containers included."""
    script = "cat /proc/[0-9]*/smaps_rollup 2>/dev/null | awk '/^Pss:/ {sum += $2} END {print sum / 1024}'"
    return float(docker("exec", name, "sh", "-c", script))


def main() -> None:
    """Measure and print."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--forks", type=int, default=10)
    options = parser.parse_args()
    names: list[str] = []
    os.environ.update(ANSIBLE_PIPELINING="1", ANSIBLE_NOCOLOR="1")
    try:
        while len(names) < options.hosts and started(f"{PREFIX}{len(names)}"):
            names.append(f"{PREFIX}{len(names)}")
        with tempfile.TemporaryDirectory() as directory:
            work = Path(directory)
            runs = play(work, names, options.forks)
            reports = [len(path.read_bytes()) for path in (work / "reports/hosts").iterdir()]
        used = [memory(name) for name in names]
    finally:
        containers = docker("ps", "-aq", "--filter", f"name=^{PREFIX}").split()
        if containers:
            docker("rm", "-fv", *containers)
    load = os.getloadavg()[0]
    print(
        f"{len(names)} of {options.hosts} hosts fit, {options.forks} forks, load {load:.1f} on {os.cpu_count()} cores"
    )
    print("               wall s   s per host   controller's CPU s per host   controller's MiB")
    for label, run in runs.items():
        print(ROW.format(label, run.wall, run.wall / len(names), run.processor / len(names), run.proportional))
    print(f"a host: {sum(used) / len(names):.0f} MiB; its report: {sum(reports) / len(names) / 1024:.0f} KiB")


def play(work: Path, names: list[str], forks: int) -> dict[str, Run]:
    """Harden the hosts twice and audit them, and return what each run cost."""
    hosts = {name: {"ansible_connection": "community.docker.docker"} for name in names}
    (work / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    base = ["ansible-playbook", "-i", str(work / "hosts.json"), "-f", str(forks)]
    harden = [*base, "breakwater.docker.harden"]
    audit = [*base, "breakwater.docker.compliance", "-e", f"docker_compliance_report_dir={work}/reports"]
    return {
        label: measured(command, work / "log")
        for label, command in (("harden", harden), ("harden again", harden), ("audit", audit))
    }


if __name__ == "__main__":
    main()
