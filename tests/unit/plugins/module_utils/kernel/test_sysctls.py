# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.kernel import sysctls
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem

Write = Callable[[str, str], None]


def reasons(plan: sysctls.SysctlPlan) -> dict[str, str]:
    return {item.name: item.reason for item in plan.skipped}


def test_only_what_differs_is_changed_and_the_file_has_all(files: LocalFileSystem, write: Write) -> None:
    write("kernel.kptr_restrict", "0\n")
    write("kernel.dmesg_restrict", "1\n")
    wanted = {"kernel.kptr_restrict": "2", "kernel.dmesg_restrict": "1", "kernel.grsecurity.lock": "1"}
    plan = sysctls.make_plan(wanted, {"kernel.kptr_restrict": "why"}, files)
    assert plan.changes == {"kernel.kptr_restrict": ("0", "2")}
    assert reasons(plan) == {"kernel.grsecurity.lock": "this kernel does not have it"}
    lines = plan.text.splitlines()[1:]
    expected = ["-kernel.dmesg_restrict = 1", "-kernel.grsecurity.lock = 1", "# why", "-kernel.kptr_restrict = 2"]
    assert [line for line in lines if line] == expected


def test_container_changes_its_own_network_only(contained: LocalFileSystem, write: Write) -> None:
    write("kernel.kptr_restrict", "0\n")
    write("user.max_user_namespaces", "0\n")
    write("net.ipv4.tcp_syncookies", "0\n")
    wanted = {"kernel.kptr_restrict": "2", "net.ipv4.tcp_syncookies": "1", "user.max_user_namespaces": "9"}
    plan = sysctls.make_plan(wanted, {}, contained)
    assert set(plan.changes) == {"net.ipv4.tcp_syncookies"}
    assert set(reasons(plan)) == {"kernel.kptr_restrict", "user.max_user_namespaces"}
    assert all("belongs to the machine" in reason for reason in reasons(plan).values())
    assert "-kernel.kptr_restrict = 2\n" in plan.text


@pytest.mark.parametrize(
    ("key", "live", "value", "locked"),
    [
        ("kernel.yama.ptrace_scope", "3", "1", True),
        ("kernel.yama.ptrace_scope", "2", "1", False),
        ("kernel.unprivileged_bpf_disabled", "1", "2", True),
        ("kernel.unprivileged_bpf_disabled", "2", "1", False),
    ],
)
def test_locked_keys_are_left_alone(
    files: LocalFileSystem, write: Write, key: str, live: str, value: str, locked: bool
) -> None:
    write(key, live)
    plan = sysctls.make_plan({key: value}, {}, files)
    assert (key in reasons(plan), key in plan.changes) == (locked, not locked)


@pytest.mark.parametrize(
    ("live", "kept"), [("4", "4"), ("10", "10"), ("3", "3"), ("-1", "3"), (None, "3"), ("4 4", "3")]
)
def test_stricter_values_of_the_kernel_stay(files: LocalFileSystem, write: Write, live: str | None, kept: str) -> None:
    key = "kernel.perf_event_paranoid"
    if live:
        write(key, f"{live}\n")
    assert sysctls.with_stricter({key: "3"}, [key, "kernel.other"], files) == {key: kept}
    assert sysctls.with_stricter({key: "3"}, [], files) == {key: "3"}


@pytest.mark.parametrize(("key", "value"), [("kernel", "1"), ("net.ipv4.conf.*.rp_filter", "1"), ("a.b", "1\nc.d = 2")])
def test_what_is_no_setting_is_refused(files: LocalFileSystem, key: str, value: str) -> None:
    with pytest.raises(InputError, match="is no kernel setting"):
        sysctls.make_plan({key: value}, {}, files)


def test_changes_reach_the_kernel_and_refusals_are_told(files: LocalFileSystem, write: Write, tmp_path: Path) -> None:
    write("kernel.kptr_restrict", "0\n")
    (tmp_path / "proc/sys/kernel/sysrq").mkdir()
    refused = sysctls.apply({"kernel.kptr_restrict": ("0", "2"), "kernel.sysrq": ("1", "0")}, str(tmp_path))
    assert (tmp_path / "proc/sys/kernel/kptr_restrict").read_text() == "2"
    assert [(item.name, item.reason) for item in refused] == [("kernel.sysrq", "the kernel refuses 0: Is a directory")]


def test_last_of_all_files_wins(files: LocalFileSystem, write: Write) -> None:
    write("/usr/lib/sysctl.d/50-a.conf", "net.ipv4.ip_forward = 0\n")
    write("/etc/sysctl.d/50-a.conf", "# net.ipv4.ip_forward = 0\n;net.ipv4.ip_forward = 0\nkernel.x\n")
    write("/etc/sysctl.d/60-b.conf", "-net.ipv4.conf.*.forwarding=0\nnet/ipv4/conf/eth0.5/rp_filter = 2\n")
    write("/run/sysctl.d/70-c.conf", "net.ipv4.conf.all.forwarding =  1 \n")
    write(sysctls.PATH, "net.ipv4.conf.all.forwarding = 0\n")
    others = sysctls.OtherFiles(files)
    assert others.last("net.ipv4.ip_forward") is None
    assert others.last("net.ipv4.conf.all.forwarding") == ("1", "/run/sysctl.d/70-c.conf")
    assert others.last("net.ipv4.conf.default.forwarding") == ("0", "/etc/sysctl.d/60-b.conf")
    assert others.last("net.ipv4.conf.eth0.5.rp_filter") == ("2", "/etc/sysctl.d/60-b.conf")
    write(sysctls.LAST_PATH, "net.ipv4.conf.all.forwarding=0\n")
    others = sysctls.OtherFiles(files)
    assert others.last("net.ipv4.conf.all.forwarding") == ("1", "/run/sysctl.d/70-c.conf")
    assert others.last("net.ipv4.conf.all.forwarding", afterwards=True) == ("0", "/etc/sysctl.conf")
