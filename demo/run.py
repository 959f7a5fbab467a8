# `make demo`: audits and probes an insecure Docker host, hardens it, moves its containers under docker_workload, and
# does both again. Shows that hardening restarted no container, and that a service answered all the time.
# `make demo-clean` removes the host and the reports.

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HOST = "breakwater-demo"
IMAGE = "breakwater-host:debian13-docker"
BOOT_SECONDS = 60


class DemoError(Exception):
    """A step of the demo failed; the message says which, and what to look at."""


def docker(*arguments: str, stdin: str | None = None) -> str:
    """Run the docker client and return what it prints; DemoError when it fails."""
    done = subprocess.run(["docker", *arguments], input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoError(f"`docker {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout


def start_host() -> None:
    """Start the insecure host afresh; DemoError when it does not boot."""
    subprocess.run(["docker", "rm", "-fv", HOST], capture_output=True, check=False)
    docker("run", "-d", "--name", HOST, "--hostname", HOST, "--privileged", "--cgroupns=private", IMAGE)
    deadline = time.monotonic() + BOOT_SECONDS
    state = ["docker", "exec", HOST, "systemctl", "is-system-running"]
    while subprocess.run(state, capture_output=True, text=True, check=False).stdout.strip() != "running":
        if time.monotonic() > deadline:
            raise DemoError(
                f"{HOST} did not boot within {BOOT_SECONDS} s: see `docker exec {HOST} systemctl --failed`."
            )
        time.sleep(0.5)
    docker("exec", "-i", HOST, "sh", stdin=(ROOT / "demo/misconfigure.sh").read_text(encoding="utf-8"))


def processes() -> dict[str, str]:
    """Return each running container's main process as `PID started at TICKS`, which no other process can have."""
    ids = docker("exec", HOST, "docker", "ps", "-q").split()
    found = {}
    for line in docker("exec", HOST, "docker", "inspect", "-f", "{{.Name}} {{.State.Pid}}", *ids).splitlines():
        name, pid = line.lstrip("/").split()
        # field 22 of proc_pid_stat(5); the command name before it is in parentheses and may hold spaces
        started = docker("exec", HOST, "cat", f"/proc/{pid}/stat").rpartition(")")[2].split()[19]
        found[name] = f"process {pid}, started at tick {started}"
    return found


def play(playbook: str, *variables: str) -> None:
    """Run a playbook against the host; DemoError when it fails."""
    print(f"\n=== {playbook} {' '.join(variables)}", flush=True)
    extra = [argument for variable in variables for argument in ("-e", variable)]
    command = [str(Path(sys.executable).parent / "ansible-playbook"), playbook, "-i", "demo/inventory.yml"]
    if subprocess.run([*command, *extra], cwd=ROOT, check=False).returncode:
        raise DemoError(f"The playbook {playbook} failed; its output above says where.")


def move() -> int:
    """Move the containers under docker_workload while somebody uses the shop; return how many answers there were.

    DemoError when one was missing.
    """
    script = (ROOT / "demo/requests.sh").read_text(encoding="utf-8")
    docker("exec", "-d", HOST, "sh", "-c", script)
    play("demo/workload.yml")
    docker("exec", HOST, "touch", "/run/shop-closed")
    answers = docker("exec", HOST, "cat", "/run/shop-answers").splitlines()
    if set(answers) != {"shop"}:
        raise DemoError(f"Of {len(answers)} requests {len(answers) - answers.count('shop')} had no answer of the shop.")
    return len(answers)


def audit(report: str, *variables: str) -> tuple[int, dict[str, bool], dict[str, dict[str, Any]]]:
    """Audit and probe the host into reports/`report`.

    Return its score, by control whether every object passed, and by threat what the probes say.
    """
    play("breakwater.docker.prove", f"docker_compliance_report_dir=reports/{report}", *variables)
    [host] = json.loads((ROOT / "reports" / report / "report.json").read_text(encoding="utf-8"))["hosts"]
    if not host["assessed"]:
        raise DemoError(f"The audit could not assess {HOST}: {host['reason']}")
    passed: dict[str, bool] = {}
    for finding in host["findings"]:
        if finding["status"] in {"pass", "fail", "error"}:
            label = f"{finding['title']} ({finding['severity']})"
            passed[label] = passed.get(label, True) and finding["status"] == "pass"
    return host["score"], passed, host["proof"]["threats"]


def print_controls(heading: str, controls: list[str]) -> None:
    """Print a heading with a count, and one control a line."""
    print(f"\n{heading}: {len(controls)}")
    for control in controls:
        print(f"  {control}")


def print_threats(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> int:
    """Print what the probes say of each threat; return how many are contained where docker_workload runs all."""
    print("\nThreats, as probes prove them: by a plain docker run, under docker_workload, and in running containers")
    contained = 0
    for threat, found in before.items():
        now = after[threat]
        contained += now["hardened"] == "contained" and not now["exposed_containers"]
        print(
            f"  {threat}: {found['default']}, {now['hardened']};"
            f" {len(found['exposed_containers'])} containers exposed before, {len(now['exposed_containers'])} now"
        )
    return contained


def main() -> int:
    """Run the demo and return its exit code."""
    print(f"Starting {HOST}: systemd, dockerd and seven containers, insecure on purpose.", flush=True)
    start_host()
    processes_before = processes()
    score_before, before, proof_before = audit("demo-before")
    play("breakwater.docker.harden")
    if processes() != processes_before:
        raise DemoError("Hardening restarted containers: it must not.")
    answers = move()
    previous = "docker_compliance_previous_report=reports/demo-before/report.json"
    score_after, after, proof_after = audit("demo-after", previous)

    print("\n=== Result")
    print_controls("Fixed", [control for control, passed in after.items() if passed and before.get(control) is False])
    failing = [control for control, passed in after.items() if not passed]
    print_controls("New failures", [control for control in failing if before.get(control)])
    print_controls("Still failing", [control for control in failing if not before.get(control)])
    contained = print_threats(proof_before, proof_after)
    print(f"\nScore before: {score_before} %   reports/demo-before/report.html")
    print(f"Score after:  {score_after} %   reports/demo-after/report.html")
    print(f"Contained:    {contained} of {len(proof_after)} threats")
    print("While the host was hardened all containers stayed the same processes. While they were moved under")
    print(f"docker_workload the shop answered {answers} of {answers} requests. `make demo-clean` removes it all.")
    if contained != len(proof_after):
        raise DemoError("A threat is not contained; reports/demo-after/report.html says which attempt succeeds.")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DemoError as error:
        sys.exit(f"demo: {error}")
