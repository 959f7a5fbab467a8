# `make bench`: what an audit costs by number of containers, beside the floor (floor.py), measured in turn in one run.
# Columns: the floor; the collector in a process of its own; the module as Ansible runs it on a host; `ping` likewise,
# which is Ansible's own part; the playbook as users run it. As on a host, the collector is imported from a zip file.

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
COUNTS = (0, 10, 50, 100, 200)
#: Containers of the fake engine (engines.py) on which the module's memory is measured.
MANY = 500
PREFIX = f"breakwater-bench-{os.getpid()}-"
COLLECTOR = "breakwater.docker.docker_compliance_info"
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


def payload(module: str, directory: Path, arguments: str = "") -> list[str]:
    """Let Ansible leave a module with its arguments as it is copied to a host; return the command that runs it."""
    run(
        ["ansible", "localhost", "-m", module, "-a", arguments],
        ANSIBLE_KEEP_REMOTE_FILES="true",
        ANSIBLE_PIPELINING="false",
        ANSIBLE_REMOTE_TMP=str(directory),
    )
    [script] = directory.glob(f"*/AnsiballZ_{module.rpartition('.')[2]}.py")
    return [sys.executable, str(script)]


def zipped_collector(directory: Path) -> Path:
    """Zip what the collector imports, as Ansible does for a host, where nothing is compiled beforehand."""
    archive = directory / "collector.zip"
    package = "ansible_collections/breakwater/docker/plugins/module_utils"
    with zipfile.ZipFile(archive, "w") as target:
        for parent in [Path(package), *Path(package).parents][:-1]:
            target.writestr(f"{parent}/__init__.py", "")
        sources = sorted((ROOT / "plugins/module_utils").rglob("*.py"))
        for source in sources:
            target.write(source, package / source.relative_to(ROOT / "plugins/module_utils"))
        for folder in {source.parent for source in sources} - {ROOT / "plugins/module_utils"}:
            target.writestr(f"{package / folder.relative_to(ROOT / 'plugins/module_utils')}/__init__.py", "")
    return archive


def measure(commands: list[list[str]], rounds: int) -> list[float]:
    """Return the median seconds of each command; the commands take turns."""
    times = [[seconds(command) for command in commands] for _round in range(rounds)]
    return [median(column) for column in zip(*times)]


def peak_memory(directory: Path) -> float:
    """Return the most memory in MiB that the module needs on a host with MANY containers."""
    engines = [sys.executable, str(Path(__file__).with_name("engines.py")), str(directory), "1", str(MANY)]
    with subprocess.Popen(engines, stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        try:
            command = payload(COLLECTOR, directory / "memory", f"docker_host=unix://{directory}/0000.sock timeout=60")
            collector = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            _pid, status, usage = os.wait4(collector.pid, 0)
        finally:
            server.terminate()
    if status:
        sys.exit(f"bench: `{' '.join(command)}` failed.")
    return usage.ru_maxrss / 1024


def bench(directory: Path) -> None:
    """Measure every count of containers and print the table."""
    here = Path(__file__).parent
    processes = [
        [sys.executable, str(here / "floor.py")],
        ["env", f"PYTHONPATH={zipped_collector(directory)}", sys.executable, str(here / "collector.py")],
        payload(COLLECTOR, directory),
        payload("ansible.builtin.ping", directory),
    ]
    report_dir = f"docker_compliance_report_dir={directory}/reports"
    playbook = ["ansible-playbook", "breakwater.docker.compliance", "-i", "localhost,", "-c", "local", "-e", report_dir]
    rows = []
    print("containers   floor s   collector s   ratio   module s   ping s   playbook s", flush=True)
    for started, count in zip((0, *COUNTS), COUNTS):
        start_containers(started, count)
        row = measure(processes, ROUNDS) + measure([playbook], PLAYBOOK_ROUNDS)
        rows.append(row)
        print(
            "{:10}   {:7.3f}   {:11.3f}   {:5.2f}   {:8.3f}   {:6.3f}   {:10.2f}".format(
                count, row[0], row[1], row[1] / row[0], *row[2:]
            ),
            flush=True,
        )
    growth = [1000 * (most - least) / (COUNTS[-1] - COUNTS[0]) for least, most in zip(rows[0], rows[-1])]
    print("ms/container {:7.2f}   {:11.2f}           {:8.2f}   {:6.2f}   {:10.2f}".format(*growth))
    print(f"The module's memory with {MANY} containers: {peak_memory(directory):.0f} MiB")


def main() -> None:
    """Run the benchmark; its containers are removed however it ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # SIGINT too: a shell's background jobs start with it ignored
        signal.signal(number, signal.default_int_handler)
    remove_containers()
    others = len(run(["docker", "ps", "-aq"]).split())
    load = os.getloadavg()[0]
    print(
        f"Medians of {ROUNDS} rounds (playbook: {PLAYBOOK_ROUNDS}). Other containers here: {others}; load: {load:.1f}."
    )
    try:
        with tempfile.TemporaryDirectory() as directory:
            bench(Path(directory))
    finally:
        remove_containers()


if __name__ == "__main__":
    main()
