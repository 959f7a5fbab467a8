# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Bills of materials: CycloneDX 1.2 to 1.6 in JSON, which may list vulnerabilities as well, and SPDX 2 in JSON.
# Sources: ECMA-424, https://spdx.github.io/spdx-spec/v2.3/.

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
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.readers import json_object, mapping, objects

#: States of a vulnerability's analysis that say that nothing has to be done.
_SETTLED = ("not_affected", "false_positive", "resolved", "resolved_with_pedigree")


def cyclonedx(data: bytes) -> ScanResult:
    """Read a CycloneDX document; analysed vulnerabilities that don't affect the image are left out."""
    document = json_object(data)
    if document.get("bomFormat") != "CycloneDX":
        raise ScanError("it is not a CycloneDX document")
    components = {text(item.get("bom-ref")): item for item in objects(document.get("components"), "components")}
    metadata = mapping(document.get("metadata"))
    lists_flaws = "vulnerabilities" in document
    return ScanResult(
        scanner="CycloneDX",
        version=text(document.get("specVersion")),
        content=" ".join(_tools(metadata.get("tools"))) or "made by an unnamed tool",
        content_date=iso_date(metadata.get("timestamp")) if lists_flaws else "",
        vulnerabilities=lists_flaws,
        detections=tuple(_flaws(document, components)),
        counts={"components": len(components)},
    )


def _tools(raw: Any) -> Iterator[str]:
    """Yield the tools' names; they are a list up to specification 1.4, and an object of lists since 1.5."""
    listed = raw if isinstance(raw, list) else mapping(raw).get("components")
    for tool in objects(listed, "tools"):
        yield " ".join(filter(None, (text(tool.get("name")), text(tool.get("version")))))


def _flaws(document: dict[str, Any], components: dict[str, dict[str, Any]]) -> Iterator[Detection]:
    for flaw in objects(document.get("vulnerabilities"), "vulnerabilities"):
        if text(mapping(flaw.get("analysis")).get("state")) in _SETTLED:
            continue
        identifier = text(flaw.get("id"))
        if not identifier:
            raise ScanError("a vulnerability has no id")
        rating = next(iter(objects(flaw.get("ratings"), "ratings")), {})
        for affected in objects(flaw.get("affects"), "affects") or [{}]:
            component = components.get(text(affected.get("ref")), {})
            yield Detection(
                id=identifier,
                status="fail",
                severity=severity(rating.get("severity")),
                title=text(flaw.get("description")),
                package=text(component.get("name")) or text(affected.get("ref")),
                installed=text(component.get("version")),
                url=text(mapping(flaw.get("source")).get("url")),
            )


def spdx(data: bytes) -> ScanResult:
    """Read an SPDX 2 document, which lists packages and no vulnerabilities."""
    document = json_object(data)
    if not text(document.get("spdxVersion")).startswith("SPDX-2."):
        raise ScanError("it is not an SPDX 2 document")
    creation = mapping(document.get("creationInfo"))
    creators = creation.get("creators")
    tools = [text(name).partition("Tool: ")[2] for name in (creators if isinstance(creators, list) else ())]
    return ScanResult(
        scanner="SPDX",
        version=text(document["spdxVersion"]).partition("-")[2],
        content=" ".join(filter(None, tools)) or "made by an unnamed tool",
        vulnerabilities=False,
        counts={"components": len(objects(document.get("packages"), "packages"))},
    )
