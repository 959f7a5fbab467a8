# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.masked_units import Plan, apply, make_plan, modems
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands

SHOW = "systemctl show --property Id,LoadState,ActiveState,RequiredBy,TriggeredBy -- "


def block(load: str, active: str = "inactive", required_by: str = "", triggered_by: str = "") -> str:
    return f"Id=x\nRequiredBy={required_by}\nTriggeredBy={triggered_by}\nLoadState={load}\nActiveState={active}\n"


@pytest.fixture
def commands() -> RecordedCommands:
    return RecordedCommands()


def test_only_what_is_installed_and_not_masked_is_masked(commands: RecordedCommands) -> None:
    answer = "\n".join([block("loaded", "active"), block("not-found"), block("masked")])
    commands.answer(SHOW + "cups.service nis.service x.socket", answer)
    plan = make_plan(["cups.service", "nis.service", "x.socket"], [], commands)
    assert plan == Plan(("cups.service",), {})


@pytest.mark.parametrize(("active", "masked"), [("active", ()), ("inactive", ("rpcbind.service",))])
def test_what_an_active_unit_requires_is_kept(commands: RecordedCommands, active: str, masked: tuple[str, ...]) -> None:
    commands.answer(SHOW + "rpcbind.service", block("loaded", "active", "nfs.service"))
    commands.answer(SHOW + "nfs.service", block("loaded", active))
    plan = make_plan(["rpcbind.service"], [], commands)
    assert plan.mask == masked
    assert plan.kept == ({} if masked else {"rpcbind.service": ("nfs.service",)})


@pytest.mark.parametrize("needed", [[], ["rpcbind.socket"]])
def test_service_of_a_socket_that_stays_is_kept(commands: RecordedCommands, needed: list[str]) -> None:
    names = ["rpcbind.service", "rpcbind.socket"]
    service = block("loaded", "inactive", triggered_by="rpcbind.socket")
    socket = block("loaded", "active", required_by="rpcbind.service rpc-statd.service")
    commands.answer(SHOW + " ".join(names), service + "\n" + socket)
    commands.answer(SHOW + "rpcbind.service", service)
    commands.answer(SHOW + "rpcbind.socket", socket)
    commands.answer(SHOW + "rpc-statd.service", block("loaded", "active"))
    plan = make_plan(names, needed, commands)
    assert plan.mask == ()
    assert plan.kept["rpcbind.service"] == ("rpcbind.socket",)


def test_what_only_listed_units_require_is_masked_with_them(commands: RecordedCommands) -> None:
    both = block("loaded", "active", "cups.service") + "\n" + block("loaded", "active")
    commands.answer(SHOW + "cups.socket cups.service", both)
    assert make_plan(["cups.socket", "cups.service"], [], commands).mask == ("cups.socket", "cups.service")


def test_modem_manager_stays_where_there_is_a_mobile_network(commands: RecordedCommands, tmp_path: Path) -> None:
    for name, kind, number in (("eth0", "", "1"), ("wwan0", "DEVTYPE=wwan\n", "65534"), ("ppp0", "", "512")):
        (tmp_path / f"sys/class/net/{name}").mkdir(parents=True)
        (tmp_path / f"sys/class/net/{name}/uevent").write_text(f"{kind}INTERFACE={name}\n")
        (tmp_path / f"sys/class/net/{name}/type").write_text(f"{number}\n")
    found = modems(LocalFileSystem(str(tmp_path)))
    assert found == ("ppp0", "wwan0")
    names = ["ModemManager.service", "cups.service"]
    commands.answer(SHOW + " ".join(names), "\n".join([block("loaded", "active")] * 2))
    assert make_plan(names, [], commands) == Plan(tuple(names), {})
    assert make_plan(names, [], commands, found) == Plan(("cups.service",), {"ModemManager.service": found})
    assert modems(LocalFileSystem(str(tmp_path / "none"))) == ()


def test_needed_units_stay(commands: RecordedCommands) -> None:
    assert make_plan(["cups.service"], ["cups.service"], commands) == Plan((), {})
    assert commands.asked == []


@pytest.mark.parametrize(
    "name",
    ["docker.service", "docker.socket", "containerd.service", "ssh.service", "ssh@.service", "systemd-journald.socket"],
)
def test_vital_units_are_refused(commands: RecordedCommands, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must not be masked"):
        make_plan([name], [], commands)


@pytest.mark.parametrize("name", ["cups", "--now", "a b.service", "x.service;reboot"])
def test_what_is_no_unit_is_refused(commands: RecordedCommands, name: str) -> None:
    with pytest.raises(InputError, match="is no name of a unit"):
        make_plan([name], [], commands)


def test_systemd_that_does_not_answer_is_told(commands: RecordedCommands) -> None:
    commands.answer("systemctl", rc=1, stderr="Failed to connect to bus\n")
    with pytest.raises(BreakwaterError, match=r"does not tell about units: Failed to connect"):
        make_plan(["cups.service"], [], commands)
    with pytest.raises(BreakwaterError, match=r"did not mask cups\.service: Failed to connect"):
        apply(Plan(("cups.service",), {}), commands)
