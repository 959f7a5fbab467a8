# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.evidence import swarm
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema

STATE = {"LocalAddr": "", "ListenAddr": "0.0.0.0:2377", "AdvertiseAddr": "192.0.2.10:2377", "DataPathAddr": ""}


def node(name: str, role: str = "manager", reachability: str = "reachable") -> dict[str, Any]:
    status = {"Leader": name == "one", "Reachability": reachability, "Addr": "192.0.2.10:2377"}
    return {
        "Spec": {"Role": role},
        "Description": {"Hostname": name},
        **({"ManagerStatus": status} if role == "manager" else {}),
    }


SERVICE = {
    "Spec": {
        "Name": "web",
        "TaskTemplate": {
            "ContainerSpec": {"Env": ["DB_PASSWORD=hunter2", "DB_PASSWORD_FILE=/run/secrets/x", "LANG=C"]}
        },
    }
}
ANSWERS: dict[str, Any] = {
    "/swarm": {
        "CreatedAt": "2026-01-02T03:04:05.123Z",
        "UpdatedAt": "2026-02-03T04:05:06.123Z",
        "Spec": {
            "CAConfig": {"NodeCertExpiry": 7776000000000000, "ForceRotate": 2},
            "EncryptionConfig": {"AutoLockManagers": True},
        },
    },
    "/nodes": [node("one"), node("two", reachability="unreachable"), node("three"), node("four", "worker")],
    "/services": [SERVICE, {"Spec": {"Name": "plugin", "TaskTemplate": {"PluginSpec": {}}}}],
    "/secrets": [{"ID": "x"}],
}
NETWORKS = [
    {"Name": "ingress", "Driver": "overlay", "Options": {"com.docker.network.driver.overlay.vxlanid_list": "4096"}},
    {"Name": "back", "Driver": "overlay", "Options": {"encrypted": ""}},
    {"Name": "front", "Driver": "overlay", "Options": {"encrypted": "false"}},
    {"Name": "odd", "Driver": "overlay", "Options": None},
    {"Name": "bridge", "Driver": "bridge", "Options": {}},
]


class Answers:
    """An engine that answers by path."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def get(self, path: str) -> Any:
        """Return the answer for the path."""
        self.asked.append(path)
        return self.answers[path]


def collect(
    files: LocalFileSystem, state: Any = "active", manager: Any = True, answers: dict[str, Any] | None = None
) -> dict[str, Any]:
    info = {"Swarm": {"LocalNodeState": state, "ControlAvailable": manager}, "DockerRootDir": "/var/lib/docker"}
    return swarm.collect(
        Answers(ANSWERS if answers is None else answers), EngineDocuments({}, info, [], [], NETWORKS, []), files
    )


def test_a_manager_knows_all(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    put("/var/lib/docker/swarm/docker-state.json", json.dumps(STATE))
    found = collect(files)
    assert found["unreadable"] == {}
    assert set(found) - {"unreadable"} == set(scope_schema("swarm").fields)
    assert all(kind.accepts(found[name]) for name, kind in scope_schema("swarm").fields.items())
    assert (found["managers"], found["managers_odd"], found["managers_unreachable"]) == (3, True, ["two"])
    assert found["overlay_networks_unencrypted"] == ["front", "ingress", "odd"]
    assert found["plain_secrets"] == ["web DB_PASSWORD"]
    assert (found["autolock"], found["node_certificate_days"], found["ca_rotations"]) == (True, 90, 2)
    assert (found["listen_address"], found["data_path_address"]) == ("0.0.0.0:2377", "")
    assert found["created"] == "2026-01-02T03:04:05"
    assert "hunter2" not in json.dumps(found)


def test_a_worker_is_asked_nothing_that_it_does_not_know(files: LocalFileSystem, put: Callable[..., Path]) -> None:
    put("/var/lib/docker/swarm/docker-state.json", json.dumps(STATE))
    found = collect(files, manager=False, answers={})
    assert found["unreadable"] == {}
    assert (found["active"], found["manager"], found["managers"], found["plain_secrets"]) == (True, False, None, [])
    assert found["advertise_address"] == "192.0.2.10"


@pytest.mark.parametrize(
    ("address", "expected"),
    [("192.0.2.10:2377", "192.0.2.10"), ("192.0.2.10", "192.0.2.10"), ("[2001:db8::1]:2377", "2001:db8::1"), ("", "")],
)
def test_the_port_of_the_advertised_address_is_left_out(
    files: LocalFileSystem, put: Callable[..., Path], address: str, expected: str
) -> None:
    put("/var/lib/docker/swarm/docker-state.json", json.dumps({**STATE, "AdvertiseAddr": address}))
    assert collect(files)["advertise_address"] == expected


@pytest.mark.parametrize(("state", "active"), [("inactive", False), ("", False), ("locked", True), ("error", True)])
def test_states_of_a_node(files: LocalFileSystem, put: Callable[..., Path], state: str, active: bool) -> None:
    put("/var/lib/docker/swarm/docker-state.json", json.dumps(STATE))
    found = collect(files, state=state, manager=False, answers={})
    assert found["active"] is active
    assert found["unreadable"] == {}
    assert (found["listen_address"] is not None) is active


@pytest.mark.parametrize("text", [None, "x", "[]", "{}", '{"ListenAddr": 5, "DataPathAddr": 5}'])
def test_a_state_file_that_is_none_is_told(files: LocalFileSystem, put: Callable[..., Path], text: str) -> None:
    if text is not None:
        put("/var/lib/docker/swarm/docker-state.json", text)
    assert {"listen_address", "data_path_address"} <= set(collect(files)["unreadable"])


@pytest.mark.parametrize("garbage", [None, [], "x", 1, {}, [1], [{}], {"Spec": []}])
def test_garbage_is_unreadable_and_no_pass(files: LocalFileSystem, garbage: Any) -> None:
    found = collect(files, answers=dict.fromkeys(ANSWERS, garbage))
    assert {"autolock", "node_certificate_days"} <= set(found["unreadable"])
    json.dumps(found)


@pytest.mark.parametrize("garbage", [None, [], "x", 1])
def test_garbage_about_the_node_itself_is_unreadable(files: LocalFileSystem, garbage: Any) -> None:
    info = {"Swarm": garbage, "DockerRootDir": garbage}
    found = swarm.collect(Answers({}), EngineDocuments({}, info, [], [], [], []), files)
    assert "active" in found["unreadable"]
