# The audit of the hardened hosts: what sections 2 and 3 of the Benchmark still find, and why the role leaves it so.

from __future__ import annotations

import json
from pathlib import Path

import bed
import pytest

BASELINE = ("breakwater-engine12-baseline", "breakwater-engine13", "breakwater-busy")
STRICT = ("breakwater-engine12", "breakwater-engine13-strict")
#: Controls by their ids, with the reason why the profiles leave them to the site.
SITE = {
    "daemon_authorization_plugin": "which plugin decides, and by what policy, is the site's",
    "daemon_remote_logging": "where the site's logs go",
}
#: A default network with icc stays while containers run; the role says so and a later run mends it.
BUSY = {"daemon_icc_disabled": "containers run since before the hardening"}


@pytest.mark.parametrize(("profile", "hosts"), [("baseline", BASELINE), ("strict", STRICT)])
def test_sections_2_and_3_pass(profile: str, hosts: tuple[str, ...], tmp_path: Path) -> None:
    bed.play(
        "breakwater.docker.compliance",
        docker_hosts=":".join(hosts),
        docker_compliance_profile=profile,
        docker_compliance_report_dir=str(tmp_path),
        docker_compliance_controls=["2", "3"],
    )
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert {host["host"] for host in report["hosts"] if host["assessed"]} == set(hosts)
    for host in report["hosts"]:
        failed = {finding["control"] for finding in host["findings"] if finding["status"] in {"fail", "error"}}
        left = {**SITE, **BUSY} if host["host"] == "breakwater-busy" else SITE
        assert failed <= set(left), host["host"]
        assert len({finding["control"] for finding in host["findings"]}) > 35
