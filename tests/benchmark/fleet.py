# `make bench-fleet`: the audit of a thousand hosts between two bare pings of the same hosts, so that a machine that
# gets busier meanwhile does not decide. The hosts are local connections to fake engines (engines.py); all else is
# real: Ansible's workers, the collector, the rules, the reports.

from __future__ import annotations

import argparse
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[2]
MAX_RATIO = 1.5
MAX_MEMORY = 1024
PING = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.ping:
"""


@dataclass
class Run:
    """What a run of ansible-playbook cost: wall and processor seconds, and peaks of memory in MiB."""

    wall: float
    processor: float
    #: resident memory of the largest process
    largest: float
    #: of all processes together, with pages that they share counted once for each, and once for all
    summed: float
    proportional: float


class Memory(threading.Thread):
    """Samples the memory of a process and its descendants every two seconds; the kernel takes its time to tell."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.peaks = (0.0, 0.0, 0.0)
        self._pid = pid
        self._ended = threading.Event()

    def run(self) -> None:
        """Sample until `end`."""
        while not self._ended.wait(2):
            sizes = list(_sizes(self._pid))
            resident = [size for size, _share in sizes]
            sample = (max(resident, default=0.0), sum(resident), sum(share for _size, share in sizes))
            self.peaks = tuple(map(max, self.peaks, sample))

    def end(self) -> None:
        """Stop sampling."""
        self._ended.set()
        self.join()


def _sizes(pid: int) -> list[tuple[float, float]]:
    """Return Rss and Pss in MiB of a process and its descendants. proc_pid_smaps(5)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:  # it has ended
        return []
    fields = {name: int(value.split()[0]) / 1024 for name, _colon, value in (line.partition(":") for line in lines)}
    return [(fields["Rss"], fields["Pss"]), *(size for child in children for size in _sizes(int(child)))]


def measured(command: list[str], log: Path) -> Run:
    """Run a command in the checkout; SystemExit with the end of what it printed when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    with log.open("w") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
        memory = Memory(process.pid)
        memory.start()
        try:
            code = process.wait()
        finally:
            memory.end()
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        sys.exit(f"bench-fleet: `{' '.join(command)}` failed:\n{log.read_text()[-3000:]}")
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(wall, processor, *memory.peaks)


def main() -> None:
    """Measure the pings and the audit and print them; exit 1 where the audit is too slow or too large."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--containers", type=int, default=20)
    parser.add_argument("--forks", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        numbers = [f"{number:04d}" for number in range(options.hosts)]
        sockets = "".join(f"host-{n} docker_compliance_docker_host=unix://{directory}/{n}.sock\n" for n in numbers)
        shared = "[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n"
        (directory / "hosts.ini").write_text(sockets + shared)
        (directory / "ping.yml").write_text(PING)
        base = ["ansible-playbook", "-i", str(directory / "hosts.ini"), "-f", str(options.forks)]
        reports = directory / "reports"
        arguments = [str(directory), str(options.hosts), str(options.containers)]
        engines = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("engines.py")), *arguments], stdout=subprocess.PIPE
        )
        try:
            assert engines.stdout is not None
            engines.stdout.readline()
            ping = [*base, str(directory / "ping.yml")]
            pings = [measured(ping, directory / "ping.log")]
            report_dir = f"docker_compliance_report_dir={reports}"
            audit = measured([*base, "breakwater.docker.compliance", "-e", report_dir], directory / "audit.log")
            pings.append(measured(ping, directory / "ping.log"))
        finally:
            engines.terminate()
            engines.wait()
        sizes = {path.name: path.stat().st_size / 2**20 for path in sorted(reports.iterdir()) if path.is_file()}
        sizes["hosts/"] = sum(path.stat().st_size for path in (reports / "hosts").iterdir()) / 2**20
    print(f"{options.hosts} hosts with {options.containers} containers each, {options.forks} forks")
    print("        wall s   CPU s   MiB: largest process   all   all, shared pages once")
    for label, run in (("ping", pings[0]), ("audit", audit), ("ping", pings[1])):
        memory = f"{run.largest:20.0f}   {run.summed:3.0f}   {run.proportional:22.0f}"
        print(f"{label:5}   {run.wall:6.1f}   {run.processor:5.1f}   {memory}")
    ratio = audit.wall / mean(run.wall for run in pings)
    print(f"ratio   {ratio:6.2f}   {audit.processor / mean(run.processor for run in pings):5.2f}")
    print("reports, MiB: " + ", ".join(f"{name} {size:.1f}" for name, size in sizes.items()))
    if ratio > MAX_RATIO or audit.proportional > MAX_MEMORY:
        sys.exit(f"bench-fleet: at most {MAX_RATIO} times a ping and {MAX_MEMORY} MiB are allowed.")


if __name__ == "__main__":
    main()
