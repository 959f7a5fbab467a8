# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the parts of the collection promise each other: defaults, argument specs, READMEs, catalogue, action group.

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Iterator

import engine_options
import pytest
import yaml

import docs
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import KEYS
from ansible_collections.breakwater.docker.plugins.plugin_utils.catalogue_loader import builtin

ROOT = Path(__file__).parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
#: Lines that a file may have, by what it is.
SIZES = {
    "plugins/modules/*.py": 400,
    "plugins/module_utils/**/*.py": 300,
    "plugins/plugin_utils/**/*.py": 300,
    "roles/*/tasks/*.yml": 60,
    "roles/*/defaults/main.yml": 120,
}
TASKS_OF_A_ROLE = 15


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def options(role: str) -> dict[str, Any]:
    return read_yaml(ROOT / "roles" / role / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]


def names_of_tasks(tasks: list[dict[str, Any]]) -> set[str]:
    """Name the tasks, those in blocks and not the blocks themselves; importing a file is none.

    One that only predicts another in check mode has the same name.
    """
    found: set[str] = set()
    for task in tasks:
        if "block" in task:
            found |= names_of_tasks(task["block"])
        elif "ansible.builtin.import_tasks" not in task:
            found.add(task["name"])
    return found


def tasks_with_tags(
    directory: Path, file: str, inherited: frozenset[str]
) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Yield the tasks of a file and of what it imports by a constant name, each with all its tags."""
    pending = [(task, inherited) for task in read_yaml(directory / file)]
    for task, outer in pending:
        tags = outer | frozenset(task.get("tags", []))
        imported = str(task.get("ansible.builtin.import_tasks", ""))
        if "block" in task:
            pending += [(inner, tags) for inner in task["block"]]
        elif (directory / imported).is_file():
            yield from tasks_with_tags(directory, imported, tags)
        else:
            yield task, tags


@pytest.mark.parametrize("role", ROLES)
def test_tags_part_no_task_from_the_result_that_it_uses(role: str) -> None:
    tasks = list(tasks_with_tags(ROOT / "roles" / role / "tasks", "main.yml", frozenset()))
    results: dict[str, frozenset[str]] = {}
    for task, tags in tasks:
        if "register" in task:
            results[task["register"]] = results.get(task["register"], frozenset()) | tags
    parted = [
        (task["name"], name)
        for task, tags in tasks
        for name, its_tags in results.items()
        if "always" not in its_tags and tags != its_tags and task.get("register") != name
        for defaulted in re.findall(rf"\b{name}\b[\w.]*( \| default)?", yaml.safe_dump(task, width=10000))
        if not defaulted
    ]
    assert parted == []


@pytest.mark.parametrize("role", ROLES)
def test_controls_are_tags_of_the_role_that_fixes_them(role: str) -> None:
    fixed = {
        f"cis_{number.replace('.', '_')}"
        for item in builtin().values()
        if item.control.remediation.role == role
        for edition, number in item.control.refs.items()
        if edition.startswith("cis_")
    }
    tasks = tasks_with_tags(ROOT / "roles" / role / "tasks", "main.yml", frozenset())
    assert fixed - {tag for _task, tags in tasks for tag in tags} == set()


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_argument_specs(role: str) -> None:
    documented = {name: option["default"] for name, option in options(role).items() if not option.get("required")}
    assert read_yaml(ROOT / "roles" / role / "defaults/main.yml") == documented


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_name_of_their_role(role: str) -> None:
    assert [name for name in options(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_small(role: str) -> None:
    files = (ROOT / "roles" / role / "tasks").glob("*.yml")
    assert len(set().union(*(names_of_tasks(read_yaml(path)) for path in files))) <= TASKS_OF_A_ROLE


def test_generated_pages_are_fresh() -> None:
    pages = docs.pages()
    assert {path.parent.name for path in pages if path.parents[1] == ROOT / "roles"} == set(ROLES)
    stale = [path.name for path, page in pages.items() if not path.is_file() or path.read_text("utf-8") != page]
    assert stale == [], "run `make docs`"


def test_options_of_the_engine_are_described() -> None:
    described = engine_options.descriptions()
    assert list(described) == sorted(KEYS)
    for profile in engine_options.profiles():
        assert set(profile) <= set(KEYS)
        silent = {name for name in profile if "breaks" not in described[name]}
        assert silent <= {"debug", "log-level"}, "what a profile sets has to say what it can break"


def test_remedies_exist() -> None:
    for item in builtin().values():
        remedy = item.control.remediation
        if remedy.role is not None:
            assert remedy.variable in options(remedy.role), item.control.id


def test_every_module_is_in_the_action_group() -> None:
    modules = {path.stem for path in (ROOT / "plugins/modules").glob("*.py")}
    assert set(read_yaml(ROOT / "meta/runtime.yml")["action_groups"]["docker"]) == modules


@pytest.mark.parametrize("pattern", SIZES)
def test_files_are_small(pattern: str) -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.glob(pattern)}
    assert {path: length for path, length in lengths.items() if length > SIZES[pattern]} == {}


def test_the_docker_command_is_called_in_one_way() -> None:
    """Called plainly it would act on the engine that root's current context or the environment leads to."""
    plain = re.compile(r"""["']docker["'], *["'][a-z]|["' ]/usr/bin/docker [a-z]""")
    modules = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / "plugins").rglob("*.py")}
    assert [name for name, text in modules.items() if plain.search(text)] == []
