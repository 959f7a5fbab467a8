# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The examples: that they are valid, and speak of variables that exist.

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import parse
from ansible_collections.breakwater.docker.plugins.module_utils.workload.options import OPTIONS
from ansible_collections.breakwater.docker.plugins.plugin_utils.workload_judgement import weaknesses
from ansible_collections.breakwater.docker.tests.integration.container_host import started
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd, recorded

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
HOSTS = {f"docker-{number}.example.org" for number in range(1, 5)}


@cache
def hosts() -> dict[str, dict[str, Any]]:
    """Return the variables of each host of the inventory."""
    command = ["ansible-inventory", "-i", str(EXAMPLES / "inventory"), "--list"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["_meta"]["hostvars"]


def specs() -> dict[str, dict[str, Any]]:
    """Return the options of each role by its name."""
    paths = ROOT.glob("roles/*/meta/argument_specs.yml")
    texts = {path.parents[1].name: yaml.safe_load(path.read_text()) for path in paths}
    return {role: text["argument_specs"]["main"]["options"] for role, text in texts.items()}


def variables() -> set[str]:
    """Return the names of all variables that roles and playbooks know."""
    known = {name for options in specs().values() for name in options}
    for path in (*ROOT.glob("playbooks/*.yml"), *ROOT.glob("roles/*/defaults/main.yml")):
        known |= set(re.findall(r"\bdocker_[a-z_]+", path.read_text()))
    return known


def used() -> Iterator[tuple[str, str]]:
    """Yield each file of the examples with each variable that it sets."""
    for path in EXAMPLES.glob("inventory/group_vars/*.yml"):
        for name in yaml.safe_load(path.read_text()):
            yield path.name, name
    for question in json.loads((EXAMPLES / "awx/survey.json").read_text())["spec"]:
        yield "survey.json", question["variable"]
    for name in re.findall(r"--extra-vars (\w+)=", (EXAMPLES / "pull/breakwater-audit.service").read_text()):
        yield "breakwater-audit.service", name
    for path in EXAMPLES.glob("ci/*.yml"):
        for name in re.findall(r"-e (\w+)=", path.read_text()):
            yield path.name, name
    for name in yaml.safe_load((EXAMPLES / "runner/env/extravars").read_text()):
        yield "extravars", name


def test_variables_of_the_examples_exist() -> None:
    assert [(path, name) for path, name in used() if name not in variables()] == []


def test_inventory_gives_each_host_its_profile() -> None:
    profiles = {name: values["docker_hardening_profile"] for name, values in hosts().items()}
    assert profiles == {f"docker-{n}.example.org": "strict" if n > 2 else "baseline" for n in (1, 2, 3, 4)}


@pytest.mark.parametrize("host", sorted(HOSTS))
def test_roles_take_the_values_of_the_inventory(host: str) -> None:
    known = {name: option for options in specs().values() for name, option in options.items()}
    given = {name: value for name, value in hosts()[host].items() if name in known}
    validator = ArgumentSpecValidator({name: known[name] for name in given})
    assert validator.validate(given).error_messages == []


def test_containers_of_the_tenants_are_not_weaker_than_the_defaults() -> None:
    given = hosts()["docker-4.example.org"]
    options = {name: given[f"docker_workload_{name}"] for name in ("profile", "tenants", "containers")}
    checked = ArgumentSpecValidator(OPTIONS).validate(options)
    assert checked.error_messages == []
    assert weaknesses(parse(checked.validated_parameters)) == []


def test_survey_offers_what_the_roles_take() -> None:
    known = {name: option for options in specs().values() for name, option in options.items()}
    for question in json.loads((EXAMPLES / "awx/survey.json").read_text())["spec"]:
        taken = known.get(question["variable"], {"choices": ["baseline", "strict"]})["choices"]
        assert set(question["choices"]) <= set(taken)
        assert question["default"] in question["choices"]


def test_playbook_of_the_job_template_can_be_run() -> None:
    template = json.loads((EXAMPLES / "awx/job_template.json").read_text())
    # AWX refuses a template without
    assert template["project"]
    assert template["ask_inventory_on_launch"]
    command = ["ansible-playbook", "--syntax-check", "-i", str(EXAMPLES / "inventory")]
    subprocess.run([*command, str(EXAMPLES / "awx" / template["playbook"])], check=True, cwd=ROOT)


def test_units_are_valid() -> None:
    script = "ln -s /bin/true /usr/bin/ansible-pull && systemd-analyze verify /pull/*.service /pull/*.timer"
    command = ["docker", "run", "--rm", "--volume", f"{EXAMPLES}/pull:/pull:ro", "breakwater-host:debian13"]
    done = subprocess.run([*command, "sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""


def test_host_that_audits_itself_reports_under_its_own_name() -> None:
    unit = (EXAMPLES / "pull/breakwater-audit.service").read_text(encoding="utf-8")
    given = {
        "/etc/systemd/system/breakwater-audit.service": unit,
        "/usr/bin/ansible-pull": "#!/bin/sh\necho $* >/given\n",
    }
    with started("breakwater-pull", "breakwater-host:debian13", ready="systemctl is-system-running") as host:
        for path, text in given.items():
            host.run(f"cat >{path} <<'END'\n{text}END\nchmod 755 {path}")
        host.run("systemctl daemon-reload && systemctl start breakwater-audit.service")
        assert " --inventory breakwater-pull, " in host.run("cat /given")


@pytest.mark.parametrize(("path", "schema"), [("github.yml", "github-workflows"), ("gitlab.yml", "gitlab-ci")])
def test_pipelines_are_valid(path: str, schema: str) -> None:
    command = ["check-jsonschema", "--builtin-schema", f"vendor.{schema}", str(EXAMPLES / "ci" / path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_runner_audits(tmp_path: Path) -> None:
    """ansible-runner runs the example with an inventory of one host that has a fake engine."""
    private = tmp_path / "runner"
    shutil.copytree(EXAMPLES / "runner", private)
    with FakeDockerd(tmp_path / "s", recorded("26.1-rootful")) as engine:
        host = {"ansible_connection": "local", "docker_compliance_docker_host": f"unix://{engine.path}"}
        (private / "inventory/hosts.yml").write_text(json.dumps({"all": {"hosts": {"localhost": host}}}))
        environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".venv/collections")}
        command = ["ansible-runner", "run", str(private), "-p", "audit.yml"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    report = json.loads((private / "project/reports/report.json").read_text())
    assert report["hosts"][0]["assessed"], done.stdout
    # the engine's failures are critical ones, at which the example's threshold fails the run
    assert (
        done.returncode
        == int((private / "artifacts" / next(os.walk(private / "artifacts"))[1][0] / "rc").read_text())
        == 2
    )
