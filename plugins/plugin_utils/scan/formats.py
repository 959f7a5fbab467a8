# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Which reader fits a scanner's output.

from __future__ import annotations

from typing import Callable

from ansible_collections.breakwater.docker.plugins.plugin_utils.scan import openscap, sbom, scanners
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import ScanError, ScanResult
from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.readers import json_value, root_name

READERS: dict[str, Callable[[bytes], ScanResult]] = {
    "xccdf": openscap.xccdf,
    "oval": openscap.oval,
    "trivy": scanners.trivy,
    "grype": scanners.grype,
    "clair": scanners.clair,
    "blackduck": scanners.blackduck,
    "cyclonedx": sbom.cyclonedx,
    "spdx": sbom.spdx,
}
#: What only a document of this format has at its top.
_KEYS = {
    "bomFormat": "cyclonedx",
    "spdxVersion": "spdx",
    "manifest_hash": "clair",
    "matches": "grype",
    "SchemaVersion": "trivy",
    "items": "blackduck",
}
_ROOTS = {
    "Benchmark": "xccdf",
    "TestResult": "xccdf",
    "asset-report-collection": "xccdf",
    "oval_results": "oval",
}


def read(data: bytes, form: str = "auto") -> ScanResult:
    """Read a scanner's output in the format `form`, by default the one that it looks like; ScanError says why not."""
    found = detect(data) if form == "auto" else form
    return READERS[found](data)


def detect(data: bytes) -> str:
    """Return the format of an output; ScanError where it is none that is known."""
    if data.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"<":
        form = _ROOTS.get(root_name(data))
    else:
        top = json_value(data)
        first = top[0] if isinstance(top, list) and top else top
        keys = first if isinstance(first, dict) else {}
        form = next((name for key, name in _KEYS.items() if key in keys), None)
        if isinstance(top, list) and "vulnerabilityWithRemediation" in keys:
            form = "blackduck"
    if form is None:
        raise ScanError(f"it is none of the formats {', '.join(READERS)}")
    return form
