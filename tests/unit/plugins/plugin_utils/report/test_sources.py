# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import sources
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import host_file
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory


def assessed(documents: list[sources.HostDocument]) -> dict[str, bool]:
    return {document.report["host"]: document.report["assessed"] for document in documents}


def test_a_host_without_a_file_of_this_run_is_not_assessed(tmp_path: Path) -> None:
    factory.write_hosts(tmp_path, [factory.host_report("fresh")])
    factory.write_hosts(tmp_path, [factory.host_report("stale")], run="yesterday")
    hosts = ["fresh", "stale", "gone"]
    assert assessed(list(sources.of_run(tmp_path, hosts, factory.RUN))) == {
        "fresh": True,
        "stale": False,
        "gone": False,
    }
    # A later merge of directories must not meet yesterday's result either.
    assert assessed(list(sources.of_directories([tmp_path]))) == {"fresh": True, "stale": False, "gone": False}


def test_hosts_of_other_runs_are_left_alone(tmp_path: Path) -> None:
    factory.write_hosts(tmp_path, [factory.host_report("other")], run="yesterday")
    factory.write_hosts(tmp_path, [factory.host_report("mine")])
    assert assessed(list(sources.of_run(tmp_path, ["mine"], factory.RUN))) == {"mine": True}
    assert host_file(tmp_path, "other").exists()


@pytest.mark.parametrize("host", ["fe80::1", "a/b", "..", "%41", "bücher.example", factory.HOSTILE])
def test_any_host_name_has_a_file(tmp_path: Path, host: str) -> None:
    factory.write_hosts(tmp_path, [factory.host_report(host)])
    assert assessed(list(sources.of_run(tmp_path, [host], factory.RUN))) == {host: True}
    assert [path.parent for path in tmp_path.rglob("*.json")] == [tmp_path / "hosts"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"host": "h1"', "null", '"x"', '{"host": "h1", "findings": [{"status": "pass"}]}', "\udcff"],
)
def test_a_damaged_file_is_a_host_that_was_not_assessed(tmp_path: Path, content: str) -> None:
    factory.write_hosts(tmp_path, [factory.host_report("h1"), factory.host_report("h2")])
    host_file(tmp_path, "h1").write_bytes(content.encode(errors="surrogateescape"))
    first, second = sources.of_directories([tmp_path])
    assert (first.report["host"], first.report["assessed"], second.report["assessed"]) == ("h1", False, True)
    assert "is not a host's report of schema 1" in first.report["reason"]
    assert json.loads(first.text) == first.report


@pytest.mark.parametrize(("field", "value"), [("status", "good"), ("severity", "awful")])
def test_a_finding_of_an_unknown_kind_is_not_believed(tmp_path: Path, field: str, value: str) -> None:
    factory.write_hosts(tmp_path, [factory.host_report("h1")])
    raw = json.loads(host_file(tmp_path, "h1").read_text(encoding="utf-8"))
    raw["findings"][0][field] = value
    host_file(tmp_path, "h1").write_text(json.dumps(raw), encoding="utf-8")
    (document,) = sources.of_directories([tmp_path])
    assert value in document.report["reason"]


def test_the_newest_of_several_directories_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = "ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory.utc_now"
    for name, time, trouble in (("east", "2026-11-24T02:00:00Z", 0.9), ("west", "2026-11-24T01:00:00Z", 0.1)):
        monkeypatch.setattr(clock, lambda time=time: time)
        factory.write_hosts(tmp_path / name, [factory.host_report("both", trouble=trouble), factory.host_report(name)])
    documents = list(sources.of_directories([tmp_path / "west", tmp_path / "east"]))
    assert [document.report["host"] for document in documents] == ["both", "east", "west"]
    assert documents[0].report["assessed_at"] == "2026-11-24T02:00:00Z"


def test_a_directory_without_hosts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a report directory"):
        list(sources.of_directories([tmp_path]))
