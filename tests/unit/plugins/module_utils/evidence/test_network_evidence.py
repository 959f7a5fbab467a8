# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.evidence import network
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import recorded
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import write


def collect(
    root: Path, *networks: dict[str, Any], engine: str = "28.5-rootful", ip6tables: bool | None = True
) -> dict[str, dict[str, Any]]:
    recording = recorded(engine)
    containers = [doc for path, doc in recording.items() if path.startswith("/containers/") and isinstance(doc, dict)]
    documents = EngineDocuments({}, recording["/info"], containers, [], list(networks) or recording["/networks"], [])
    files = LocalFileSystem(str(root))
    return {found["name"]: found for found in network.collect(documents, files, ip6tables)}


def make(name: str = "n", driver: str = "bridge", options: Any = None) -> dict[str, Any]:
    return {
        "Id": "1",
        "Name": name,
        "Driver": driver,
        "Scope": "local",
        "Internal": False,
        "EnableIPv6": False,
        "Options": options,
    }


def test_recorded_networks(tmp_path: Path) -> None:
    write(tmp_path, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n")
    found = collect(tmp_path)
    assert sorted(found) == ["bridge", "net"]
    assert found["bridge"]["default_bridge"] is True
    assert (found["bridge"]["icc"], found["net"]["icc"]) == (True, False)
    assert found["net"]["containers"] == ["hardened"]
    assert found["net"]["bridge_filtered"] is True
    assert found["net"]["unreadable"] == {}


@pytest.mark.parametrize(
    ("engine", "ip6tables", "switch", "expected"),
    [
        ("28.5-rootful", True, "1", True),
        ("28.5-rootful", True, "0", False),
        ("28.5-rootful", False, "1", False),  # as engines before 27 have it by default
        ("28.5-rootful", None, "1", None),
        ("26.1-rootful", True, "0", False),  # the engine tells what it found when it started
        ("26.1-rootless", True, "0", True),  # which has to do where the kernel tells of another network namespace
        ("26.1-rootful", False, "1", False),
    ],
)
def test_a_bridge_with_ipv6_is_filtered_by_both(
    tmp_path: Path, engine: str, ip6tables: bool | None, switch: str, expected: bool | None
) -> None:
    write(tmp_path, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n")
    write(tmp_path, "/proc/sys/net/bridge/bridge-nf-call-ip6tables", f"{switch}\n")
    both = {**make("both"), "EnableIPv6": True}
    found = collect(tmp_path, both, make("first"), engine=engine, ip6tables=ip6tables)
    assert (found["both"]["bridge_filtered"], found["first"]["bridge_filtered"]) == (expected, True)
    assert ("bridge_filtered" in found["both"]["unreadable"]) is (expected is None)


def test_missing_bridge_filter_is_off(tmp_path: Path) -> None:
    assert collect(tmp_path)["net"]["bridge_filtered"] is False


def test_an_engine_that_tells_of_a_filter_that_was_switched_off_is_not_believed(tmp_path: Path) -> None:
    write(tmp_path, "/proc/sys/net/bridge/bridge-nf-call-iptables", "0\n")
    assert recorded("26.1-rootful")["/info"]["BridgeNfIptables"] is True
    assert collect(tmp_path, engine="26.1-rootful")["net"]["bridge_filtered"] is False


def test_old_engine_tells_of_the_bridge_filter_itself(tmp_path: Path) -> None:
    assert collect(tmp_path, engine="26.1-rootless")["net"]["bridge_filtered"] is True


def test_bridge_filter_of_a_rootless_engine_is_out_of_sight(tmp_path: Path) -> None:
    write(tmp_path, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n")
    assert "bridge_filtered" in collect(tmp_path, engine="29.1-rootless")["net"]["unreadable"]


def test_other_drivers_have_no_icc(tmp_path: Path) -> None:
    found = collect(tmp_path, make("m", "macvlan", {}), make("bridge", "overlay"))
    assert (found["m"]["icc"], found["bridge"]["default_bridge"]) == (None, False)


def test_modes_of_the_gateway(tmp_path: Path) -> None:
    mode = {"com.docker.network.bridge.gateway_mode_ipv4": "nat-unprotected"}
    assert collect(tmp_path, make(options=mode))["n"]["gateway_modes"] == ["nat", "nat-unprotected"]
    assert collect(tmp_path, make())["n"]["gateway_modes"] == ["nat"]


def test_garbage_is_unreadable(tmp_path: Path) -> None:
    found = collect(tmp_path, {**make(options=[]), "Internal": "no"})["n"]
    assert {"icc", "internal", "gateway_modes"} <= found["unreadable"].keys()
