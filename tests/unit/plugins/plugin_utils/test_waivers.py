# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils import waivers
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding, ObjectRef, Remediation, Waiver

TODAY = date(2026, 11, 24)
RAW = {"control": "c1", "reason": "legacy", "owner": "ops", "expires": "2026-12-31"}


def finding(status: str = "fail", control: str = "c1", name: str = "web") -> Finding:
    subject = ObjectRef("container", "abc", name)
    return Finding(control, "t", "container", "high", status, subject, {}, (), None, "Not so.", Remediation("fix"))


def applied(waiver: Waiver, *findings: Finding) -> tuple[list[Finding], list[Waiver]]:
    return waivers.apply([waiver], findings, "host1", TODAY)


def test_a_waiver_marks_a_failure_and_keeps_it_visible() -> None:
    marked, unused = applied(Waiver(**RAW), finding(), finding("pass"), finding(control="c2"))
    assert [item.status for item in marked] == ["waived", "pass", "fail"]
    assert marked[0].message == "Accepted by ops until 2026-12-31: legacy"
    assert marked[0].waiver == Waiver(**RAW)
    assert unused == []


def test_an_expired_waiver_fails_and_says_so() -> None:
    marked, unused = applied(Waiver(**{**RAW, "expires": "2026-11-23"}), finding())
    assert marked[0].status == "fail"
    assert "expired on 2026-11-23" in marked[0].message
    assert marked[0].waiver is not None
    assert unused == []


def test_a_waiver_holds_through_its_last_day() -> None:
    assert applied(Waiver(**{**RAW, "expires": "2026-11-24"}), finding())[0][0].status == "waived"


@pytest.mark.parametrize(
    ("selector", "status"), [("web", "waived"), ("w*", "waived"), ("abc", "waived"), ("db", "fail")]
)
def test_objects_are_selected_by_name_or_id(selector: str, status: str) -> None:
    assert applied(Waiver(**RAW, objects=selector), finding())[0][0].status == status


def test_a_waiver_of_another_host_covers_nothing_and_is_not_missed_here() -> None:
    marked, unused = applied(Waiver(**RAW, hosts="db*"), finding())
    assert (marked[0].status, unused) == ("fail", [])


def test_an_unused_waiver_is_told_whichever_place_it_has() -> None:
    waiver = Waiver(**RAW)
    other = Waiver(**{**RAW, "control": "c2"})
    assert applied(waiver, finding("pass"))[1] == [waiver]
    assert waivers.apply([other, waiver], [finding()], "host1", TODAY)[1] == [other]


@pytest.mark.parametrize("status", ["error", "manual"])
def test_what_is_not_decided_is_not_accepted_and_its_waiver_is_not_called_unused(status: str) -> None:
    marked, unused = applied(Waiver(**RAW), finding(status))
    assert (marked[0].status, marked[0].message) == (status, "Not so. The waiver of ops accepts a failure only.")
    assert marked[0].waiver == Waiver(**RAW)
    assert unused == []


def test_of_several_waivers_the_one_that_holds_longest_counts() -> None:
    short, long = (Waiver(**{**RAW, "expires": expires}) for expires in ("2026-11-23", "2027-01-31"))
    for order in ([short, long], [long, short]):
        marked, unused = waivers.apply(order, [finding()], "host1", TODAY)
        assert (marked[0].status, marked[0].waiver, unused) == ("waived", long, [])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"expires": None}, "lacks expires"),
        ({"expires": "soon"}, "write a date such as"),
        ({"expires": "20271231"}, "write a date such as"),
        ({"expires": "2027-W05-7"}, "write a date such as"),
        ({"owner": ""}, "lacks owner"),
        ({"reason": "  "}, "lacks reason"),
        ({"hosts": ""}, "lacks hosts"),
        ({5: "x", "until": "x"}, "unknown key 5"),
        ({"control": "c9"}, "names no control"),
        ({"until": "x"}, "unknown key 'until'"),
        ({"reason": 5}, "reason has to be text"),
    ],
)
def test_a_wrong_waiver_is_refused(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(yaml.safe_dump([{**RAW, **change}]))
    with pytest.raises(InputError, match=complaint) as refused:
        waivers.load([path], ["c1"])
    assert str(refused.value).startswith(f"waivers.yml: the waiver of {change.get('control', 'c1')!r}")


@pytest.mark.parametrize("entry", ["c1", ["c1"], None])
def test_a_waiver_that_is_no_mapping_is_refused(tmp_path: Path, entry: Any) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(yaml.safe_dump([entry]))
    with pytest.raises(InputError, match=r"^waivers\.yml: a waiver is a mapping with control, reason, owner, expires"):
        waivers.load([path], ["c1"])


def test_a_scan_takes_the_waivers_of_the_users_own_rules(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(yaml.safe_dump([RAW]))
    assert waivers.load([path], None)[0].control == "c1"


def test_a_waiver_says_which_file_it_is_from(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text(yaml.safe_dump([RAW]))
    assert waivers.load([path], ["c1"]) == [Waiver(source="waivers.yml", **RAW)]


def test_an_unquoted_date_is_a_date(tmp_path: Path) -> None:
    path = tmp_path / "waivers.yml"
    path.write_text("- {control: c1, reason: r, owner: o, expires: 2026-12-31}")
    assert waivers.load([path], ["c1"])[0].expires == "2026-12-31"


@pytest.mark.parametrize(
    "name", ["CVE-2026-0001", "GHSA-xxxx-yyyy-zzzz", "xccdf_org.example_rule_x", "scan_data_current"]
)
def test_what_scanners_find_can_be_waived(name: str) -> None:
    waiver = waivers.parse({**RAW, "control": name}, "waivers.yml", {"c1"})
    assert waivers.of_scans(waiver.control)
    assert not waivers.of_scans("c1")
