# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from datetime import date
from pathlib import Path

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding, HostReport, ObjectRef
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan import findings as core
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan import formats
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.findings import Scan
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import Detection, ScanResult
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.platforms import System

FIXTURES = Path(__file__).parents[3] / "fixtures/scans"
TODAY = date(2026, 11, 25)
IMAGE = ObjectRef("image", "sha256:01", "web:1")
HOST = ObjectRef("host", "docker1", "docker1")


def scan(name: str, subject: ObjectRef = IMAGE) -> Scan:
    return Scan(subject, name.partition(".")[0], formats.read((FIXTURES / name).read_bytes()))


def found(*scans: Scan, max_age_days: int = 7) -> dict[tuple[str, str], Finding]:
    made = core.findings(scans, "docker1", TODAY, max_age_days)
    assert len({(item.control, item.object) for item in made}) == len(made)
    return {(item.control, item.object.name): item for item in made}


def test_several_scanners_give_one_finding_of_one_flaw() -> None:
    made = found(scan("trivy.json"), scan("grype.json"), scan("clair.json"))
    flaw = made["CVE-2026-1001", "web:1"]
    assert (flaw.status, flaw.severity, flaw.scope, flaw.source) == ("fail", "critical", "image", "scan")
    assert flaw.evidence["scanners"] == ["clair", "grype", "trivy"]
    assert {item["name"] for item in flaw.evidence["packages"]} == {"libexample1", "example-tools"}
    assert "libexample1 1.0-1 (fixed in 1.0-2)" in flaw.message
    assert "example-tools 1.0-1 (no fix known)" in flaw.message


def test_what_a_scan_compared_with_is_told() -> None:
    made = found(scan("xccdf.xml", HOST), scan("oval.xml"))
    told = made["scan_completed", "docker1"]
    assert told.status == "pass"
    (guide,) = told.evidence["xccdf"]
    assert guide["content"].endswith("1.2.3")
    assert guide["content_date"] == "2026-11-01"
    assert guide["results"]["notapplicable"] == 1
    assert made["xccdf_org.breakwater_rule_elsewhere", "docker1"].status == "not_applicable"


def test_a_scanner_without_a_result_is_an_error_and_never_a_pass() -> None:
    made = found(scan("grype.json"), Scan(IMAGE, "trivy", reason="It is not installed."))
    told = made["scan_completed", "web:1"]
    assert (told.status, told.message) == ("error", "Not scanned: trivy: It is not installed.")
    assert "grype" in told.evidence


def test_old_data_is_a_finding() -> None:
    assert found(scan("grype.json"))["scan_data_current", "docker1"].status == "pass"
    old = found(scan("grype.json"), scan("oval.xml"), max_age_days=4)["scan_data_current", "docker1"]
    assert old.status == "fail"
    assert "2026-11-20" in old.message
    assert "grype" not in old.message


def test_data_of_unknown_age_is_for_a_person() -> None:
    assert found(scan("clair.json"))["scan_data_current", "docker1"].status == "manual"
    assert found(scan("xccdf.xml", HOST))["scan_data_current", "docker1"].status == "not_applicable"


def test_a_guide_for_another_platform_is_a_finding() -> None:
    rules = tuple(Detection(f"rule{number}", "not_applicable", "low") for number in range(3))
    other = Scan(HOST, "openscap", ScanResult("OpenSCAP", content="DEBIAN-12", vulnerabilities=False, detections=rules))
    made = found(other)["scan_content_applies", "docker1"]
    assert (made.status, made.message) == ("fail", "None of its 3 rules applies: DEBIAN-12.")
    assert found(scan("xccdf.xml", HOST))["scan_content_applies", "docker1"].status == "pass"


def by_definitions(system: System | None, *platforms: str) -> Scan:
    return Scan(
        IMAGE, "openscap", ScanResult("OpenSCAP", content_date="2026-11-20", platforms=platforms), system=system
    )


def test_definitions_for_another_system_are_an_error_and_no_pass() -> None:
    alpine, trixie = System("alpine", "3.22.1"), System("debian", "13", "trixie")
    told = found(by_definitions(alpine, "Debian GNU/Linux 13"))["scan_completed", "web:1"]
    assert (told.status, told.severity) == ("error", "critical")
    assert "are for Debian GNU/Linux 13, and this is alpine 3.22.1; give its own" in told.message
    nameless = found(by_definitions(trixie))["scan_completed", "web:1"]
    assert (nameless.status, "no platform that they name" in nameless.message) == ("error", True)
    unknown = found(by_definitions(System(), "Debian GNU/Linux"))["scan_completed", "web:1"]
    assert (unknown.status, "without an os-release" in unknown.message) == ("error", True)


def test_one_file_of_definitions_for_the_system_is_enough() -> None:
    trixie = System("debian", "13", "trixie")
    both = by_definitions(trixie, "Debian GNU/Linux 12"), by_definitions(trixie, "Debian GNU/Linux 13")
    assert found(*both)["scan_completed", "web:1"].status == "pass"
    assert found(by_definitions(None, "Ubuntu 24.04 LTS"))["scan_completed", "web:1"].status == "pass", "imported"


def test_the_score_is_that_of_the_audit() -> None:
    made = list(found(scan("trivy.json")).values())
    assert HostReport.of("docker1", made, {}).score is None
