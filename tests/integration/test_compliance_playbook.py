# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The playbook breakwater.docker.compliance run for real, on saved evidence: what it writes, refuses and returns.

from __future__ import annotations

import json
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema

ROOT = Path(__file__).parents[2]
WAIVER = {"control": "container_not_privileged", "reason": "legacy", "owner": "ops"}


def container(name: str, **changes: Any) -> dict[str, Any]:
    return {**scope_schema("container").example_object(), "name": name, "unreadable": {}, **changes}


@pytest.fixture
def evidence(tmp_path: Path) -> dict[str, Any]:
    """A host with a container that is privileged and one that is not."""
    scopes = {name: scope_schema(name).example_object() for name in ("engine", "host", "daemon", "swarm")}
    scopes["engine"]["status"] = "ok"
    listed = {f"{name}s": [scope_schema(name).example_object()] for name in ("file", "image", "network")}
    containers = [container("web", privileged=False), container("bad", privileged=True)]
    return {"schema": 1, "collected_at": "2026-11-24T00:00:00Z", **scopes, **listed, "containers": containers}


class Audit:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.inventory = directory / "hosts.ini"
        self.inventory.write_text("web1 ansible_connection=local\n")

    def __call__(self, evidence: dict[str, Any], *arguments: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        saved = self.directory / "evidence.json"
        saved.write_text(json.dumps(evidence))
        playbook = self.directory / "audit.yml"
        playbook.write_text((ROOT / "playbooks/compliance.yml").read_text())
        given = {
            "docker_compliance_evidence_file": str(saved),
            "docker_compliance_report_dir": str(self.directory / "reports"),
            **{f"docker_compliance_{name}": value for name, value in variables.items()},
        }
        command = ["ansible-playbook", "breakwater.docker.compliance", "-i", str(self.inventory)]
        return subprocess.run(
            [*command, "-e", json.dumps(given), *arguments],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_FORCE_COLOR": "0"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def report(self) -> dict[str, Any]:
        return json.loads((self.directory / "reports/report.json").read_text())

    def status(self, control: str, name: str) -> str:
        found = [
            item
            for item in self.report()["hosts"][0]["findings"]
            if item["control"] == control and item["object"]["name"] == name
        ]
        return found[0]["status"]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    return Audit(tmp_path)


def yaml_file(path: Path, content: Any) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)


def test_check_mode_and_real_run_report_the_same(audit: Audit, evidence: dict[str, Any]) -> None:
    real = audit(evidence)
    assert real.returncode == 0, real.stdout + real.stderr
    found = audit.report()["hosts"][0]["findings"]
    assert (audit.status("container_not_privileged", "web"), audit.status("container_not_privileged", "bad")) == (
        "pass",
        "fail",
    )
    check = audit(evidence, "--check", "--diff")
    assert check.returncode == 0, check.stdout + check.stderr
    assert audit.report()["hosts"][0]["findings"] == found


def test_what_a_host_says_of_itself_is_not_evaluated(audit: Audit, evidence: dict[str, Any], tmp_path: Path) -> None:
    mark = tmp_path / "evaluated"
    name = f"{{{{ lookup('pipe', 'touch {mark}') }}}}"
    evidence["containers"].append(container(name, privileged=True))
    evidence["engine"]["version"] = name
    done = audit(evidence, "-vvv")
    assert done.returncode == 0, done.stdout + done.stderr
    assert audit.status("container_not_privileged", name) == "fail"
    assert not mark.exists()


def test_fail_on_decides_the_exit_code(audit: Audit, evidence: dict[str, Any]) -> None:
    chosen = {"controls": ["container_not_privileged"]}
    assert audit(evidence, fail_on="critical", **chosen).returncode != 0
    evidence["containers"].pop()
    assert audit(evidence, fail_on="low", **chosen).returncode == 0


@pytest.mark.parametrize(
    ("reason", "status"), [("dockerd is not running", "stopped"), ("permission denied", "unreadable")]
)
def test_an_engine_without_answer_is_not_assessed(
    audit: Audit, evidence: dict[str, Any], reason: str, status: str
) -> None:
    evidence["engine"].update(status=status, reason=reason)
    assert audit(evidence).returncode == 0
    host = audit.report()["hosts"][0]
    assert (host["assessed"], host["reason"], host["findings"]) == (False, reason, [])
    assert audit(evidence, fail_on="critical").returncode != 0


def test_waivers_are_shown_and_expire(audit: Audit, evidence: dict[str, Any], tmp_path: Path) -> None:
    for days, expected in ((1, "waived"), (-1, "fail")):
        expires = (date.today() + timedelta(days=days)).isoformat()
        waivers = yaml_file(tmp_path / "waivers.yml", [{**WAIVER, "expires": expires}])
        assert audit(evidence, waivers=[waivers]).returncode == 0
        assert audit.status("container_not_privileged", "bad") == expected


@pytest.mark.parametrize(
    ("variables", "complaint"),
    [
        ({"controls": ["container_not_priviledged"]}, "did you mean container_not_privileged"),
        ({"controls": [5.10]}, "controls has 5.1 as a number, be it written 5.1 or 5.10: quote it"),
        ({"profile": "paranoid"}, "paranoid"),
        ({"policy": {"docker_group": []}}, "The policy has no"),
        ({"rules": ["nowhere.yml"]}, "nowhere.yml"),
        ({"fail_on": "severe"}, "severe"),
        ({"previous_report": "nowhere.json"}, "is nowhere.json, where there is no file"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    audit: Audit, evidence: dict[str, Any], variables: dict[str, Any], complaint: str
) -> None:
    run = audit(evidence, **variables)
    assert run.returncode != 0
    assert complaint in run.stdout + run.stderr
    assert "Traceback" not in run.stdout + run.stderr
    assert not (audit.directory / "reports/hosts").exists()


def test_a_waiver_of_a_control_that_the_run_leaves_out_is_not_called_unused(
    audit: Audit, evidence: dict[str, Any], tmp_path: Path
) -> None:
    nothing = {"objects": "no-such-*", "expires": "2099-12-31"}
    entries = [{**WAIVER, **nothing}, {**WAIVER, **nothing, "control": "daemon_icc_disabled"}]
    assert audit(evidence, waivers=[yaml_file(tmp_path / "waivers.yml", entries)]).returncode == 0
    assert len(audit.report()["hosts"][0]["unused_waivers"]) == 2
    run = audit(evidence, waivers=[str(tmp_path / "waivers.yml")], controls=["daemon_icc_disabled"])
    assert run.returncode == 0
    assert [item["control"] for item in audit.report()["hosts"][0]["unused_waivers"]] == ["daemon_icc_disabled"]


def test_saved_evidence_is_as_old_as_it_is(audit: Audit, evidence: dict[str, Any]) -> None:
    assert audit(evidence).returncode == 0
    assert audit.report()["hosts"][0]["assessed_at"] == evidence["collected_at"]


def test_a_host_that_gives_no_evidence_keeps_what_was_collected_before(audit: Audit, evidence: dict[str, Any]) -> None:
    kept = audit.directory / "reports/evidence/web1.json"
    assert audit(evidence, keep_evidence=True).returncode == 0
    before = kept.read_text()
    run = audit(evidence, "-e", "ansible_python_interpreter=/bin/false", keep_evidence=True, evidence_file="")
    assert run.returncode != 0
    assert not audit.report()["hosts"][0]["assessed"]
    assert kept.read_text() == before


def test_a_rule_with_a_typo_is_refused(audit: Audit, evidence: dict[str, Any], tmp_path: Path) -> None:
    rule = {
        "id": "own",
        "title": "Own",
        "scope": "container",
        "severity": "low",
        "profiles": ["baseline"],
        "threats": [],
        "refs": {},
        "expect": "priviledged == `false`",
        "remediation": {"text": "x"},
        "tests": {"pass": [{}], "fail": [{}]},
    }
    run = audit(evidence, rules=[yaml_file(tmp_path / "own.yml", [rule])])
    assert run.returncode != 0
    assert "did you mean 'privileged'" in " ".join((run.stdout + run.stderr).split())
