# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.scan import formats
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import (
    MAX_DETECTIONS,
    Detection,
    ScanError,
    ScanResult,
    iso_date,
    severity,
)

FIXTURES = Path(__file__).parents[3] / "fixtures/scans"


def read(name: str) -> ScanResult:
    return formats.read((FIXTURES / name).read_bytes())


def seen(result: ScanResult) -> list[tuple[str, str, str]]:
    return [(item.id, item.status, item.severity) for item in result.detections]


@pytest.mark.parametrize("name", ["xccdf.xml", "arf.xml"])
def test_a_guide_tells_each_rule_that_its_profile_selects(name: str) -> None:
    result = read(name)
    prefix = "xccdf_org.breakwater_rule_"
    assert seen(result) == [
        (f"{prefix}users", "pass", "high"),
        (f"{prefix}note", "fail", "high"),
        (f"{prefix}elsewhere", "not_applicable", "low"),
        (f"{prefix}by_hand", "manual", "medium"),
    ]
    assert result.detections[1].title == "The note is there"
    assert (result.scanner, result.version) == ("OpenSCAP", "1.4.2")
    assert result.content.endswith("1.2.3")
    assert result.content_date == "2026-11-01"
    assert not result.vulnerabilities
    assert result.counts == {"pass": 1, "fail": 1, "notapplicable": 1, "notchecked": 1, "notselected": 1}


def test_oval_lists_what_is_there_and_counts_what_is_not() -> None:
    result = read("oval.xml")
    assert seen(result) == [("CVE-2026-0001", "fail", "critical")]
    assert result.detections[0].url.endswith("/CVE-2026-0001")
    assert result.counts == {"true": 1, "false": 1}
    assert (result.version, result.content_date) == ("1.4.2", "2026-11-20")
    assert result.vulnerabilities
    assert result.platforms == ("Debian GNU/Linux",)


def test_a_definition_that_finds_out_what_is_installed_names_no_platform_of_flaws() -> None:
    text = (FIXTURES / "oval.xml").read_text().replace('class="vulnerability"', 'class="inventory"')
    assert formats.read(text.encode()).platforms == ()


def test_what_oval_could_not_decide_is_an_error() -> None:
    text = (FIXTURES / "oval.xml").read_text()
    changed = text.replace('def:2" result="false"', 'def:2" result="unknown"')
    assert ("CVE-2026-0002", "error", "medium") in seen(formats.read(changed.encode()))


def test_trivy_tells_flaws_configuration_and_secrets() -> None:
    result = read("trivy.json")
    assert seen(result) == [
        ("CVE-2026-1001", "fail", "critical"),
        ("CVE-2026-1001", "fail", "critical"),
        ("CVE-2026-1002", "fail", "medium"),
        ("secret-aws-access-key-id", "fail", "critical"),
        ("AVD-DS-0002", "fail", "high"),
        ("AVD-DS-0005", "pass", "low"),
    ]
    first = result.detections[0]
    assert (first.package, first.installed, first.fixed) == ("libexample1", "1.0-1", "1.0-2")
    assert "KEY =" not in repr(result)


def test_grype_tells_flaws_and_the_date_of_its_data() -> None:
    result = read("grype.json")
    assert seen(result) == [("CVE-2026-1001", "fail", "high"), ("GHSA-xxxx-yyyy-zzzz", "fail", "low")]
    assert [item.fixed for item in result.detections] == ["1.0-2", ""]
    assert (result.version, result.content_date) == ("0.104.0", "2026-11-23")


def test_grype_before_its_sixth_database_tells_the_date_elsewhere() -> None:
    report = json.loads((FIXTURES / "grype.json").read_text())
    report["descriptor"]["db"] = {"built": "2024-01-31T01:00:00Z", "schemaVersion": 5}
    assert formats.read(json.dumps(report).encode()).content_date == "2024-01-31"


def test_clair_tells_flaws_by_package_and_no_date() -> None:
    result = read("clair.json")
    assert seen(result) == [("CVE-2026-1001", "fail", "medium"), ("CVE-2026-1003", "fail", "medium")]
    assert [item.package for item in result.detections] == ["libexample1", "tar"]
    assert [item.fixed for item in result.detections] == ["1.0-2", ""]
    assert result.detections[0].url == "https://security-tracker.example.org/CVE-2026-1001"
    assert result.content_date == ""


def test_black_duck_leaves_out_what_its_users_settled() -> None:
    report = json.loads((FIXTURES / "blackduck.json").read_text())
    for document in (report, report["items"]):
        result = formats.read(json.dumps(document).encode())
        assert seen(result) == [("CVE-2026-1001", "fail", "critical")]
        assert (result.detections[0].package, result.detections[0].installed) == ("Example", "1.0")


def test_a_bill_of_materials_counts_components() -> None:
    recorded = read("cyclonedx.json")
    assert (recorded.counts, recorded.vulnerabilities, recorded.detections) == ({"components": 3}, False, ())
    assert "cyclonedx-py" in recorded.content
    listed = read("spdx.json")
    assert (listed.counts, listed.vulnerabilities, listed.content) == ({"components": 2}, False, "lister-2.0")


def test_a_bill_of_materials_with_flaws_leaves_out_those_that_do_not_affect() -> None:
    result = read("cyclonedx-vulnerabilities.json")
    assert seen(result) == [("CVE-2026-1001", "fail", "critical")]
    assert result.detections[0].package == "libexample1"
    assert result.content_date == "2026-11-22"


BOMB = """<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>
<oval_results xmlns="http://oval.mitre.org/XMLSchema/oval-results-5">&b;</oval_results>"""
EXTERNAL = '<!DOCTYPE b SYSTEM "file:///etc/passwd"><Benchmark/>'


@pytest.mark.parametrize(
    "data",
    [
        BOMB.encode(),
        EXTERNAL.encode(),
        BOMB.encode("utf-16"),
        b"<a>" * 100_000,
        b"<Benchmark/>",
        b"<oval_results/>",
        b"<other/>",
        b"<Benchmark><TestResult>",
        b"[" * 100_000,
        b"{}",
        b"[]",
        b"null",
        b"",
        b"\xff\xfe\x00",
        b'{"SchemaVersion": 1}',
        b'{"matches": {}}',
        b'{"matches": [1]}',
        b'{"matches": [{}]}',
        b'{"SchemaVersion": 2, "Results": "x"}',
        b'{"items": [{}]}',
        b'{"bomFormat": "other"}',
        b'{"bomFormat": "CycloneDX", "vulnerabilities": [{}]}',
        b'{"spdxVersion": "SPDX-3.0"}',
    ],
)
def test_what_is_no_output_of_a_scanner_is_refused_with_a_reason(data: bytes) -> None:
    with pytest.raises(ScanError, match=r"^(it|its|an|a) "):
        formats.read(data)


@pytest.mark.parametrize("name", ["oval.xml", "xccdf.xml", "arf.xml"])
def test_results_with_a_document_type_are_refused(name: str) -> None:
    head, body = (FIXTURES / name).read_text().split("?>", 1)
    declared = f'{head}?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>{body}'
    with pytest.raises(ScanError, match="document type"):
        formats.read(declared.encode(), name.partition(".")[0].replace("arf", "xccdf"))


@pytest.mark.parametrize("form", formats.READERS)
@pytest.mark.parametrize("value", [None, 1, "x", [], {}, [None], {"x": None}])
def test_no_reader_stumbles_over_other_types(form: str, value: Any) -> None:
    names = ("Results", "matches", "vulnerabilities", "package_vulnerabilities", "items", "components", "metadata")
    top = {"SchemaVersion": 2, "manifest_hash": "x", "bomFormat": "CycloneDX", "spdxVersion": "SPDX-2.3"}
    for name in names:
        data = json.dumps({**top, "matches": [], "items": [], name: value}).encode()
        with contextlib.suppress(ScanError):
            assert isinstance(formats.read(data, form), ScanResult)


def test_too_many_entries_are_refused() -> None:
    many = [{"vulnerability": {"id": "x"}, "artifact": {}}] * (MAX_DETECTIONS + 1)
    with pytest.raises(ScanError, match="more than"):
        formats.read(json.dumps({"matches": many}).encode())


def test_words_of_scanners_become_those_of_the_report() -> None:
    words = ("CRITICAL", "Important", "moderate", "Negligible", "UNKNOWN", None, "Defcon1")
    assert [severity(word) for word in words] == ["critical", "high", "medium", "low", "medium", "medium", "medium"]
    assert [iso_date(word) for word in ("2026-11-25T01:02:03Z", "25.11.2026", None, 7)] == ["2026-11-25", "", "", ""]


def test_long_text_is_cut() -> None:
    report = {"matches": [{"vulnerability": {"id": "x", "description": "a\n" * 5000}, "artifact": {"name": "b"}}]}
    (found,) = formats.read(json.dumps(report).encode()).detections
    assert isinstance(found, Detection)
    assert len(found.title) < 600
    assert "\n" not in found.title
