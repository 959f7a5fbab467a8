# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# That `make bench` still measures: the zip file of the collector, which it makes itself, holds all that is imported.

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[1] / "benchmark"
COLLECTOR = "ansible_collections.breakwater.docker.plugins.module_utils.collector"


def test_the_zipped_collector_is_complete(tmp_path: Path) -> None:
    zipping = "import sys, bench, pathlib; bench.zipped_collector(pathlib.Path(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", zipping, str(tmp_path)], cwd=BENCHMARK, check=True)
    done = subprocess.run(
        [sys.executable, "-c", f"import {COLLECTOR} as found; print(found.__file__)"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "collector.zip")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith(f"{tmp_path}/collector.zip/"), done.stderr
