# The collection as users get it: built, installed into an empty path, and used from there and from nowhere else.

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def collections(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("build")
    subprocess.run(["ansible-galaxy", "collection", "build", str(ROOT), "--output-path", str(directory)], check=True)
    [tarball] = directory.glob("breakwater-docker-*.tar.gz")
    installed = directory / "collections"
    command = ["ansible-galaxy", "collection", "install", str(tarball), "--collections-path", str(installed)]
    subprocess.run(command, check=True, cwd=directory)
    return installed


def test_tarball_holds_the_collection_and_nothing_of_its_development(collections: Path) -> None:
    installed = {path.name for path in (collections / "ansible_collections/breakwater/docker").iterdir()}
    assert installed >= {
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "docs",
        "meta",
        "playbooks",
        "plugins",
        "roles",
    }
    assert installed.isdisjoint(
        {"Makefile", "demo", "molecule", "reports", "tests", ".venv", ".git", ".cache", ".config"}
    )


def environment_of(collections: Path) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {**environment, "ANSIBLE_COLLECTIONS_PATH": str(collections)}


def run_installed(command: list[str], collections: Path, directory: Path) -> None:
    """Run a command in the directory with the installed copy; AssertionError with what it said when it fails."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=environment_of(collections),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_playbook_runs_from_the_installed_copy(collections: Path, tmp_path: Path) -> None:
    command = ["ansible-playbook", "breakwater.docker.compliance", "-i", "localhost,", "-c", "local"]
    variables = {"docker_compliance_report_dir": str(tmp_path / "reports")}
    run_installed([*command, "-e", json.dumps(variables)], collections, tmp_path)
    [host] = json.loads((tmp_path / "reports/report.json").read_text())["hosts"]
    assert host["assessed"], host["reason"]
    assert host["summary"]["pass"] > 0
    assert host["summary"]["error"] == 0


@pytest.mark.parametrize("guide", ["waivers.md", "writing_rules.md"])
def test_guide_can_be_followed_to_the_letter(collections: Path, tmp_path: Path, guide: str) -> None:
    """Files that a guide names are made in an empty directory, in which its commands are then given."""
    text = (collections / "ansible_collections/breakwater/docker/docs" / guide).read_text(encoding="utf-8")
    (tmp_path / "inventory").write_text("localhost ansible_connection=local\n", encoding="utf-8")
    files = re.findall(r"^```yaml\n# (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    commands = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert files
    assert commands
    for name, content in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    run_installed(["sh", "-euc", "".join(commands)], collections, tmp_path)
    assert (tmp_path / "reports/report.json").exists()
