# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The examples: that they are valid, and speak of variables that exist.

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Iterator

import yaml

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def variables() -> set[str]:
    """Return the names of all variables that roles and playbooks know."""
    known: set[str] = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        known |= set(yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"])
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


def test_variables_of_the_examples_exist() -> None:
    assert [(path, name) for path, name in used() if name not in variables()] == []


def test_inventory_gives_each_host_its_profile() -> None:
    command = ["ansible-inventory", "-i", str(EXAMPLES / "inventory"), "--list"]
    hosts = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["_meta"]["hostvars"]
    profiles = {name: values["docker_hardening_profile"] for name, values in hosts.items()}
    assert profiles == {f"docker-{n}.example.org": "strict" if n == 3 else "baseline" for n in (1, 2, 3)}


def test_survey_offers_what_the_roles_take() -> None:
    specs = {}
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        specs.update(yaml.safe_load(path.read_text())["argument_specs"]["main"]["options"])
    for question in json.loads((EXAMPLES / "awx/survey.json").read_text())["spec"]:
        taken = specs.get(question["variable"], {"choices": ["baseline", "strict"]})["choices"]
        assert set(question["choices"]) <= set(taken)
        assert question["default"] in question["choices"]


def test_playbook_of_the_job_template_can_be_run() -> None:
    template = json.loads((EXAMPLES / "awx/job_template.json").read_text())
    command = ["ansible-playbook", "--syntax-check", "-i", str(EXAMPLES / "inventory")]
    subprocess.run([*command, str(EXAMPLES / "awx" / template["playbook"])], check=True, cwd=ROOT)


def test_units_are_valid() -> None:
    script = "ln -s /bin/true /usr/bin/ansible-pull && systemd-analyze verify /pull/*.service /pull/*.timer"
    command = ["docker", "run", "--rm", "--volume", f"{EXAMPLES}/pull:/pull:ro", "breakwater-host:debian13"]
    done = subprocess.run([*command, "sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout + done.stderr == ""
