# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The ways in which people run Ansible over a fleet, on fake engines: each gives the same findings and loses no host.

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd, Hang, recorded

ROOT = Path(__file__).parents[2]
HOSTS = [f"host-{number}" for number in range(4)]
LOCAL = "[all:vars]\nansible_connection=local\nansible_python_interpreter=/usr/bin/python3\n"
SERIAL = """
- hosts: all
  gather_facts: false
  serial: 1
  ignore_unreachable: true
  roles: [breakwater.docker.docker_compliance]
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.import_role: {name: breakwater.docker.docker_compliance, tasks_from: report}
"""
MERGE = """
- hosts: localhost
  gather_facts: false
  tasks:
    - breakwater.docker.docker_report: {report_dir: merged, sources: [east, west], formats: [json]}
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a directory with an inventory of four hosts that have fake engines with three containers each."""
    directory = tmp_path_factory.mktemp("fleet")
    sockets = (f"docker_compliance_docker_host=unix://{directory}/{number:04d}.sock" for number in range(4))
    lines = "".join(f"{name} {socket}\n" for name, socket in zip(HOSTS, sockets))
    (directory / "hosts.ini").write_text(lines + LOCAL)
    command = [sys.executable, str(ROOT / "tests/benchmark/engines.py"), str(directory), "4", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engines:
        assert engines.stdout is not None
        assert engines.stdout.readline() == "ready\n"
        yield directory
        engines.terminate()


def environment(**changes: str) -> dict[str, str]:
    path = {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections"), "ANSIBLE_PIPELINING": "1"}
    return {**os.environ, **path, **changes}


def play(
    fleet: Path, reports: Path, *arguments: str, playbook: str = "breakwater.docker.compliance", **changes: str
) -> subprocess.CompletedProcess[str]:
    command = ["ansible-playbook", playbook, "-i", str(fleet / "hosts.ini")]
    return subprocess.run(
        [*command, "-e", f"docker_compliance_report_dir={reports}", *arguments],
        cwd=reports.parent,
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def hosts(reports: Path) -> dict[str, dict[str, Any]]:
    return {host["host"]: host for host in json.loads((reports / "report.json").read_text())["hosts"]}


def verdicts(reports: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Return control, object and status of all findings by host; its own name is left out of them."""
    return {
        name: [(item["control"], item["object"]["name"].replace(name, ""), item["status"]) for item in host["findings"]]
        for name, host in hosts(reports).items()
    }


@pytest.fixture(scope="module")
def plain(fleet: Path) -> Path:
    """Return the reports of a plain run."""
    run = play(fleet, fleet / "plain")
    assert run.returncode == 0, run.stdout + run.stderr
    return fleet / "plain"


def test_a_host_costs_one_task(fleet: Path, plain: Path) -> None:
    run = play(fleet, plain, "--list-tasks")
    assert run.stdout.count("Audit the host\t") == 1
    assert set(hosts(plain)) == set(HOSTS)
    assert all(host["assessed"] for host in hosts(plain).values())


def test_strategy_free_finds_the_same(fleet: Path, plain: Path, tmp_path: Path) -> None:
    run = play(fleet, tmp_path / "free", ANSIBLE_STRATEGY="free")
    assert run.returncode == 0, run.stdout + run.stderr
    assert verdicts(tmp_path / "free") == verdicts(plain)


@pytest.mark.parametrize("playbook", ["compliance", "prove", "scan"])
@pytest.mark.parametrize("chosen", [("-e", "docker_hosts=hots"), ("-e", "docker_hosts=host-0", "--limit", "host-1")])
def test_a_run_that_would_assess_no_host_fails(
    fleet: Path, tmp_path: Path, playbook: str, chosen: tuple[str, ...]
) -> None:
    run = play(fleet, tmp_path / "none", *chosen, playbook=f"breakwater.docker.{playbook}")
    assert run.returncode == 2, run.stdout + run.stderr
    assert "No host was to be assessed" in run.stdout + run.stderr


def test_a_machine_may_audit_itself_without_an_inventory(fleet: Path, plain: Path, tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").touch()
    chosen = ("-e", f"docker_hosts=localhost docker_compliance_docker_host=unix://{fleet}/0000.sock")
    run = play(tmp_path, tmp_path / "itself", *chosen)
    assert run.returncode == 0, run.stdout + run.stderr
    assert verdicts(tmp_path / "itself")["localhost"] == verdicts(plain)["host-0"]


def test_serial_and_check_mode_find_the_same(fleet: Path, plain: Path, tmp_path: Path) -> None:
    (tmp_path / "serial.yml").write_text(SERIAL)
    run = play(fleet, tmp_path / "serial", "--check", playbook=str(tmp_path / "serial.yml"))
    assert run.returncode == 0, run.stdout + run.stderr
    assert verdicts(tmp_path / "serial") == verdicts(plain)


def test_standard_output_is_json_where_the_callback_promises_it(fleet: Path, tmp_path: Path) -> None:
    run = play(fleet, tmp_path / "json", "--limit", "host-0", ANSIBLE_STDOUT_CALLBACK="ansible.posix.json")
    assert json.loads(run.stdout)["stats"]["host-0"]["failures"] == 0
    assert "Docker compliance: score" in run.stderr


def test_reports_of_several_controllers_are_merged(fleet: Path, plain: Path, tmp_path: Path) -> None:
    for name, limit in (("east", "host-0,host-1"), ("west", "host-2,host-3")):
        assert play(fleet, tmp_path / name, "--limit", limit).returncode == 0
        assert set(hosts(tmp_path / name)) == set(limit.split(","))
    (tmp_path / "merge.yml").write_text(MERGE)
    assert play(fleet, tmp_path / "merged", playbook=str(tmp_path / "merge.yml")).returncode == 0
    assert verdicts(tmp_path / "merged") == verdicts(plain)


@pytest.mark.parametrize("tag", ["introduce", "promote", "retire"])
def test_no_step_of_a_new_ca_leaves_a_host_out(fleet: Path, tmp_path: Path, tag: str) -> None:
    arguments = ("--check", "--limit", "host-0", "--tags", tag, "-e", f"docker_tls_ca_dir={tmp_path}/ca")
    run = play(fleet, tmp_path / "none", *arguments, playbook="breakwater.docker.rotate_certificates")
    assert run.returncode != 0
    assert "so run without --limit" in run.stdout + run.stderr
    assert "Have a CA on the controller" not in run.stdout


@pytest.mark.parametrize("strategy", ["free", "host_pinned"])
def test_no_strategy_lets_a_new_ca_issue_before_every_host_trusts_it(tmp_path: Path, strategy: str) -> None:
    gone = "gone ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1\n"
    (tmp_path / "hosts.ini").write_text(f"{gone}here\n{LOCAL}")
    given = {"ca_dir": f"{tmp_path}/ca", "ca_passphrase": "battery-staple-horse", "server": False}
    variables = json.dumps({f"docker_tls_{name}": value for name, value in given.items()})
    arguments = ("--check", "-e", variables)
    playbook = "breakwater.docker.rotate_certificates"
    run = play(tmp_path, tmp_path / "none", *arguments, playbook=playbook, ANSIBLE_STRATEGY=strategy)
    assert run.returncode != 0
    assert "UNREACHABLE" in run.stdout
    assert "TASK" in run.stdout.partition("Let the second CA issue")[0]
    assert "TASK" not in run.stdout.partition("Let the second CA issue")[2]


@pytest.mark.parametrize("batches", ["two", 0, None, {"first": 1}])
def test_batches_that_are_none_are_refused_in_a_sentence(fleet: Path, tmp_path: Path, batches: Any) -> None:
    given = json.dumps({"docker_hardening_serial": batches})
    run = play(fleet, tmp_path / "none", "-e", given, playbook="breakwater.docker.harden")
    assert run.returncode != 0
    assert "docker_hardening_serial takes numbers of hosts" in run.stdout + run.stderr
    assert "TASK" not in run.stdout


@pytest.mark.parametrize("batches", ["2,100%", [2, "100 %"]])
def test_batches_may_be_given_on_the_command_line(fleet: Path, tmp_path: Path, batches: Any) -> None:
    given = json.dumps({"docker_hardening_serial": batches, "docker_hardening_areas": "none"})
    run = play(fleet, tmp_path / "none", "-e", given, playbook="breakwater.docker.harden")
    assert run.stdout.count("fatal: [") == 2, run.stdout + run.stderr


def test_ansible_pull_audits_the_machine_it_runs_on(fleet: Path, plain: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    (repository / "local.yml").write_text("- ansible.builtin.import_playbook: breakwater.docker.compliance\n")
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.net")
    for arguments in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "Audit"]):
        subprocess.run(["git", "-C", str(repository), *arguments], check=True)
    given = {
        "docker_compliance_docker_host": f"unix://{fleet}/0000.sock",
        "docker_compliance_report_dir": str(tmp_path / "pulled"),
    }
    command = [
        "ansible-pull",
        "-U",
        f"file://{repository}",
        "-d",
        str(tmp_path / "checkout"),
        "-i",
        "localhost,",
        "local.yml",
    ]
    run = subprocess.run(
        [*command, "-e", json.dumps(given)], env=environment(), capture_output=True, text=True, timeout=120, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert verdicts(tmp_path / "pulled")["localhost"] == verdicts(plain)["host-0"]


def test_hosts_in_trouble_lose_no_other_and_fail_the_run(fleet: Path, plain: Path, tmp_path: Path) -> None:
    trouble = {
        "slow": f"docker_compliance_docker_host=unix://{tmp_path}/slow docker_compliance_timeout=1",
        "gone": "ansible_connection=ssh ansible_host=127.0.0.1 ansible_port=1",
        "wrong": f"docker_compliance_docker_host=unix://{fleet}/0001.sock docker_compliance_profile=paranoid",
        "hasty": f"docker_compliance_docker_host=unix://{fleet}/0001.sock docker_compliance_timeout=0",
        "bare": "ansible_python_interpreter=/nowhere/python",
        "closed": "ansible_pipelining=false ansible_become=true ansible_become_user=no-such-user",
    }
    lines = "".join(f"{name} {variables}\n" for name, variables in trouble.items())
    (tmp_path / "hosts.ini").write_text(lines + (fleet / "hosts.ini").read_text())
    documents = {**recorded("26.1-rootful"), "/info": Hang}
    with FakeDockerd(tmp_path / "slow", documents):
        run = play(tmp_path, tmp_path / "reports")
    assert run.returncode == 2, run.stdout + run.stderr
    assert "No result from bare, closed, gone, hasty, wrong:" in run.stdout + run.stderr
    assert "timeout is 0: an engine needs at least one second" in run.stdout + run.stderr
    found = hosts(tmp_path / "reports")
    assert set(found) == {*HOSTS, *trouble}
    assert {name for name, host in found.items() if host["assessed"]} == set(HOSTS)
    assert "did not answer /info within 1 seconds" in found["slow"]["reason"]
    assert "interpreter '/nowhere/python' was not found" in found["bare"]["reason"]
    assert "could not be run on the host: Failed to change ownership" in found["closed"]["reason"]
    assert {name: verdicts(tmp_path / "reports")[name] for name in HOSTS} == verdicts(plain)


def test_a_host_where_nothing_can_be_run_does_not_end_the_batches_after_it(fleet: Path, tmp_path: Path) -> None:
    closed = "closed ansible_pipelining=false ansible_become=true ansible_become_user=no-such-user\n"
    (tmp_path / "hosts.ini").write_text(closed + (fleet / "hosts.ini").read_text())
    (tmp_path / "serial.yml").write_text(SERIAL)
    run = play(tmp_path, tmp_path / "serial", playbook=str(tmp_path / "serial.yml"))
    assert run.returncode == 2, run.stdout + run.stderr
    assert "No result from closed:" in run.stdout + run.stderr
    assert {name for name, host in hosts(tmp_path / "serial").items() if host["assessed"]} == set(HOSTS)


def test_a_killed_run_leaves_whole_files(fleet: Path, tmp_path: Path) -> None:
    slow = f"slow docker_compliance_docker_host=unix://{tmp_path}/slow\n"
    (tmp_path / "hosts.ini").write_text((fleet / "hosts.ini").read_text().replace("[all:vars]", slow + "[all:vars]"))
    reports = tmp_path / "killed"
    command = ["ansible-playbook", "breakwater.docker.compliance", "-i", str(tmp_path / "hosts.ini"), "-f", "2"]
    with FakeDockerd(tmp_path / "slow", {"/version": Hang}):
        run = subprocess.Popen(
            [*command, "-e", f"docker_compliance_report_dir={reports}"],
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + 60
        while len(list(reports.glob("hosts/*.json"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    files = list(reports.glob("hosts/*.json"))
    assert len(files) >= 2
    assert not (reports / "report.json").exists()
    for path in files:
        host = json.loads(path.read_text())
        assert host["host"] == path.stem
        assert host["assessed"]
        assert host["findings"]
