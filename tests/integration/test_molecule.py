# Every Molecule scenario as one test, so that the run's closing line counts them. Those on virtual machines, which are
# emulated, are left to `make molecule-vm`; test_virtual_machine.py has a short one.

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMES = (path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))
SCENARIOS = sorted(name for name in NAMES if not name.startswith("vm_"))
#: A scenario that takes longer hangs. On two free cores none needs a quarter of it.
SCENARIO_SECONDS = 2400


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_scenario(scenario: str, tmp_path: Path) -> None:
    log = tmp_path / "molecule.log"
    with log.open("w") as output:
        done = subprocess.run(
            ["molecule", "test", "-s", scenario],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            timeout=SCENARIO_SECONDS,
            check=False,
        )
    assert done.returncode == 0, log.read_text()[-20000:]
