# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader

SECTIONS = {
    "cis_1_6": {"2": 18, "5": 32},
    # 1.8 has a new 2.7, so the numbers behind it moved.
    "cis_1_8": {"2": 19, "5": 32},
}


@pytest.mark.parametrize("edition", sorted(SECTIONS))
@pytest.mark.parametrize("section", ["2", "5"])
def test_each_number_has_one_control(edition: str, section: str) -> None:
    numbers = Counter(compiled.control.refs.get(edition) for compiled in catalogue_loader.builtin().values())
    expected = [f"{section}.{item}" for item in range(1, SECTIONS[edition][section] + 1)]
    assert [number for number in expected if numbers[number] != 1] == []


def test_section_2_moved_behind_devicemapper() -> None:
    for compiled in catalogue_loader.builtin().values():
        refs = compiled.control.refs
        old, new = (tuple(map(int, refs.get(edition, "0").split("."))) for edition in ("cis_1_6", "cis_1_8"))
        if old[:1] == (2,):
            assert new == ((2, old[1] + 1) if old[1] >= 7 else old)
    assert catalogue_loader.builtin()["daemon_storage_driver_not_devicemapper"].control.refs["cis_1_8"] == "2.7"


def test_controls_of_daemon_container_and_network_name_a_nist_section() -> None:
    for compiled in catalogue_loader.builtin().values():
        control = compiled.control
        if control.scope in {"daemon", "container", "network"}:
            assert control.refs["nist_800_190"].startswith("4.")
            assert control.threats
            assert control.rationale
