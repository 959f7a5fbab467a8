# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.report import proofs, sources, summary
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import host_file
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory

_SCHEMA = json.loads((Path(__file__).parents[5] / "docs" / "report.schema.json").read_text(encoding="utf-8"))


def proven(directory: Path) -> dict[str, Any]:
    found = [*sources.of_run(directory, ["web"], factory.RUN), *sources.of_directories([directory])]
    told = [document.report.get("proof") for document in found]
    assert told == [json.loads(document.text).get("proof") for document in found]
    assert told[0] == told[1]
    return told[0]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    factory.write_hosts(tmp_path, [factory.host_report("web")])
    return tmp_path


def test_a_proof_of_the_same_run_is_part_of_the_hosts_report(directory: Path) -> None:
    factory.write_proof(directory, "web")
    assert proven(directory) == factory.proof()
    assert oct(host_file(directory, "web", "probes").stat().st_mode & 0o777) == "0o640"


def test_a_proof_of_another_run_is_none(directory: Path) -> None:
    factory.write_proof(directory, "web", run="yesterday")
    assert proven(directory) is None


@pytest.mark.parametrize(
    "damage",
    [
        {"threats": {"T9": {"default": "contained", "hardened": "contained"}}},
        {"threats": {"T1": {"default": "<b>", "hardened": "contained"}}},
        {"threats": []},
        {"threats": {}},
        {"started": "yes"},
        {"reason": 5},
        {"containers": [{"name": "web", "exposed": [{"probe": "mount"}]}]},
        {"containers": [{"name": None, "exposed": []}]},
        {"probes": [{"id": "x", "default": {"verdict": "fine"}, "hardened": {"verdict": "contained"}}]},
    ],
)
def test_a_damaged_proof_is_none(directory: Path, damage: dict[str, Any]) -> None:
    proofs.write(directory, "web", {**factory.proof(), **damage}, factory.RUN)
    assert proven(directory) is None
    host_file(directory, "web", "probes").write_text("{")
    assert proven(directory) is None


def test_reports_with_proofs_are_what_the_schema_says(tmp_path: Path) -> None:
    factory.write_proof(tmp_path, "web")
    factory.write_proof(tmp_path, "db", started=False)
    fleet = factory.write_reports(tmp_path, [factory.host_report("web"), factory.host_report("db")], "json", "html")
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(_SCHEMA).validate(content)
    assert [host["proof"]["started"] for host in content["hosts"]] == [False, True]
    [head, *hosts] = summary.lines(fleet)[-3:]
    assert head == "  Threats contained, as probes prove:"
    assert sorted(hosts) == [
        "    db: In check mode no container is started: web-0.",
        "    web: 2 of 8 under docker run (T6 exposed), 3 of 8 under docker_workload",
    ]


def test_running_containers_are_told_once_for_the_same_exposure() -> None:
    proof = factory.proof()
    proof["containers"][1]["exposed"] = proof["containers"][0]["exposed"]
    assert proofs.exposed_containers(proof) == {("mount", "web-0 may"): ["web-0", "db"]}


def test_nothing_of_a_proof_is_markup(tmp_path: Path) -> None:
    factory.write_proof(tmp_path, "web", text=factory.HOSTILE)
    fleet = factory.write_reports(tmp_path, [factory.host_report("web")], "html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert all(line.isprintable() for line in summary.lines(fleet))
