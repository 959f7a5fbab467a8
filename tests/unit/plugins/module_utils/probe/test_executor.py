from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.probe import executor
from ansible_collections.breakwater.docker.plugins.module_utils.probe.executor import Program, Word

MACHINES = {"x86_64": "", "aarch64": "aarch64-linux-gnu-"}
HERE = Path(__file__).parent
AT_FDCWD = -100
ENOENT = 2

pytestmark = pytest.mark.skipif(os.uname().machine not in MACHINES, reason="there are programs for two machines only")


def run(program: Program, file: Path, timeout: float = 20) -> subprocess.CompletedProcess[str]:
    file.write_bytes(program.elf())
    file.chmod(0o755)
    return subprocess.run([file], capture_output=True, text=True, timeout=timeout, check=False)


@pytest.mark.parametrize("machine", MACHINES)
def test_machine_code_is_what_its_source_says(tmp_path: Path, machine: str) -> None:
    prefix = "" if machine == os.uname().machine else MACHINES[machine]
    if shutil.which(f"{prefix}as") is None:
        pytest.skip(f"there is no assembler {prefix}as; `make unit` installs it")
    assembled, code = tmp_path / "object", tmp_path / "code"
    subprocess.run([f"{prefix}as", "-o", assembled, HERE / f"{machine}.s"], check=True)
    subprocess.run([f"{prefix}objcopy", "-O", "binary", "-j", ".text", assembled, code], check=True)
    assert code.read_bytes() in Program(machine).elf()


def test_program_makes_calls_and_tells_their_results(tmp_path: Path) -> None:
    (tmp_path / "read").write_bytes(b"\1\0\0\0\0\0\0\x80")
    program = Program(os.uname().machine)
    file = program.call("openat", AT_FDCWD, str(tmp_path / "read"), 0, 0)
    there = program.data(bytes(8))
    program.call("read", file, there, 8, tell="length")
    program.tell("content", Word(there))
    program.call("openat", AT_FDCWD, str(tmp_path / "missing"), 0, 0, tell="missing")
    done = run(program, tmp_path / "program")
    assert (done.returncode, done.stderr) == (0, "")
    assert executor.told(done.stdout) == {"length": 8, "content": 1 - (1 << 63), "missing": -ENOENT}


def test_children_do_their_part_only(tmp_path: Path) -> None:
    program = Program(os.uname().machine)
    with program.child("child.status"):
        program.tell("child", 1)
        program.call("exit_group", 3)
    program.tell("sleeper", program.sleeper(1))
    program.tell("parent", 2)
    told = executor.told(run(program, tmp_path / "program").stdout)
    assert told.pop("sleeper") > 0
    assert told.pop("child.status") & 0xFFFFFFFF == 3 << 8
    assert told == {"child": 1, "parent": 2}


def test_program_waits_to_be_killed(tmp_path: Path) -> None:
    program = Program(os.uname().machine)
    program.wait(None)
    with pytest.raises(subprocess.TimeoutExpired):
        run(program, tmp_path / "program", timeout=0.3)


def test_what_is_not_a_result_is_passed_over() -> None:
    assert executor.told("hello\nx aaaaaaaaaaaaaaab\ny aaaa\nz zzzzzzzzzzzzzzzz\n") == {"x": 1}


def test_programs_have_a_size() -> None:
    program = Program("x86_64", calls=2)
    program.tell("x", 1)
    with pytest.raises(ValueError, match="3 records don't fit into 2"):
        program.elf()
    with pytest.raises(InputError, match="no probe for riscv64"):
        Program("riscv64")
