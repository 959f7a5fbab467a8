# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The playbook breakwater.docker.scan on real hosts: OpenSCAP with a small guide and definitions of ours, of which one
# has to hit and one must not, on the host, on images and on a container.

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration import check_mode, container_host
from ansible_collections.breakwater.docker.tests.integration.container_host import (
    ROOT,
    ContainerHost,
    run,
    started,
)

CONTENT = ROOT / "tests/integration/scan_content"
FIXTURES = ROOT / "tests/unit/fixtures/scans"
NAME = "breakwater-scan"
STATE = "/var/lib/breakwater-scan"
HIT, MISS = "CVE-2026-0001", "CVE-2026-0002"


def scan(
    name: str, reports: Path, *arguments: str, playbook: str = "breakwater.docker.scan", code: int = 0, **given: Any
) -> tuple[dict[tuple[str, str], dict[str, Any]], str]:
    """Run the playbook; return the findings by control and object, and what was printed."""
    variables = {"docker_scan_report_dir": str(reports), **given}
    said = container_host.playbook(
        playbook, name, *arguments, "-e", json.dumps(variables), "-v", timeout=600, code=code
    )
    if not (reports / "report.json").exists():
        return {}, said
    (host,) = json.loads((reports / "report.json").read_text())["hosts"]
    return {(found["control"], found["object"]["name"]): found for found in host["findings"]}, said


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    subprocess.run(["docker", "rm", "-fv", NAME], capture_output=True, check=False)
    with started(NAME) as made:
        run("docker", "cp", "-q", str(CONTENT), f"{NAME}:/root/content")
        made.run("sh /root/content/images.sh", timeout=240)
        made.run("ps -A -o pid,lstart,comm | grep ' sleep$' >/root/processes")
        made.run("docker ps --all --no-trunc --quiet | sort >/root/containers")
        yield made


DEFINED: dict[str, Any] = {
    "docker_scan_definitions": [str(CONTENT / "oval.xml")],
    "docker_scan_guide": "/root/content/guide.xml",
    "docker_scan_containers": ["drift*"],
    "docker_scan_max_data_age_days": 100000,
}


def test_check_mode_on_a_pristine_host_writes_nothing(tmp_path: Path) -> None:
    pristine = f"{NAME}-pristine"
    with started(pristine, "breakwater-host:debian13", "systemctl is-system-running --wait") as made:
        before = made.run("dpkg -l; ls -a /var/lib /usr/local/bin /var/cache/apt")
        found, said = scan(pristine, tmp_path / "reports", "--check", "--diff", **DEFINED)
        assert made.run("dpkg -l; ls -a /var/lib /usr/local/bin /var/cache/apt") == before
    assert found == {}
    assert not (tmp_path / "reports").exists()
    assert "+openscap-scanner" in said
    assert '"would_scan": ["host"]' in said


def test_check_mode_says_what_then_changes(host: ContainerHost, tmp_path: Path) -> None:
    host.run("echo '#!/bin/true' >/root/grype")
    binary = {"name": "grype", "url": "file:///root/grype", "sha256": host.run("sha256sum /root/grype").split()[0]}

    def converge(*options: str) -> None:
        scan(host.name, tmp_path / "reports", *options, **DEFINED, docker_scan_binaries=[binary])

    assert check_mode.tried(converge, tmp_path / "changes") == []
    host.run("rm /usr/local/bin/grype")


def test_what_is_there_is_found_and_what_is_not_is_not(host: ContainerHost, tmp_path: Path) -> None:
    made, _said = scan(host.name, tmp_path, **DEFINED)
    verdicts = {key: item["status"] for key, item in made.items()}
    assert verdicts[HIT, NAME] == "fail"
    assert verdicts[HIT, "vulnerable:1"] == "fail"
    assert verdicts[HIT, "drifted"] == "fail"
    assert (HIT, "patched:1") not in verdicts
    # Its package list leads to that of the host, which is not read for it: so nothing can be said.
    assert (verdicts[HIT, "hostile:1"], verdicts[MISS, "hostile:1"]) == ("error", "error")
    assert not [key for key in verdicts if key[1] == "unused:1" or (key[0] == MISS and key[1] != "hostile:1")]
    assert (made[HIT, "vulnerable:1"]["severity"], made[HIT, "vulnerable:1"]["scope"]) == ("critical", "image")
    assert verdicts["scan_completed", "patched:1"] == "pass"
    assert verdicts["scan_data_current", NAME] == "pass"
    assert verdicts["scan_content_applies", NAME] == "pass"
    rules = {key[0].rpartition("rule_")[2]: status for key, status in verdicts.items() if "_rule_" in key[0]}
    assert rules == {"users": "pass", "note": "fail", "elsewhere": "not_applicable", "by_hand": "manual"}
    told = made["scan_completed", NAME]["evidence"]["openscap"]
    assert [(item["content"].split()[-1], item["content_date"]) for item in told] == [
        ("1.2.3", "2026-11-01"),
        ("definitions", "2026-11-20"),
    ]
    for name in ("report.html", "report.sarif", "report.junit.xml"):
        assert HIT in (tmp_path / name).read_text(), name


def test_an_unchanged_image_costs_nothing(host: ContainerHost, tmp_path: Path) -> None:
    made, said = scan(host.name, tmp_path, **DEFINED)
    assert "changed=0" in said
    told = {key[1]: item["evidence"]["openscap"] for key, item in made.items() if key[0] == "scan_completed"}
    assert {name: [item["cached"] for item in items] for name, items in told.items() if name.endswith(":1")} == {
        "vulnerable:1": [True],
        "patched:1": [True],
        "hostile:1": [True],
    }
    assert [item["cached"] for item in told[NAME] + told["drifted"]] == [False] * 3
    assert made[HIT, "vulnerable:1"]["status"] == "fail"
    assert (HIT, "patched:1") not in made


def test_other_definitions_are_not_answered_from_what_is_kept(host: ContainerHost, tmp_path: Path) -> None:
    changed = tmp_path / "oval.xml"
    changed.write_text((CONTENT / "oval.xml").read_text().replace(">0:1<", ">0:98<"))
    made, _said = scan(host.name, tmp_path / "reports", **{**DEFINED, "docker_scan_definitions": [str(changed)]})
    assert made[MISS, "vulnerable:1"]["status"] == "fail"
    assert (MISS, "patched:1") not in made
    kept = host.run(f"ls {STATE}/cache | wc -l")
    assert int(kept) == 6, "what was kept for the former definitions is gone; of each image its system is kept, too"


def test_definitions_for_another_release_say_nothing(host: ContainerHost, tmp_path: Path) -> None:
    files = []
    for release in ("12", "13"):
        files.append(tmp_path / f"oval-{release}.xml")
        files[-1].write_text((CONTENT / "oval.xml").read_text().replace("GNU/Linux<", f"GNU/Linux {release}<"))
    for chosen, verdict in ((files[:1], "error"), (files, "pass")):
        given = {**DEFINED, "docker_scan_definitions": [str(path) for path in chosen]}
        made, _said = scan(host.name, tmp_path / "reports", **given)
        for name in (NAME, "patched:1", "drifted"):
            assert made["scan_completed", name]["status"] == verdict
            told = "are for Debian GNU/Linux 12, and this is debian 13" in made["scan_completed", name]["message"]
            assert told == (verdict == "error")


def test_old_data_and_a_missing_guide_are_findings(host: ContainerHost, tmp_path: Path) -> None:
    given = {**DEFINED, "docker_scan_guide": "auto", "docker_scan_max_data_age_days": 0, "docker_scan_images": []}
    made, said = scan(host.name, tmp_path, code=2, **given, docker_scan_fail_on="high")
    assert made["scan_data_current", NAME]["status"] == "fail"
    assert "2026-11-20" in made["scan_data_current", NAME]["message"]
    # Debian 13 has no guide for itself.
    assert made["scan_content_applies", NAME]["status"] == "fail"
    assert "findings of severity high or worse" in said


def test_audit_and_scan_share_waivers_and_report(host: ContainerHost, tmp_path: Path) -> None:
    waivers = tmp_path / "waivers.yml"
    common = {"reason": "Test", "owner": "test", "expires": "2999-12-31"}
    waivers.write_text(
        json.dumps(
            [
                {"control": HIT, "objects": "vulnerable:*", **common},
                {"control": MISS, "objects": "vulnerable:*", **common},
                {"control": "image_user_not_root", "objects": "vulnerable:1", **common},
                {"control": "image_of_ours", "objects": "vulnerable:1", **common},
            ]
        )
    )
    rules = tmp_path / "rules.yml"
    rules.write_text(
        json.dumps(
            [
                {
                    **{"id": "image_of_ours", "title": "Image is ours", "scope": "image", "severity": "low"},
                    **{"profiles": ["baseline"], "threats": [], "refs": {}, "remediation": {"text": "Build it."}},
                    "expect": "starts_with(name, 'ours/')",
                    "tests": {"pass": [{"name": "ours/web:1"}], "fail": [{"name": "web:1"}]},
                }
            ]
        )
    )
    both = tmp_path / "both.yml"
    both.write_text(
        json.dumps(
            [
                {
                    "hosts": "all",
                    "gather_facts": False,
                    "roles": [{"role": f"breakwater.docker.{role}"} for role in ("docker_compliance", "docker_scan")],
                    "post_tasks": [{"import_role": {"name": "breakwater.docker.docker_scan", "tasks_from": "report"}}],
                }
            ]
        )
    )
    reports = tmp_path / "reports"
    given = {
        **DEFINED,
        "docker_compliance_rules": [str(rules)],
        "docker_compliance_waivers": [str(waivers)],
        "docker_compliance_report_dir": str(reports),
    }
    made, _said = scan(host.name, reports, playbook=str(both), **given)
    assert made[HIT, "vulnerable:1"]["status"] == "waived"
    assert made[HIT, NAME]["status"] == "fail"
    assert made["image_user_not_root", "vulnerable:1"]["status"] == "waived"
    assert made["image_of_ours", "vulnerable:1"]["status"] == "waived"
    assert {item["source"] for item in made.values()} == {"audit", "scan"}
    (report,) = json.loads((reports / "report.json").read_text())["hosts"]
    assert [item["control"] for item in report["unused_waivers"]] == [MISS]
    assert sum(report["summary"].values()) == len(report["findings"])
    assert report["score"] is not None


STAND_IN = """#!/bin/sh
# Answers as Trivy does, with a report that it brings along.
case "$1" in
version) echo '{"Version": "0.99.0", "VulnerabilityDB": {"Version": 2, "UpdatedAt": "2026-11-20T01:02:03Z"}}' ;;
image)
    echo "$@" >>/root/trivy-calls
    while [ $# -gt 1 ]; do
        case "$1" in --format) form=$2 ;; --output) output=$2 ;; --input) tar -tf "$2" >/dev/null ;; esac
        shift
    done
    cp /root/trivy-$form.json "$output"
    ;;
esac
"""


def test_a_scanner_by_its_checksum_gives_findings_and_a_bill_of_materials(host: ContainerHost, tmp_path: Path) -> None:
    (tmp_path / "trivy").write_text(STAND_IN)
    run("docker", "cp", "-q", str(tmp_path / "trivy"), f"{NAME}:/root/trivy")
    for form, fixture in (("json", "trivy.json"), ("cyclonedx", "cyclonedx.json")):
        run("docker", "cp", "-q", str(FIXTURES / fixture), f"{NAME}:/root/trivy-{form}.json")
    binary = {"name": "trivy", "url": "file:///root/trivy", "sha256": "0" * 64}
    given: dict[str, Any] = {
        "docker_scan_scanners": ["openscap", "trivy"],
        "docker_scan_sbom": "cyclonedx",
        "docker_scan_images": ["patched:*"],
        "docker_scan_host": False,
        "docker_scan_imports": [{"path": str(FIXTURES / "blackduck.json"), "name": "patched:1"}],
        "docker_scan_max_data_age_days": 100000,
    }
    _made, said = scan(host.name, tmp_path / "refused", code=2, **given, docker_scan_binaries=[binary])
    assert "checksum" in said
    host.run("test ! -e /usr/local/bin/trivy")
    binary["sha256"] = host.run("sha256sum /root/trivy").split()[0]
    for cached in (False, True):
        made, _said = scan(host.name, tmp_path / "reports", **given, docker_scan_binaries=[binary])
        flaw = made["CVE-2026-1001", "patched:1"]
        assert (flaw["status"], flaw["severity"]) == ("fail", "critical")
        assert flaw["evidence"]["scanners"] == ["blackduck", "trivy"]
        (told, bill) = made["scan_completed", "patched:1"]["evidence"]["trivy"]
        assert (told["version"], told["content_date"], told["cached"]) == ("0.99.0", "2026-11-20", cached)
        assert bill["results"] == {"components": 3}
    calls = host.run("cat /root/trivy-calls").splitlines()
    assert len(calls) == 2, "the second run asked nothing"
    assert all("--skip-db-update" in call for call in calls)
    (bill_file,) = (tmp_path / "reports/sbom").iterdir()
    assert (
        bill_file.name
        == host.run("docker image inspect --format '{{.Id}}' patched:1").strip().replace(":", "-") + ".json"
    )
    assert json.loads(bill_file.read_text())["bomFormat"] == "CycloneDX"
    alone = {**given, "docker_scan_scanners": ["openscap"], "docker_scan_imports": []}
    made, _said = scan(host.name, tmp_path / "alone", **alone)
    assert made["scan_completed", "patched:1"]["status"] == "error"
    assert "nothing to compare it with" in made["scan_completed", "patched:1"]["message"]
    assert oct(bill_file.stat().st_mode & 0o777) == "0o640"


def test_a_scanner_that_is_missing_is_told_and_never_passes(host: ContainerHost, tmp_path: Path) -> None:
    given = {"docker_scan_scanners": ["grype"], "docker_scan_images": ["patched:*"], "docker_scan_host": False}
    made, _said = scan(host.name, tmp_path, **given)
    assert made["scan_completed", "patched:1"]["status"] == "error"
    assert "grype is not installed" in made["scan_completed", "patched:1"]["message"]
    made, _said = scan(host.name, tmp_path, docker_scan_images=["patched:*"], docker_scan_guide="none")
    for name in (NAME, "patched:1"):
        assert (made["scan_completed", name]["status"], made["scan_completed", name]["severity"]) == (
            "error",
            "critical",
        )
        assert "nothing to compare it with" in made["scan_completed", name]["message"]


def test_a_secret_that_a_later_layer_removed_is_found(host: ContainerHost, tmp_path: Path) -> None:
    given = {"docker_compliance_report_dir": str(tmp_path), "docker_compliance_deep_scan": True}
    chosen = {"docker_compliance_controls": ["image_layers_without_secrets"]}
    made, said = scan(host.name, tmp_path, playbook="breakwater.docker.compliance", **given, **chosen)
    verdicts = {name: item["status"] for (_control, name), item in made.items()}
    assert (verdicts["planted:1"], verdicts["patched:1"], verdicts["busybox:local"]) == ("fail", "pass", "pass")
    (found,) = [item for (_control, name), item in made.items() if name == "planted:1"]
    assert found["evidence"] == {"files": ["/srv/key.pem"]}
    assert "MII" not in said + (tmp_path / "report.json").read_text()


def test_nothing_is_left_and_nothing_was_touched(host: ContainerHost, tmp_path: Path) -> None:
    host.run(f"mkdir -p {STATE}/work/killed/root && touch {STATE}/work/killed/root/file")
    scan(host.name, tmp_path, **DEFINED)
    assert host.run(f"ls -A {STATE}/work") == ""
    assert host.run(f"stat -c %a {STATE} {STATE}/work {STATE}/cache").split() == ["700"] * 3
    host.run("ps -A -o pid,lstart,comm | grep ' sleep$' | diff /root/processes -")
    host.run("docker ps --all --no-trunc --quiet | sort | diff /root/containers -")
