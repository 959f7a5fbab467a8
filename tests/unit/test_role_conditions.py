# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Conditions of the roles: `-e name=false` gives a text, which is true for Jinja, and an error for Ansible's conditions.

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SWITCHES = {
    name
    for path in ROOT.glob("roles/*/meta/argument_specs.yml")
    for entry in yaml.safe_load(path.read_text())["argument_specs"].values()
    for name, option in (entry.get("options") or {}).items()
    if option["type"] == "bool"
}
#: A module's argument, which the module makes a boolean of.
ARGUMENT = re.compile(r'\s*[\w-]+: "{{ \w+ }}"')
WORDS = re.compile(r"\s*(?:#|- name: |name: |fail_msg: )")


def decisions() -> Iterator[tuple[str, str]]:
    """Yield each line of tasks, variables and playbooks that may decide by a variable, with its place."""
    for path in sorted(
        (*ROOT.glob("roles/*/tasks/*.yml"), *ROOT.glob("roles/*/vars/*.yml"), *ROOT.glob("playbooks/*.yml"))
    ):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if not ARGUMENT.fullmatch(line) and not WORDS.match(line):
                yield f"{path.relative_to(ROOT)}:{number}", line


def test_switches_are_made_booleans_where_something_is_decided_by_them() -> None:
    used = re.compile(rf"\b(?:if|when:|that:|and|or|not) ({'|'.join(sorted(SWITCHES))})\b(?! \| bool| is not none)")
    assert len(SWITCHES) > 30
    assert [(place, found.group(1)) for place, line in decisions() for found in used.finditer(line)] == []


def check(that: str | list[str], given: dict[str, Any], *roles: str) -> None:
    """Let Ansible decide by what is given and by the variables of roles; AssertionError with what it said if not so."""
    command = ["ansible", "localhost", "-m", "ansible.builtin.assert", "-a", json.dumps({"that": that})]
    command += [f"-e@{ROOT}/roles/{role}/vars/main.yml" for role in roles]
    done = subprocess.run([*command, "-e", json.dumps(given)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("switch", "waiting", "boots"),
    [("true", ["x"], True), (True, ["x"], True), ("false", ["x"], False), (True, [], False)],
)
def test_docker_host_boots_when_something_waits_for_it(switch: Any, waiting: list[str], boots: bool) -> None:
    tasks = yaml.safe_load((ROOT / "roles/docker_host/tasks/main.yml").read_text())
    [condition] = [task["when"] for task in tasks if "ansible.builtin.reboot" in task]
    given = {"docker_host_reboot": switch, "__docker_host_kernel": {"reboot_required": waiting}}
    check(f"({condition}) == {boots}", given)


def test_images_are_rebuilt_by_tags_only() -> None:
    tagged = ["app:1", "r.example.org:5000/app:1", "docker.io/acme/shop:1"]
    others = ["app", "r.example.org:5000/app", "app@sha256:00", "app:1@sha256:00"]
    given = {"docker_image_rebuild_images": [{"name": name} for name in tagged + others]}
    that = f"__docker_image_rebuild_misnamed == {others}"
    check(that, given, "docker_image_rebuild")


def test_images_are_pinned_in_the_repositories_that_the_engine_lists() -> None:
    listed = {
        "shop:1": "shop",
        "acme/shop:1": "acme/shop",
        "docker.io/acme/shop:1": "acme/shop",
        "index.docker.io/acme/shop:1": "acme/shop",
        "docker.io/library/shop:1": "shop",
        "docker.io/shop:1": "shop",
        "library/shop:1": "shop",
        "library/acme/shop:1": "library/acme/shop",
        "r.example.org:5000/shop:1": "r.example.org:5000/shop",
        "r.example.org/library/shop:1": "r.example.org/library/shop",
        "docker.io.example.org/shop:1": "docker.io.example.org/shop",
    }
    given = {"docker_image_rebuild_images": [{"name": name} for name in listed]}
    that = f"__docker_image_rebuild_repositories == {list(listed.values())}"
    check(that, given, "docker_image_rebuild")


def test_registrys_images_have_the_categories_of_its_containers() -> None:
    given = {
        "role_path": str(ROOT / "roles/docker_selinux"),
        "docker_registry_kind": "container",
        "__docker_registry_host": {"security_module": "selinux"},
    }
    that = "__docker_registry_label == ['label=level:' ~ __docker_selinux_registry[0].level]"
    check(that, given, "docker_registry", "docker_selinux")


def test_umask_is_octal_digits_in_quotes() -> None:
    tasks = yaml.safe_load((ROOT / "roles/docker_host/tasks/refuse.yml").read_text())
    [condition] = [task["ansible.builtin.assert"]["that"] for task in tasks if "ansible.builtin.assert" in task]
    values = {"": True, "027": True, "0077": True, 23: False, "27": False, "028": False, "1022": False, "027\n": False}
    given = [
        f"({condition.replace('docker_host_umask', json.dumps(value))}) == {fits}" for value, fits in values.items()
    ]
    check(given, {})
