# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.rootless_engine import (
    Preparation,
    UserCommands,
    check_live_restore,
    engine_socket,
    missing_range,
    own_engines,
    own_units,
    prepare_plan,
)
from ansible_collections.breakwater.docker.tests.unit.fakes import proc
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

SCRIPT = "usr/share/docker.io/contrib/dockerd-rootless.sh"


def host(root: Path, **files: str) -> LocalFileSystem:
    (root / SCRIPT).parent.mkdir(parents=True)
    (root / SCRIPT).write_text("#!/bin/sh\n")
    (root / "etc").mkdir()
    for name, text in files.items():
        (root / "etc" / name).write_text(text)
    return LocalFileSystem(str(root))


def plan(files: LocalFileSystem, uid: int | None = 1500) -> Preparation:
    return prepare_plan("captain", uid, files)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("", 100000),
        ("captain:100000:65536\n", None),
        ("1500:100000:65536\n", None),
        ("captain:100000:1000\n", 101000),
        ("other:100000:65536\nlast:300000:65536\n", 365536),
        ("# captain:100000:65536\ncaptains:5:65536\n", 100000),
    ],
)
def test_range_of_subordinate_ids_overlaps_no_other(text: str, first: int | None) -> None:
    assert missing_range(text, "captain", 1500) == first


def test_account_that_has_nothing_yet(tmp_path: Path) -> None:
    found = plan(host(tmp_path, subuid="captain:100000:65536\n"))
    assert (found.ids, found.linger, found.enable, found.needed) == ({"--add-subgids": 100000}, True, True, True)
    assert f"ExecStart=/{SCRIPT} --config-file=/etc/docker/rootless.json\n" in found.unit_after
    assert "subordinate ids from 100000" in found.words()


def test_account_that_has_everything(tmp_path: Path) -> None:
    files = host(tmp_path, subuid="captain:100000:65536\n", subgid="captain:100000:65536\n")
    unit = tmp_path / "etc/systemd/user"
    (unit / "default.target.wants").mkdir(parents=True)
    (unit / "docker.service").write_text(plan(files).unit_after)
    (unit / "default.target.wants/docker.service").symlink_to("/etc/systemd/user/docker.service")
    (tmp_path / "var/lib/systemd/linger").mkdir(parents=True)
    (tmp_path / "var/lib/systemd/linger/captain").touch()
    found = plan(files)
    assert (found.needed, found.words()) == (False, "")


def test_account_that_is_yet_to_be_created(tmp_path: Path) -> None:
    found = plan(LocalFileSystem(str(tmp_path)), uid=None)
    assert found.needed
    assert found.ids == {}


def test_root_and_missing_packages_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be root's"):
        plan(host(tmp_path / "a"), uid=0)
    with pytest.raises(InputError, match=r"no dockerd-rootless.sh in /usr/bin/.* install it"):
        plan(LocalFileSystem(str(tmp_path / "b")))


@pytest.mark.parametrize(
    ("asked", "ran"),
    [
        ("systemctl restart docker.service", "runuser -u captain -- env {} systemctl --user restart docker.service"),
        ("/usr/share/x/dockerd-rootless.sh --version", "runuser -u captain -- env {} dockerd --version"),
        ("dockerd --version", "runuser -u captain -- env {} dockerd --version"),
        (
            "journalctl -u docker.service -o cat -n0",
            "journalctl -o cat -n0 _SYSTEMD_USER_UNIT=docker.service _UID=1500",
        ),
        (
            "systemctl kill --kill-who=main --signal=HUP docker.service",
            "pkill --signal HUP --uid 1500 --exact dockerd",
        ),
    ],
)
def test_commands_are_the_users(asked: str, ran: str) -> None:
    commands = RecordedCommands()
    UserCommands(commands, "captain", 1500).run(asked.split())
    assert commands.asked == [ran.format("XDG_RUNTIME_DIR=/run/user/1500")]


def test_socket_is_the_users_unless_another_one_is_named() -> None:
    assert engine_socket("/run/docker.sock", 1500) == "/run/user/1500/docker.sock"
    assert engine_socket("/srv/engine.sock", 1500) == "/srv/engine.sock"


def test_live_restore_is_refused_since_nothing_keeps_the_containers() -> None:
    with pytest.raises(InputError, match=r"can't keep the containers.*Set it to false; nothing was changed"):
        check_live_restore({"live-restore": True})
    check_live_restore({"live-restore": False})
    check_live_restore({})


def test_units_of_the_accounts_own_are_found_without_its_systemd(tmp_path: Path) -> None:
    files = LocalFileSystem(str(tmp_path))
    assert own_units("/home/captain", files, RecordedCommands()) == []
    units = tmp_path / "home/captain/.config/systemd/user"
    (units / "docker.service.d").mkdir(parents=True)
    (units / "docker.service.d/proxy.conf").touch()
    (units / "docker.service.d/proxy.conf~").touch()
    (units / "docker.service").symlink_to("/dev/null")
    unit = "/home/captain/.config/systemd/user/docker.service"
    assert own_units("/home/captain", files, RecordedCommands()) == [unit, f"{unit}.d/proxy.conf"]


def test_units_of_the_accounts_own_are_what_its_systemd_shows_and_are_still_there(tmp_path: Path) -> None:
    commands = RecordedCommands()
    there, gone = "/run/user/1500/systemd/transient/docker.service", "/srv/units/docker.service.d/gone.conf"
    roots = "/etc/systemd/user/docker.service.d/proxy.conf"
    for path in (there, roots):
        proc.write(tmp_path, path, "")
    shown = f"FragmentPath={there}\nDropInPaths={roots} {gone}\n"
    commands.answer("runuser -u captain -- env XDG_RUNTIME_DIR=/run/user/1500 systemctl --user show", shown)
    users = UserCommands(commands, "captain", 1500)
    assert own_units("/home/captain", LocalFileSystem(str(tmp_path)), users) == [there]


def test_engines_of_the_accounts_own_run_by_no_configuration_of_roots(tmp_path: Path) -> None:
    files = LocalFileSystem(str(tmp_path))
    uid = "1500\t1500\t1500\t1500"
    proc.dockerd(tmp_path, pid=600)
    assert own_engines(1500, files) == []
    proc.dockerd(tmp_path, "--config-file=/home/captain/daemon.json", pid=700, Uid=uid)
    assert own_engines(1500, files) == [700]
    proc.dockerd(tmp_path, "--config-file=/etc/docker/rootless.json", pid=800, Uid=uid)
    assert own_engines(1500, files) == []
