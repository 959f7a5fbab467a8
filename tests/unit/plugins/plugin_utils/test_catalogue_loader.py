# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader
from ansible_collections.breakwater.docker.plugins.plugin_utils.rules import self_test

RULE: dict[str, Any] = {
    "id": "own_rule",
    "title": "Container has the estate's label",
    "scope": "container",
    "severity": "low",
    "profiles": ["baseline", "strict"],
    "threats": ["T8"],
    "refs": {},
    "expect": "name != 'bad'",
    "remediation": {"text": "Rename it."},
    "tests": {"pass": [{"name": "web"}], "fail": [{"name": "bad"}]},
}


def rule_file(path: Path, *rules: Any) -> Path:
    path.write_text(yaml.safe_dump(list(rules)))
    return path


@pytest.mark.parametrize("control_id", list(catalogue_loader.builtin()))
def test_the_examples_of_each_control_come_out_as_they_say(control_id: str) -> None:
    assert self_test(catalogue_loader.builtin()[control_id]) == []


def test_a_users_rule_joins_the_catalogue(tmp_path: Path) -> None:
    assert "own_rule" in catalogue_loader.load([rule_file(tmp_path / "own.yml", RULE)])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"expect": "nmae != 'bad'"}, r"control 'own_rule', expect: .* unknown field 'nmae'; did you mean 'name'"),
        ({"expcet": "true"}, "unknown key 'expcet'; did you mean 'expect'"),
        ({"scope": "containers"}, r"scope is 'containers'; write one of host"),
        ({"severity": "urgent"}, "severity is 'urgent'"),
        ({"refs": {"cis_1_8": 5.1}}, "without quotes YAML reads 5.1"),
        ({"tests": {"pass": [{"name": "web"}]}}, "at least one passing and one failing example"),
        (
            {"tests": {"pass": [{"name": "bad"}], "fail": [{"name": "web"}]}},
            "should be (pass but is fail|fail but is pass)",
        ),
        ({"tests": {"pass": [{"nam": "x"}], "fail": [{"name": "bad"}]}}, "unknown field 'nam'"),
        ({"threats": ["T9"]}, "threats is"),
        ({"id": "Own Rule"}, "lower case"),
        ({"remediation": {"text": "x", "rolle": "y"}}, "write text, role and variable, each as text"),
        ({"remediation": {"text": "x", "variable": "y"}}, "needs both role and variable, or neither"),
        ({"profiles": []}, "it would never be judged; name baseline or strict"),
        ({True: "true"}, "unknown key True; known keys"),
        ({"title": 5}, "title is 5; write it as text"),
        ({"title": None, "expect": None}, "lacks title"),
        ({"expect": None}, "needs expect"),
        ({"expect": True}, "expect is True; write it as text, in quotes"),
        ({"select": False}, "select is False; write it as text, in quotes"),
        ({"evidence": {"name": "name"}}, "evidence is .*; write it as text, in quotes"),
        ({"rationale": 5}, "rationale is 5; write it as text"),
        ({"manual": 1}, "manual is 1; write true, or an expression"),
        ({"override": "no"}, "override is 'no'; write true or false, without quotes"),
        ({"tests": []}, r"tests is \[\]; write a mapping"),
        ({"tests": {**RULE["tests"], "passes": []}}, "tests is .*; write a mapping of pass, fail, manual"),
        ({"tests": {"pass": {"name": "web"}, "fail": [{"name": "bad"}]}}, "tests is .*to lists of objects"),
        ({"tests": {"pass": ["web"], "fail": [{"name": "bad"}]}}, "tests is .*to lists of objects"),
        ({"tests": {"pass": [{"engine": None}], "fail": [{"name": "bad"}]}}, "tests is .*to lists of objects"),
        ({"expect": "matches(name, '(')"}, "should be (pass|fail) but is error .*unterminated subpattern"),
        ({"override": True}, "overrides nothing"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_and_where(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        catalogue_loader.load([rule_file(tmp_path / "own.yml", {**RULE, **change})])
    assert "own.yml" in str(caught.value)


@pytest.mark.parametrize("text", ["a: [", "just text", "- 5"])
def test_a_file_that_is_no_list_of_controls_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yml").write_text(text)
    with pytest.raises(InputError, match=r"own\.yml"):
        catalogue_loader.load([tmp_path / "own.yml"])


def test_a_key_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    text = yaml.safe_dump([RULE]) + yaml.safe_dump([{**RULE, "id": "second_rule"}]).replace("- ", "  ", 1)
    (tmp_path / "own.yml").write_text(text)
    with pytest.raises(InputError, match=r"'expect' is there twice in .*own\.yml"):
        catalogue_loader.load([tmp_path / "own.yml"])


def test_replacing_a_control_has_to_be_said(tmp_path: Path) -> None:
    own = rule_file(tmp_path / "own.yml", RULE)
    again = rule_file(tmp_path / "again.yml", {**RULE, "severity": "high"})
    with pytest.raises(InputError, match="exists already"):
        catalogue_loader.load([own, again])
    rule_file(again, {**RULE, "severity": "high", "override": True})
    assert catalogue_loader.load([own, again])["own_rule"].control.severity == "high"


@pytest.mark.parametrize("selector", ["own_rule", "low", "T8", "container"])
def test_selection_by_id_severity_threat_and_scope(tmp_path: Path, selector: str) -> None:
    controls = catalogue_loader.load([rule_file(tmp_path / "own.yml", RULE)])
    assert "own_rule" in [item.control.id for item in catalogue_loader.select(controls, "baseline", [selector])]


@pytest.mark.parametrize("selector", ["5.10", "cis_5_10", "cis_1_8:5.10"])
def test_selection_by_cis_number_is_not_by_prefix(selector: str) -> None:
    chosen = catalogue_loader.select(catalogue_loader.builtin(), "strict", [selector])
    assert [item.control.refs["cis_1_8"] for item in chosen] == ["5.10"]


def test_selection_by_section() -> None:
    chosen = catalogue_loader.select(catalogue_loader.builtin(), "strict", ["5"])
    assert {item.control.refs["cis_1_6"].split(".")[0] for item in chosen} == {"5"}
    assert len(chosen) == 32


def test_an_unknown_selector_is_refused() -> None:
    with pytest.raises(InputError, match="No control is named 'cis_5_100'; did you mean"):
        catalogue_loader.select(catalogue_loader.builtin(), "baseline", ["cis_5_100"])


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(InputError, match="profile 'paranoid' is unknown"):
        catalogue_loader.select(catalogue_loader.builtin(), "paranoid")
