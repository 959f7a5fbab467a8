# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import zip_imports

PROGRAM = """
import sys, zipimport
sys.path.insert(0, sys.argv[1])
compiled, compile_source = [], zipimport._compile_source
def count(path, source):
    compiled.append(path)
    return compile_source(path, source)
zipimport._compile_source = count
if sys.argv[2] == "once":
    import zip_imports
    zip_imports.compile_once()
import first, second
assert (first.NAME, second.NAME, second.first.NAME) == ("first", "second", "first")
print(sum("second" in path for path in compiled), sum("first" in path for path in compiled))
"""


@pytest.mark.parametrize(("how", "times"), [("once", "1 1"), ("plain", "2 2")])
def test_each_file_of_a_zip_file_is_compiled_once(tmp_path: Path, how: str, times: str) -> None:
    archive = tmp_path / "payload.zip"
    with zipfile.ZipFile(archive, "w") as target:
        target.write(zip_imports.__file__, "zip_imports.py")
        target.writestr("first.py", "NAME = 'first'\n")
        target.writestr("second.py", "import first\nNAME = 'second'\n")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(archive), how], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == times
