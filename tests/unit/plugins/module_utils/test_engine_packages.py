# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any, Mapping, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.engine_packages import (
    PackagePlan,
    apply,
    make_plan,
    present,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

NEW, OLD = "5:29.1.0-1~debian.12~bookworm", "5:28.0.4-1~debian.12~bookworm"
NAMES = ("docker-ce", "docker-ce-cli", "containerd.io")
OFFERED = {"docker-ce": [NEW, OLD], "docker-ce-cli": [NEW, OLD], "containerd.io": ["2.1.5-1"]}


class Fake:
    """A package manager with three packages."""

    def __init__(
        self,
        installed: Mapping[str, str],
        held: frozenset[str] = frozenset(),
        offered: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._installed = installed
        self._held = held
        self._offered = OFFERED if offered is None else offered
        self.done: list[Any] = []

    def refresh(self) -> None:
        raise AssertionError("a plan fetches nothing")

    def installed(self, names: Sequence[str]) -> Mapping[str, str]:
        return self._installed

    def available(self, names: Sequence[str]) -> Mapping[str, Sequence[str]]:
        return self._offered

    def held(self) -> frozenset[str]:
        return self._held

    def install(self, versions: Mapping[str, str | None], change_held: bool) -> None:
        self.done.append(("change" if change_held else "install", dict(versions)))

    def hold(self, names: Sequence[str], held: bool) -> None:
        self.done.append(("hold" if held else "release", list(names)))


def plan(
    installed: Mapping[str, str],
    version: str | None = None,
    upgrade: bool = False,
    hold: bool | None = None,
    held: frozenset[str] = frozenset(),
) -> PackagePlan:
    return make_plan(NAMES, version, upgrade, hold, Fake(installed, held))


OLD_ONES = {"docker-ce": OLD, "docker-ce-cli": OLD, "containerd.io": "2.1.5-1"}
NEWEST = {"docker-ce": NEW, "docker-ce-cli": NEW, "containerd.io": "2.1.5-1"}


def test_missing_packages_come_in_the_newest_version_or_the_one_asked_for() -> None:
    assert plan({}).install == NEWEST
    assert plan({}, "28.0.4").install == OLD_ONES
    assert plan({}, OLD).install == OLD_ONES


@pytest.mark.parametrize("version", ["28.0.5", "8.0", "28.0.4-1~debian.13"])
def test_version_that_nobody_offers_is_refused(version: str) -> None:
    with pytest.raises(InputError, match=r"There is no version .* of docker-ce, but 5:29.1.0-1.*Nothing was changed"):
        plan({}, version)


def test_beginning_of_a_version_ends_where_a_number_does() -> None:
    assert plan({}, "28.0").install == OLD_ONES
    with pytest.raises(InputError):
        plan({}, "2")


def test_what_is_installed_stays_unless_it_is_to_be_upgraded() -> None:
    assert plan(OLD_ONES).install == {}
    assert plan(OLD_ONES, "29.1.0").install == {}
    assert plan(OLD_ONES, "29.1.0").outdated == ("docker-ce",)
    assert plan(OLD_ONES, "29.1.0", upgrade=True).install == {"docker-ce": NEW, "docker-ce-cli": NEW}
    assert plan(OLD_ONES, upgrade=True).install == {"docker-ce": NEW, "docker-ce-cli": NEW}
    assert plan(NEWEST, upgrade=True).install == {}
    assert plan(OLD_ONES, "28.0", upgrade=True) == PackagePlan(OLD_ONES, {}, (), (), ())


def test_engine_from_elsewhere_is_not_replaced() -> None:
    assert present(NAMES, Fake({"containerd.io": "1", "docker-ce": OLD})) == ["docker-ce", "containerd.io"]
    with pytest.raises(InputError, match=r"docker-ce is not what the engine .*Nothing was changed"):
        present(NAMES, Fake({"containerd.io": "1"}))


def test_holding_and_letting_go() -> None:
    held = frozenset(("docker-ce", "vim"))
    assert plan(OLD_ONES, hold=True, held=held).hold == ("docker-ce-cli", "containerd.io")
    assert plan(OLD_ONES, hold=False, held=held).release == ("docker-ce",)
    assert plan(OLD_ONES, "29", upgrade=True, hold=True, held=frozenset(NAMES)).hold == ("docker-ce", "docker-ce-cli")
    assert plan(OLD_ONES, "29", upgrade=True, held=held).hold == ("docker-ce",)
    nothing = plan(OLD_ONES, held=held)
    assert (nothing.hold, nothing.release) == ((), ())


def test_plan_is_carried_out_in_order() -> None:
    manager = Fake({})
    apply(PackagePlan({}, {"docker-ce": NEW}, ("docker-ce",), ("x",), ()), manager)
    assert manager.done == [("install", {"docker-ce": NEW}), ("hold", ["docker-ce"]), ("release", ["x"])]
    manager = Fake({})
    apply(PackagePlan(OLD_ONES, {"docker-ce": NEW}, (), (), ()), manager)
    assert manager.done == [("change", {"docker-ce": NEW})]
    manager = Fake({})
    apply(PackagePlan({}, {}, (), (), ()), manager)
    assert manager.done == []


def test_unknown_versions_of_a_host_without_lists() -> None:
    manager = Fake({}, offered={})
    assert make_plan(NAMES, "28.0", upgrade=False, hold=None, manager=manager).install == dict.fromkeys(NAMES)
