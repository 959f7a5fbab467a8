# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import errno
import functools
import json
import operator
import os
from pathlib import Path
from typing import Any

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


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((), {"engine": None}),
        ((), {"score": "87"}),
        ((), {"score": float("nan")}),
        ((), {"reason": 5}),
        ((), {"assessed_at": 5}),
        ((), {"assessed_at": "2026-11-24T99:00:00Z"}),
        ((), {"assessed_at": "2026-11-4T01:00:00Z"}),
        ((), {"run": None}),
        ((), {"unused_waivers": [{"control": "c1"}]}),
        ((), {"proof": {}}),
        (("summary",), {"fail": "3"}),
        (("findings", 0), {"title": None}),
        (("findings", 0), {"message": ["x"]}),
        (("findings", 0), {"threats": ["T9"]}),
        (("findings", 0), {"evidence": float("inf")}),
        (("findings", 0), {"waiver": {"control": "c1"}}),
        (("findings", 0), {"refs": []}),
        (("findings", 0, "refs"), {"cis_1_8": 5.1}),
        (("findings", 0, "object"), {"name": None}),
        (("findings", 0, "remediation"), {"variable": 5}),
    ],
)
def test_what_no_audit_writes_costs_its_own_host_only(tmp_path: Path, place: tuple[Any, ...], value: Any) -> None:
    factory.write_hosts(tmp_path, [factory.host_report("h1"), factory.host_report("h2")])
    raw = json.loads(host_file(tmp_path, "h1").read_text(encoding="utf-8"))
    functools.reduce(operator.getitem, place, raw).update(value)
    host_file(tmp_path, "h1").write_text(json.dumps(raw), encoding="utf-8")
    assert assessed(list(sources.of_directories([tmp_path]))) == {"h1": False, "h2": True}


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


def test_an_older_result_does_not_pass_for_one_that_is_damaged(tmp_path: Path) -> None:
    for name in ("east", "west"):
        factory.write_hosts(tmp_path / name, [factory.host_report("both")])
    host_file(tmp_path / "west", "both").write_text("{")
    for order in (["east", "west"], ["west", "east"]):
        (document,) = sources.of_directories([tmp_path / name for name in order])
        assert not document.report["assessed"]
        assert "west/hosts/both.json is not a host's report" in document.report["reason"]


def test_a_directory_without_hosts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a report directory"):
        list(sources.of_directories([tmp_path]))
    factory.write_hosts(tmp_path / "whole", [factory.host_report("h1")])
    (tmp_path / "empty/hosts").mkdir(parents=True)
    (tmp_path / "empty/hosts/.report.abc").write_text("{")  # of a run that was killed
    with pytest.raises(InputError, match="empty/hosts has no host's file; copy it again"):
        list(sources.of_directories([tmp_path / "whole", tmp_path / "empty"]))


def test_a_directory_that_this_user_may_not_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "iterdir", refuse)
    with pytest.raises(InputError, match="hosts can't be read: Permission denied"):
        list(sources.of_directories([tmp_path]))
