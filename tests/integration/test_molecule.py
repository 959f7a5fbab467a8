# Every Molecule scenario as one test, so that the run's closing line counts them. Those on virtual machines, which are
# emulated, run by `make molecule-vm` only, which sets VM; test_virtual_machine.py has a short one.
# Where a scenario runs in check mode first, the run that follows has to change what check mode said, and nothing else.

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.breakwater.docker.tests.integration import check_mode

ROOT = Path(__file__).parents[2]
NAMES = (path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
ON_MACHINES = "VM" in os.environ
SCENARIOS = sorted(name for name in NAMES if name.startswith("vm_") == ON_MACHINES)
#: A scenario that takes longer hangs. On two free cores none on containers needs a quarter of it.
SCENARIO_SECONDS = 5400 if ON_MACHINES else 2400
#: The sequence of which check mode's word is judged: on the hosts as they came, and on hosts that are done.
JUDGED = ["check", "converge", "idempotence", "check"]
#: What Ansible and pytest write of a failure, among the thousands of lines of a scenario.
FAILURE = re.compile(r"(?m)^.*(?:fatal: \[|\[ERROR\]|FAILED|\bE  ).*$")


def told(log: str) -> str:
    """The end of a scenario's log, then the lines that say what failed: a log that is cut keeps its last lines."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    return f"{plain[-20000:]}\nWhat failed:\n{chr(10).join(FAILURE.findall(plain)[-30:])}"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, tmp_path: Path) -> None:
    log = tmp_path / "molecule.log"
    with log.open("w") as output:
        done = subprocess.run(
            ["molecule", "test", "-s", scenario],
            cwd=ROOT,
            env={**os.environ, **check_mode.environment(tmp_path / "changes")},
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=SCENARIO_SECONDS,
            check=False,
        )
    assert done.returncode == 0, told(log.read_text())
    sequence = yaml.safe_load((ROOT / f"molecule/{scenario}/molecule.yml").read_text())["scenario"]["test_sequence"]
    if [step for step in sequence if step in JUDGED] == JUDGED:
        runs = check_mode.recorded(tmp_path / "changes", "converge.yml")[: len(JUDGED)]
        assert check_mode.judged(runs) == []
