# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# `make demo` ends well: what its host's containers were exposed to is contained, and no request was lost meanwhile.

from __future__ import annotations

import json
import subprocess
import sys
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.tests.integration.container_host import ROOT

HOST = "breakwater-demo"


@pytest.fixture
def _no_host_left() -> Iterator[None]:
    yield
    subprocess.run(["docker", "rm", "--force", "--volumes", HOST], capture_output=True, check=False)


@pytest.mark.usefixtures("_no_host_left")
def test_demo_contains_every_threat_without_an_outage() -> None:
    command = [sys.executable, "demo/run.py"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr
    assert "Contained:    8 of 8 threats" in done.stdout
    report = json.loads((ROOT / "reports/demo-after/report.json").read_text(encoding="utf-8"))
    [host] = report["hosts"]
    before = report["drift"]["threats_before"][HOST]
    for threat, now in host["proof"]["threats"].items():
        assert (now["hardened"], now["exposed_containers"]) == ("contained", []), threat
        assert before[threat]["exposed_containers"], threat
    assert len(host["proof"]["containers"]) == 7
