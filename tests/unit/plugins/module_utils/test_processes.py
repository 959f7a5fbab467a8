# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import read_status, scan
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import BOOT_TIME, dockerd, process, write

A, B = "a" * 64, "b" * 64


def test_processes_are_mapped_to_their_containers(tmp_path: Path) -> None:
    process(tmp_path, 1, "systemd", parent=0)
    process(tmp_path, 2, "kthreadd", parent=0)
    process(tmp_path, 3, "kworker", parent=2, cgroup=f"/docker/{A}")
    process(tmp_path, 10, "nginx", cgroup=f"/docker/{A}")
    process(tmp_path, 11, "a) (b", parent=10, cgroup=f"/system.slice/docker-{A}.scope")
    process(tmp_path, 12, "sshd", cgroup=f"/docker/{A}/docker/{B}")
    table = scan(LocalFileSystem(str(tmp_path)))
    assert table.containers == {A: [(10, "nginx"), (11, "a) (b"), (12, "sshd")], B: [(12, "sshd")]}
    assert table.daemons == ()


def test_dockerd_of_a_nested_host_is_not_ours(tmp_path: Path) -> None:
    dockerd(tmp_path, "-H", "fd://", environment="HOME=/root\0X=1=2\0", started=BOOT_TIME + 60)
    dockerd(tmp_path, pid=900, NSpid="900\t7", cgroup=f"/docker/{A}")
    dockerd(tmp_path, pid=950, Uid="1000\t1000\t1000\t1000")
    ours, rootless = scan(LocalFileSystem(str(tmp_path))).daemons
    assert (ours.pid, ours.uid, ours.started) == (700, 0, BOOT_TIME + 60)
    assert ours.arguments == ("/usr/bin/dockerd", "-H", "fd://")
    assert ours.environment == {"HOME": "/root", "X": "1=2"}
    assert (rootless.pid, rootless.uid) == (950, 1000)


@pytest.mark.parametrize(
    "disguise",
    [
        {"NSpid": "600\t7", "Groups": " ".join(str(group) for group in range(60_000))},
        {"NSpid": ""},
        {"cgroup": f"/docker/{A}"},  # of the host's PID namespace, by --pid=host
        {"cgroup": f"/docker/{B}/docker/{A}"},
    ],
)
def test_process_of_a_container_is_no_dockerd_or_registry_of_the_host(tmp_path: Path, disguise: dict[str, str]) -> None:
    write(tmp_path, "/proc/self/cgroup", f"0::/docker/{B}\n")
    dockerd(tmp_path, cgroup=f"/docker/{B}/system.slice/docker.service")
    dockerd(tmp_path, "-H", "unix:///var/run/docker.sock", pid=600, **disguise)
    process(tmp_path, 601, "registry", **disguise)
    write(tmp_path, "/proc/601/cmdline", "registry\0serve\0/etc/config.yml\0")
    table = scan(LocalFileSystem(str(tmp_path)))
    assert [daemon.pid for daemon in table.daemons] == [700]
    assert [registry.nested for registry in table.registries] == [True]


def test_setuid_program_that_a_user_calls_dockerd_is_none(tmp_path: Path) -> None:
    sudo = write(tmp_path, "/usr/bin/sudo", "")
    sudo.chmod(0o4755)
    (dockerd(tmp_path, "-H", "id", "--host=unix:///run/docker.sock") / "exe").symlink_to(sudo)
    assert scan(LocalFileSystem(str(tmp_path))).daemons == ()


def test_many_groups_hide_nothing_of_a_status(tmp_path: Path) -> None:
    process(tmp_path, 10, "nginx", Groups=" ".join(str(group) for group in range(60_000)))
    status = read_status(LocalFileSystem(str(tmp_path)), 10)
    assert (status["CapBnd"], status["Seccomp"]) == ("00000000a80425fb", "2")


def test_name_with_a_line_break_forges_no_field(tmp_path: Path) -> None:
    process(tmp_path, 10, "x\x0bDebug:\t0")
    assert "Debug" not in read_status(LocalFileSystem(str(tmp_path)), 10)


def test_hidden_environment_is_unknown(tmp_path: Path) -> None:
    (dockerd(tmp_path) / "environ").unlink()
    [daemon] = scan(LocalFileSystem(str(tmp_path))).daemons
    assert daemon.environment is None


def test_processes_that_end_or_are_odd_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "proc/20").mkdir(parents=True)
    write(tmp_path, "/proc/21/stat", "garbage")
    (process(tmp_path, 22, "gone", cgroup=f"/docker/{A}") / "cgroup").unlink()
    (dockerd(tmp_path) / "cmdline").unlink()
    table = scan(LocalFileSystem(str(tmp_path)))
    assert (table.daemons, table.containers) == ((), {})


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    assert scan(LocalFileSystem(str(tmp_path))).containers == {}


def test_registries_are_those_that_serve(tmp_path: Path) -> None:
    for pid, command, arguments in (
        (20, "registry", ("/bin/registry", "serve", "/etc/config.yml")),
        (21, "docker-registry", ("docker-registry", "garbage-collect", "/etc/config.yml")),
        (22, "registry", ("registry", "--token", "x")),
        (23, "other", ("registry", "serve", "/etc/config.yml")),
    ):
        process(tmp_path, pid, command, cgroup="/system.slice/r.service")
        write(tmp_path, f"/proc/{pid}/cmdline", "\0".join(arguments) + "\0")
    [found] = scan(LocalFileSystem(str(tmp_path))).registries
    assert (found.pid, found.arguments[-1], found.nested) == (20, "/etc/config.yml", False)
    assert "r.service" in found.cgroups
