# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.kernel import boot
from ansible_collections.breakwater.docker.plugins.module_utils.kernel.boot import apply, hardened_kernel, make_plan
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes import proc
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.grub import Grub

Write = Callable[[str, str], None]
WANTED = ["slab_nomerge", "lockdown=integrity"]


def test_parameters_wait_until_the_kernel_was_booted_with_them(files: LocalFileSystem, write: Write) -> None:
    wanted = ["slab_nomerge", "lockdown=integrity"]
    plan = make_plan(wanted, files)
    assert plan.text is not None
    assert plan.text.endswith('GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX slab_nomerge lockdown=integrity"\n')
    assert plan.waiting == ("slab_nomerge", "lockdown=integrity")
    write("/proc/cmdline", "quiet lockdown=integrity slab_nomerge\n")
    assert make_plan(wanted, files).waiting == ()


def test_without_parameters_there_is_no_file(files: LocalFileSystem) -> None:
    assert make_plan([], files) == (None, (), (), ())


def test_container_and_other_boot_loaders_are_told_of(contained: LocalFileSystem, tmp_path: Path) -> None:
    plan = make_plan(["quiet", "slab_nomerge"], contained)
    assert (plan.text, plan.waiting) == (None, ())
    assert [(item.name, "container" in item.reason) for item in plan.skipped] == [("slab_nomerge", True)]


def test_host_without_grub(files: LocalFileSystem, tmp_path: Path) -> None:
    (tmp_path / "etc/default/grub").unlink()
    [skipped] = make_plan(["slab_nomerge"], files).skipped
    assert "its boot loader" in skipped.reason


@pytest.mark.parametrize("parameter", ["a b", 'x="y"', "$(reboot)", ""])
def test_what_is_no_parameter_is_refused(files: LocalFileSystem, parameter: str) -> None:
    with pytest.raises(InputError, match="is no kernel parameter"):
        make_plan([parameter], files)


def test_grub_that_fails_leaves_the_former_drop_in(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    commands = RecordedCommands()
    commands.answer("update-grub", rc=1, stderr="x\ncannot find a device for /.\n")
    plan = make_plan(WANTED, files)
    with pytest.raises(BreakwaterError, match=r"update-grub failed: cannot find a device for /\. .* as before"):
        apply(boot.PATH, plan.text, files, commands, str(tmp_path))
    assert not (tmp_path / boot.PATH[1:]).exists()
    write(boot.PATH, "# former\n")
    with pytest.raises(BreakwaterError):
        apply(boot.PATH, plan.text, files, commands, str(tmp_path))
    assert (tmp_path / boot.PATH[1:]).read_text() == "# former\n"


def test_parameter_that_grub_leaves_out_is_told(files: LocalFileSystem, tmp_path: Path) -> None:
    with pytest.raises(BreakwaterError, match=r"grub\.cfg is without slab_nomerge, so look"):
        apply(boot.PATH, make_plan(WANTED, files).text, files, Grub(tmp_path, "slab_nomerge"), str(tmp_path))
    assert not (tmp_path / boot.PATH[1:]).exists()


def test_grub_is_told_after_a_run_that_was_killed(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    text = make_plan(WANTED, files).text
    assert text is not None
    write(boot.PATH, text)
    assert make_plan(WANTED, files).lacks == tuple(WANTED)
    apply(boot.PATH, text, files, Grub(tmp_path), str(tmp_path))
    assert make_plan(WANTED, files)[1:] == (tuple(WANTED), (), ()), "they wait for a boot"
    apply(boot.PATH, None, files, Grub(tmp_path), str(tmp_path))
    assert not (tmp_path / boot.PATH[1:]).exists()


def test_parameter_that_a_boot_did_not_bring_waits_for_none(files: LocalFileSystem, tmp_path: Path) -> None:
    apply(boot.PATH, make_plan(WANTED, files).text, files, Grub(tmp_path), str(tmp_path))
    os.utime(tmp_path / boot.GENERATED[1:], (proc.BOOT_TIME - 60,) * 2)
    proc.write(tmp_path, "/proc/cmdline", "quiet lockdown=integrity\n")
    plan = make_plan(WANTED, files)
    assert (plan.waiting, plan.lacks) == ((), ())
    assert [(item.name, "the last boot was without it" in item.reason) for item in plan.skipped] == [(WANTED[0], True)]
    assert make_plan([*WANTED, "vsyscall=none"], files).waiting == ("slab_nomerge", "vsyscall=none"), (
        "GRUB is told anew"
    )


def test_host_without_update_grub_gets_no_drop_in(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    (tmp_path / "usr/sbin/update-grub").unlink()
    plan = make_plan(WANTED, files)
    assert (plan.text, plan.waiting, len(plan.skipped)) == (None, (), 2)
    write(boot.PATH, "# of a former run\n")
    apply(boot.PATH, None, files, RecordedCommands(), str(tmp_path))
    assert not (tmp_path / boot.PATH[1:]).exists()


@pytest.mark.parametrize(
    ("release", "name"),
    [("6.6.9-grsec\n", "grsecurity"), ("6.12.1-hardened1-1\n", "linux-hardened"), ("6.12.48+deb13-amd64\n", None)],
)
def test_hardened_kernels_are_recognised(
    files: LocalFileSystem, write: Write, release: str, name: str | None, tmp_path: Path
) -> None:
    write("kernel.osrelease", release)
    assert hardened_kernel(files) == name
    (tmp_path / "proc/sys/kernel/grsecurity").mkdir()
    assert hardened_kernel(files) == "grsecurity"
