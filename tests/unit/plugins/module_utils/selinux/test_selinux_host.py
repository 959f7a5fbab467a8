# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.selinux import host
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.grub import Grub

Write = Callable[[str, str], None]


@pytest.mark.parametrize("state", [host.ENFORCING, host.PERMISSIVE])
def test_host_under_apparmor_boots_permissive_and_labels_first(
    files: LocalFileSystem, tmp_path: Path, state: str
) -> None:
    commands = Grub(tmp_path)
    plan = host.make_plan(state, files)
    assert (plan.mode, plan.reboot) == (host.PERMISSIVE, True)
    assert set(host.changes(plan, files)) == {host.DROP_IN, host.RELABEL}
    host.apply(plan, files, commands, str(tmp_path))
    assert commands.asked == ["update-grub"]
    assert "security=selinux selinux=1" in (tmp_path / host.DROP_IN[1:]).read_text()
    assert (tmp_path / ".autorelabel").read_text() == "-F\n"
    assert host.changes(host.make_plan(state, files), files) == {}, "nothing changes until it has booted"


def test_grub_is_told_of_the_drop_in_until_it_passes_it(files: LocalFileSystem, tmp_path: Path) -> None:
    refusing = RecordedCommands()
    refusing.answer("update-grub", rc=1, stderr="no space left on device\n")
    plan = host.make_plan(host.PERMISSIVE, files)
    with pytest.raises(BreakwaterError, match="update-grub failed: no space left"):
        host.apply(plan, files, refusing, str(tmp_path))
    assert not (tmp_path / host.DROP_IN[1:]).exists()
    (tmp_path / "etc/default/grub.d").mkdir(exist_ok=True)
    (tmp_path / host.DROP_IN[1:]).write_text(plan.texts[host.DROP_IN] or "")
    assert set(host.changes(plan, files)) == {host.DROP_IN}, "a run was killed after it had written the file"
    host.apply(plan, files, Grub(tmp_path), str(tmp_path))
    assert host.changes(plan, files) == {}


def test_boot_that_does_not_bring_selinux_is_not_repeated(files: LocalFileSystem, tmp_path: Path) -> None:
    host.apply(host.make_plan(host.PERMISSIVE, files), files, Grub(tmp_path), str(tmp_path))
    (tmp_path / "proc/stat").write_text("btime 32503680000\n")
    with pytest.raises(InputError, match="The last boot was without security=selinux selinux=1"):
        host.make_plan(host.PERMISSIVE, files)


def test_host_without_a_configuration_gets_one(files: LocalFileSystem, tmp_path: Path) -> None:
    (tmp_path / "etc/selinux/config").unlink()
    changes = host.changes(host.make_plan(host.ENFORCING, files), files)
    assert changes[host.CONFIG] == "SELINUX=permissive\nSELINUXTYPE=default\n"
    disabled = host.changes(host.make_plan(host.DISABLED, files), files)
    assert disabled == {}, "what was never there needs no disabling"


def test_permissive_host_becomes_enforcing_and_permissive_again(permissive: LocalFileSystem, tmp_path: Path) -> None:
    for state, number in ((host.ENFORCING, "1"), (host.PERMISSIVE, "0")):
        plan = host.make_plan(state, permissive)
        assert (plan.mode, plan.reboot) == (state, False)
        host.apply(plan, permissive, RecordedCommands(), str(tmp_path))
        assert (tmp_path / "sys/fs/selinux/enforce").read_text() == number
        assert f"# comment\nSELINUX={state}\n" in (tmp_path / "etc/selinux/config").read_text()


def test_host_that_was_not_labelled_stays_permissive(permissive: LocalFileSystem, write: Write) -> None:
    write("/proc/1/attr/current", "system_u:system_r:kernel_t:s0\0")
    plan = host.make_plan(host.ENFORCING, permissive)
    assert (plan.mode, plan.reboot) == (host.PERMISSIVE, True)
    assert host.RELABEL in host.changes(plan, permissive)


def test_disabling_takes_everything_back(permissive: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    write("/sys/fs/selinux/enforce", "1")
    write(host.DROP_IN, "GRUB_CMDLINE_LINUX=...")
    write(host.RELABEL, "-F\n")
    commands = Grub(tmp_path)
    plan = host.make_plan(host.DISABLED, permissive)
    assert (plan.mode, plan.reboot) == (host.PERMISSIVE, True)
    host.apply(plan, permissive, commands, str(tmp_path))
    assert (tmp_path / "sys/fs/selinux/enforce").read_text() == "0"
    assert "SELINUX=disabled" in (tmp_path / "etc/selinux/config").read_text()
    assert not (tmp_path / host.DROP_IN[1:]).exists()
    assert not (tmp_path / host.RELABEL[1:]).exists()
    write(host.RELABEL, "")
    assert host.changes(host.make_plan(host.DISABLED, permissive), permissive) == {}
    assert commands.asked == ["update-grub"]


@pytest.mark.parametrize("parameter", ["selinux=0", "lsm=landlock,apparmor"])
def test_parameters_that_contradict_are_refused(files: LocalFileSystem, write: Write, parameter: str) -> None:
    write("/proc/cmdline", f"ro {parameter}\n")
    with pytest.raises(InputError, match=parameter):
        host.make_plan(host.PERMISSIVE, files)


def test_host_without_grub_is_told_what_to_do(files: LocalFileSystem, tmp_path: Path) -> None:
    (tmp_path / "etc/default/grub").unlink()
    with pytest.raises(InputError, match="add security=selinux selinux=1"):
        host.make_plan(host.PERMISSIVE, files)


def test_kernel_that_would_run_selinux_needs_no_parameter(files: LocalFileSystem, write: Write) -> None:
    write("/sys/kernel/security/lsm", "lockdown,capability,yama,selinux")
    assert host.DROP_IN not in host.make_plan(host.PERMISSIVE, files).texts


def test_obstacles(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    assert host.obstacle(files) == ""
    write("/boot/config-6.12.48+deb13-amd64", "# CONFIG_SECURITY_SELINUX is not set\n")
    assert "has no SELinux; its security modules are lockdown," in host.obstacle(files)
    (tmp_path / "proc/self/ns/pid").unlink()
    (tmp_path / "proc/self/ns/pid").symlink_to("pid:[4026539837]")
    assert "is a container" in host.obstacle(files)


def test_uptime(files: LocalFileSystem, write: Write) -> None:
    write("/proc/uptime", "86401.25 1.0\n")
    assert host.uptime(files) == 86401.25
