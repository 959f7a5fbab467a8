# `make bench`: what an audit costs by number of containers, beside the floor (floor.py), measured in turn in one run.
# The collector is timed as the payload that Ansible runs on a host, in a fresh process; the playbook as a user runs it.

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
COUNTS = (0, 10, 50, 100)
PREFIX = "breakwater-bench-"
ROUNDS = 7
PLAYBOOK_ROUNDS = 3


def run(command: list[str], **environment: str) -> str:
    """Run a command in the checkout and return its output; SystemExit with what it printed when it fails."""
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"bench: `{' '.join(command)}` failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def seconds(command: list[str]) -> float:
    """Return the wall time of a command."""
    started = time.perf_counter()
    run(command)
    return time.perf_counter() - started


def start_containers(first: int, count: int) -> None:
    """Start the containers numbered `first` … `count` - 1."""
    for number in range(first, count):
        run(["docker", "run", "-d", "--name", f"{PREFIX}{number}", "busybox:local", "sleep", "100000000"])


def remove_containers() -> None:
    """Remove all containers of this benchmark, those of an earlier run that was killed as well."""
    ids = run(["docker", "ps", "-aq", "--filter", f"name=^{PREFIX}"]).split()
    if ids:
        run(["docker", "rm", "-fv", *ids])


def collector_payload(directory: Path) -> Path:
    """Let Ansible leave the module with its arguments, as it is copied to a host, below `directory`."""
    run(
        ["ansible", "localhost", "-m", "breakwater.docker.docker_compliance_info"],
        ANSIBLE_KEEP_REMOTE_FILES="true",
        ANSIBLE_PIPELINING="false",
        ANSIBLE_REMOTE_TMP=str(directory),
    )
    [payload] = directory.glob("*/AnsiballZ_docker_compliance_info.py")
    return payload


def measure(payload: Path, reports: Path) -> tuple[float, float, float]:
    """Return the median seconds of the floor, the collector and the whole playbook."""
    floor, collector = [], []
    for _round in range(ROUNDS):
        floor.append(seconds([sys.executable, "tests/benchmark/floor.py"]))
        collector.append(seconds([sys.executable, str(payload)]))
    report_dir = f"docker_compliance_report_dir={reports}"
    playbook = ["ansible-playbook", "breakwater.docker.compliance", "-i", "localhost,", "-c", "local", "-e", report_dir]
    return median(floor), median(collector), median(seconds(playbook) for _round in range(PLAYBOOK_ROUNDS))


def main() -> None:
    """Measure every count of containers and print the table."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows = []
    remove_containers()
    others = len(run(["docker", "ps", "-aq"]).split())
    print(f"Medians of {ROUNDS} rounds (playbook: {PLAYBOOK_ROUNDS}); {others} other containers are on this engine.")
    print("containers   floor s   collector s   ratio   playbook s", flush=True)
    try:
        with tempfile.TemporaryDirectory() as directory:
            payload = collector_payload(Path(directory))
            for started, count in zip((0, *COUNTS), COUNTS):
                start_containers(started, count)
                floor, collector, playbook = measure(payload, Path(directory) / "reports")
                rows.append((count, floor, collector, playbook))
                ratio = collector / floor
                print(f"{count:10}   {floor:7.3f}   {collector:11.3f}   {ratio:5.2f}   {playbook:10.2f}", flush=True)
    finally:
        remove_containers()
    (fewest, *least), (most, *greatest) = rows[0], rows[-1]
    growth = [1000 * (after - before) / (most - fewest) for before, after in zip(least, greatest)]
    print("Growth per container: floor {:.2f} ms, collector {:.2f} ms, playbook {:.2f} ms".format(*growth))


if __name__ == "__main__":
    main()
