# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the guides promise: that whatever they name exists, and that no row of the checklist is missing.

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.breakwater.docker.plugins.module_utils.probe.proof import PROBES
from ansible_collections.breakwater.docker.plugins.plugin_utils.catalogue_loader import builtin

ROOT = Path(__file__).parents[2]
PROTECTION = (ROOT / "docs/protection.md").read_text(encoding="utf-8")
#: Areas of the checklist and threats, with their numbers of items.
ITEMS = {"H": 8, "R": 8, "D": 4, "C": 11, "W": 3, "T": 8}
SYSTEMS = re.split(
    r",\s+",
    """Docker Engine, Compose, Registry, Swarm, Machine, Docker Hub, Docker Cloud, SELinux, AppArmor, seccomp,
    grsecurity, Capabilities, Control groups, Namespaces, user namespaces, iptables, OpenSCAP, oscap-docker,
    Black Duck, Clair, Content Trust, Notary, openssl, TLS, S3, Azure, Swift, GCS, Union file systems, storage drivers,
    Volumes, Shocker""",
)
CONTROLS = {identifier: item.control for identifier, item in builtin().items()}
PROBE_THREATS = {probe.id: probe.threats for probe in PROBES}
TESTS = re.compile(r"`((?:tests|molecule)/[\w./]+(?:::\w+)?)`")


class Item(NamedTuple):
    """A row of the checklist: its id, and for each line of names (role, controls, probes, shown by) the names."""

    id: str
    names: dict[str, list[str]]


def items() -> Iterator[Item]:
    for part in re.split(r"^### ", PROTECTION, flags=re.MULTILINE)[1:]:
        lines = re.findall(r"^- ([a-z ]+): (.+)$", part, re.MULTILINE)
        yield Item(part.split(" ", 1)[0], {what: re.findall(r"`([^`]+)`", names) for what, names in lines})


def missing_tests(named: list[str]) -> list[str]:
    """Return those tests (a path, or path::function) that the repository does not have."""
    missing = []
    for name in named:
        path, _mark, function = name.partition("::")
        text = (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).is_file() else ""
        if not (ROOT / path).exists() or (function and f"def {function}(" not in text):
            missing.append(name)
    return missing


def test_every_item_has_its_row() -> None:
    expected = [f"{area}{number}" for area, count in ITEMS.items() for number in range(1, count + 1)]
    assert [item.id for item in items()] == expected


@pytest.mark.parametrize("item", list(items()), ids=lambda item: item.id)
def test_what_a_row_names_exists(item: Item) -> None:
    assert set(item.names) <= {"role", "controls", "probes", "shown by"}
    assert item.names["role"]
    assert [role for role in item.names["role"] if not (ROOT / "roles" / role).is_dir()] == []
    assert set(item.names.get("controls", [])) <= set(CONTROLS)
    assert set(item.names.get("probes", [])) <= set(PROBE_THREATS)
    assert item.names["shown by"]
    assert missing_tests(item.names["shown by"]) == []


@pytest.mark.parametrize("item", [item for item in items() if item.id.startswith("T")], ids=lambda item: item.id)
def test_what_a_threat_names_is_about_it(item: Item) -> None:
    assert [name for name in item.names["controls"] if item.id not in CONTROLS[name].threats] == []
    assert set(item.names["probes"]) == {name for name, threats in PROBE_THREATS.items() if item.id in threats}


def test_every_system_has_a_row() -> None:
    rows = [
        row.split("|")[1:5]
        for row in PROTECTION.partition("## Systems of 2016")[2].splitlines()
        if row.startswith("| ")
    ]
    names = " ".join(row[0] for row in rows)
    assert [system for system in SYSTEMS if system not in names] == []
    detected = {name for row in rows[1:] for name in re.findall(r"`(\w+)`", row[3])}
    assert detected - set(CONTROLS) - set(PROBE_THREATS) == {"docker_scan", "docker_registry"}


@pytest.mark.parametrize(
    "page", ["SECURITY.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
)
def test_tests_that_a_page_names_exist(page: str) -> None:
    assert missing_tests(TESTS.findall((ROOT / page).read_text(encoding="utf-8"))) == []


PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _mark, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def _texts_of_python(path: Path) -> Iterator[str]:
    """Yield the texts in a file of code, with … for what is only known when it runs."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


@pytest.fixture(scope="module")
def said() -> str:
    """Return everything that modules, plugins, roles and playbooks can say, blanks and variable parts made one."""
    code = (text for path in (ROOT / "plugins").rglob("*.py") for text in _texts_of_python(path))
    tasks = [*(ROOT / "roles").glob("*/tasks/*.yml"), *(ROOT / "playbooks").glob("*.yml")]
    yaml = [path.read_text(encoding="utf-8") for path in tasks]
    filled = (re.sub(r"{{.*?}}", "…", text, flags=re.DOTALL) for text in yaml)
    return "\n".join(" ".join(text.split()) for text in (*code, *yaml, *filled))


def test_messages_of_the_guide_are_said(said: str) -> None:
    page = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert len(messages) > 30
    assert [message for message in messages if message not in said] == []


def test_every_attack_names_its_test() -> None:
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    attacks = [row for row in page.splitlines() if row.startswith("| ") and not row.startswith("| attacks with")]
    assert len(attacks) > 15
    assert [row for row in attacks if not TESTS.search(row.split("|")[3])] == []


def _specs() -> dict[str, Any]:
    """Return the options of all roles by their names."""
    entries = (yaml.safe_load(path.read_text()) for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
    points = (point for entry in entries for point in entry["argument_specs"].values())
    return {name: option for point in points for name, option in point.get("options", {}).items()}


SPECS = _specs()
OF_PLAYBOOKS = {
    name for path in ROOT.glob("playbooks/*.yml") for name in re.findall(r"\bdocker_[a-z_]+", path.read_text())
} | {"docker_hardening_profile"}  # which is the default of the roles' own


def _settings(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a document sets, at any depth."""
    if isinstance(node, dict):
        yield from ((str(name), value) for name, value in node.items())
    for inner in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _settings(inner)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_set_what_roles_take(page: Path) -> None:
    """Each snippet of YAML can be read, and has only variables that exist, with values that their roles take."""
    text = page.read_text(encoding="utf-8")
    for indent, snippet in re.findall(r"^( *)```yaml\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        documents = list(yaml.safe_load_all(re.sub(f"^{indent}", "", snippet, flags=re.MULTILINE)))
        given = [(name, value) for name, value in _settings(documents) if name.startswith("docker_")]
        assert [name for name, _value in given if name not in SPECS and name not in OF_PLAYBOOKS] == [], snippet
        for name, value in given:
            if name in SPECS:
                assert ArgumentSpecValidator({name: SPECS[name]}).validate({name: value}).error_messages == [], snippet


# the walk-through of contributing.md makes a variable of its own
@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "contributing.md"], ids=lambda page: page.name)
def test_commands_set_what_exists(page: Path) -> None:
    commands = "".join(re.findall(r"^ *```(?:console|sh)\n(.*?)^ *```", page.read_text(), re.MULTILINE | re.DOTALL))
    named = re.findall(r'-e (docker_\w+)=|"(docker_\w+)":', commands)
    assert {first or second for first, second in named} - set(SPECS) - OF_PLAYBOOKS == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_variables_look_up_lie_with_the_inventory(page: Path) -> None:
    """Under the collection's own playbooks Ansible looks for others beside these, where a user has none."""
    looked_up = re.findall(r"lookup\('ansible\.builtin\.file', (.*?)\)", page.read_text(encoding="utf-8"))
    assert [path for path in looked_up if not path.startswith("inventory_dir")] == []
