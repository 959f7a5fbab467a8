# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The JSON of scanners of packages: Trivy (schema 2), Grype, Clair 4's vulnerability report as clairctl prints it, and
# Black Duck's vulnerable components of a project version.

from __future__ import annotations

from typing import Any, Iterator

from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import (
    Detection,
    ScanError,
    ScanResult,
    iso_date,
    severity,
    text,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.readers import (
    json_object,
    json_value,
    mapping,
    objects,
)

#: What Black Duck's users decided about a component; these say that nothing has to be done.
_SETTLED = ("IGNORED", "DUPLICATE", "NOT_AFFECTED", "PATCHED", "REMEDIATION_COMPLETE")
#: Verdicts of Trivy's checks of configuration.
_CHECKED = {"FAIL": "fail", "PASS": "pass", "EXCEPTION": "manual"}


def trivy(data: bytes) -> ScanResult:
    """Read `trivy --format json`: vulnerabilities, misconfigurations and secrets; a secret's match is left out."""
    report = json_object(data)
    if report.get("SchemaVersion") != 2:
        raise ScanError("it is not a report of Trivy in schema 2")
    detections = [found for result in objects(report.get("Results"), "Results") for found in _trivy_result(result)]
    scanner = mapping(report.get("Trivy"))
    return ScanResult("Trivy", text(scanner.get("Version")), "Trivy's database", detections=tuple(detections))


def _trivy_result(result: dict[str, Any]) -> Iterator[Detection]:
    for item in objects(result.get("Vulnerabilities"), "Vulnerabilities"):
        yield Detection(
            id=_identifier(item.get("VulnerabilityID")),
            status="fail",
            severity=severity(item.get("Severity")),
            title=text(item.get("Title")),
            package=text(item.get("PkgName")),
            installed=text(item.get("InstalledVersion")),
            fixed=text(item.get("FixedVersion")),
            url=text(item.get("PrimaryURL")),
        )
    for item in objects(result.get("Misconfigurations"), "Misconfigurations"):
        yield Detection(
            id=_identifier(item.get("AVDID") or item.get("ID")),
            status=_CHECKED.get(text(item.get("Status")), "error"),
            severity=severity(item.get("Severity")),
            title=text(item.get("Title")),
            url=text(item.get("PrimaryURL")),
        )
    for item in objects(result.get("Secrets"), "Secrets"):
        yield Detection(
            id=_identifier(f"secret-{text(item.get('RuleID'))}"),
            status="fail",
            severity=severity(item.get("Severity")),
            title=text(item.get("Title")),
            package=text(result.get("Target")),
        )


def grype(data: bytes) -> ScanResult:
    """Read `grype -o json`; what its ignore rules suppress is left out by Grype itself."""
    report = json_object(data)
    if "matches" not in report:
        raise ScanError("it is not a report of Grype: it has no matches")
    detections = []
    for item in objects(report["matches"], "matches"):
        flaw, package = mapping(item.get("vulnerability")), mapping(item.get("artifact"))
        versions = mapping(flaw.get("fix")).get("versions") or []
        detections.append(
            Detection(
                id=_identifier(flaw.get("id")),
                status="fail",
                severity=severity(flaw.get("severity")),
                title=text(flaw.get("description")),
                package=text(package.get("name")),
                installed=text(package.get("version")),
                fixed=", ".join(text(version) for version in versions if isinstance(versions, list)),
                url=text(flaw.get("dataSource")),
            )
        )
    tool = mapping(report.get("descriptor"))
    database = mapping(tool.get("db"))
    built = mapping(database.get("status")).get("built") or database.get("built")
    return ScanResult("Grype", text(tool.get("version")), "Grype's database", iso_date(built), True, tuple(detections))


def clair(data: bytes) -> ScanResult:
    """Read Clair 4's vulnerability report; it does not say how old its data is."""
    report = json_object(data)
    flaws = mapping(report.get("vulnerabilities"))
    packages = mapping(report.get("packages"))
    if "manifest_hash" not in report:
        raise ScanError("it is not a report of Clair: it has no manifest_hash")
    detections = []
    for package_id, found in mapping(report.get("package_vulnerabilities")).items():
        package = mapping(packages.get(package_id))
        for flaw in (mapping(flaws.get(str(name))) for name in (found if isinstance(found, list) else ())):
            fixed = text(flaw.get("fixed_in_version"))
            detections.append(
                Detection(
                    id=_identifier(flaw.get("name")),
                    status="fail",
                    severity=severity(flaw.get("normalized_severity")),
                    title=text(flaw.get("description")),
                    package=text(package.get("name")),
                    installed=text(package.get("version")),
                    fixed="" if fixed == "0" else fixed,
                    url=text(flaw.get("links")).partition(" ")[0],
                )
            )
    objects([vars(item) for item in detections], "package_vulnerabilities")
    return ScanResult("Clair", "", "Clair's updaters", detections=tuple(detections))


def blackduck(data: bytes) -> ScanResult:
    """Read the answer of Black Duck's `vulnerable-bom-components`, or the list in it; what is settled is left out."""
    report = json_value(data)
    items = objects(report.get("items") if isinstance(report, dict) else report, "items")
    if not isinstance(report, (dict, list)) or any("vulnerabilityWithRemediation" not in item for item in items):
        raise ScanError("it is not a list of vulnerable components of Black Duck")
    detections = []
    for item in items:
        flaw = mapping(item["vulnerabilityWithRemediation"])
        if text(flaw.get("remediationStatus")).upper() in _SETTLED:
            continue
        detections.append(
            Detection(
                id=_identifier(flaw.get("vulnerabilityName")),
                status="fail",
                severity=severity(flaw.get("severity")),
                title=text(flaw.get("description")),
                package=text(item.get("componentName")),
                installed=text(item.get("componentVersionName")),
            )
        )
    return ScanResult("Black Duck", "", "Black Duck's knowledge base", detections=tuple(detections))


def _identifier(value: Any) -> str:
    found = text(value)
    if not found:
        raise ScanError("an entry has no id")
    return found
