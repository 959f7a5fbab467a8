# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.model import (
    Finding,
    HostReport,
    ObjectRef,
    Remediation,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.report_directory import (
    add_to_host,
    host_file,
    write_host,
)


def report(control: str, source: str = "audit") -> HostReport:
    subject = ObjectRef("image", "sha256:01", "web:1")
    fix = Remediation("Mend it.")
    made = Finding(control, "t", "image", "high", "fail", subject, {}, (), None, "No.", fix, source=source)
    return HostReport.of("host1", [made], {"version": "26.1.5"} if source == "audit" else {})


def written(directory: Path) -> dict[str, Any]:
    return json.loads(host_file(directory, "host1").read_text())


def test_a_scan_joins_the_audit_of_the_same_run(tmp_path: Path) -> None:
    write_host(tmp_path, report("c1"), "run1")
    add_to_host(tmp_path, report("CVE-2026-0001", "scan"), "run1")
    found = written(tmp_path)
    assert [item["control"] for item in found["findings"]] == ["c1", "CVE-2026-0001"]
    assert (found["summary"]["fail"], found["score"], found["engine"]) == (2, 0, {"version": "26.1.5"})


def test_a_host_that_could_not_be_audited_stays_not_assessed(tmp_path: Path) -> None:
    write_host(tmp_path, HostReport.not_assessed("host1", "Gone."), "run1")
    add_to_host(tmp_path, report("CVE-2026-0001", "scan"), "run1")
    found = written(tmp_path)
    assert (found["assessed"], found["findings"]) == (False, [])


@pytest.mark.parametrize("earlier", ["other run", "damaged", "none"])
def test_a_scan_alone_is_a_report_of_its_own(tmp_path: Path, earlier: str) -> None:
    if earlier == "other run":
        write_host(tmp_path, report("c1"), "run0")
    elif earlier == "damaged":
        write_host(tmp_path, report("c1"), "run1")
        host_file(tmp_path, "host1").write_text("[")
    add_to_host(tmp_path, report("CVE-2026-0001", "scan"), "run1")
    found = written(tmp_path)
    assert [item["control"] for item in found["findings"]] == ["CVE-2026-0001"]
    assert (found["run"], found["assessed"]) == ("run1", True)
