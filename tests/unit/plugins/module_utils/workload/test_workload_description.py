# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.workload.options import hidden
from ansible_collections.breakwater.docker.tests.unit.fakes.workloads import PINNED, options, workload


def test_owner_has_a_network_of_its_own() -> None:
    told = workload({}, {"name": "ledger", "owner": "bank"})
    assert {name: network.owner for name, network in told.networks.items()} == {"shop": "shop", "bank": "bank"}
    assert not any(network.icc for network in told.networks.values())


def test_what_is_shared_has_to_be_said() -> None:
    data = {"volumes": [{"volume": "data", "target": "/data"}]}
    both = ({**data}, {"name": "ledger", "owner": "bank", **data})
    with pytest.raises(InputError, match="volume data can't be of two owners, shop and bank"):
        workload(*both)
    told = workload(*both, volumes=[{"name": "data", "owner": "shop", "shared_with": ["bank"]}])
    assert told.volumes["data"].owner == "shop"
    with pytest.raises(InputError, match="network shop can't be of two owners"):
        workload({}, {"name": "ledger", "owner": "bank", "networks": ["shop"]})


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"name": "-web"}, "can't be its name"),
        ({"name": "web.next"}, "nothing that ends in .next"),
        ({"networks": ["host"]}, "'host' can't be its name"),
        ({"owner": "bridge"}, "'bridge' can't be its name"),
        ({"memory": "lots"}, "memory is 'lots': write a size"),
        ({"memory": "1m"}, "no container runs with less than 6m"),
        ({"cpus": 0}, "limits above zero"),
        ({"pids": -1}, "limits above zero"),
        ({"cap_add": ["NET_BIND"]}, "NET_BIND is no Linux capability"),
        ({"ports": [{"container_port": "http", "host_port": "80"}]}, "the port 80:http is none"),
        ({"volumes": [{"target": "/data"}]}, "needs either volume or host_path"),
        ({"volumes": [{"host_path": "srv", "target": "/data"}]}, "is not absolute"),
        ({"volumes": [{"volume": "data", "target": "/tmp"}]}, "each once"),
        ({"tmpfs": {"/": "1m"}}, "no place for one mount"),
        ({"ulimits": {"nofile": "many"}}, "the ulimit nofile is 'many'"),
        ({"restart": "sometimes"}, "restart is 'sometimes'"),
        ({"health": {"test": ["CMD", "true"], "image": True}}, "health needs either"),
        ({"secrets": [{"name": "../x", "content": "hunter2"}]}, "needs a name of its own"),
        ({"secrets": [{"name": "token", "content": "hunter2"}], "user": "www"}, "user has to be a number"),
    ],
)
def test_mistake_is_refused(item: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason) as refusal:
        workload(item)
    assert str(refusal.value).endswith("Nothing was changed.")
    assert "hunter2" not in str(refusal.value)


def test_container_is_listed_once() -> None:
    with pytest.raises(InputError, match="container web: it is listed twice"):
        workload({}, absent=["web"])


@pytest.mark.parametrize("image", [PINNED, f"registry.example.org/web:1@{PINNED}"])
def test_strict_profile_takes_pinned_images(image: str) -> None:
    assert workload({"image": image}, profile="strict").containers[0].pinned


@pytest.mark.parametrize("image", ["web", "web:1", "web@sha256:1234"])
def test_strict_profile_refuses_others(image: str) -> None:
    assert not workload({"image": image}).containers[0].pinned
    with pytest.raises(InputError, match="is not pinned"):
        workload({"image": image}, profile="strict")


@pytest.mark.parametrize(
    ("quota", "reason"),
    [
        ({"containers": 1}, "come to 2 containers, and its quota is 1"),
        ({"memory": "511m"}, "come to 536870912 memory"),
        ({"cpus": 1.5}, "come to 2.0 cpus"),
        ({"pids": 199}, "come to 200 pids"),
    ],
)
def test_quota_holds_for_the_sum(quota: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        workload({}, {"name": "db"}, tenants=[{"name": "shop", **quota}])
    enough = {"name": "shop", "containers": 2, "memory": "512m", "cpus": 2, "pids": 200}
    assert workload({}, {"name": "db"}, tenants=[enough])


def test_where_there_are_tenants_every_owner_is_one() -> None:
    with pytest.raises(InputError, match="its owner shop is not among tenants"):
        workload({}, tenants=[{"name": "bank"}])


def test_two_containers_can_overlap_unless_they_share_a_port_or_data() -> None:
    ports = [{"container_port": "80", "host_port": "8080"}]
    ranged = [{"container_port": "80", "host_port": "8080-8081"}]
    written = [{"volume": "data", "target": "/data"}]
    read = [{"volume": "data", "target": "/data", "read_only": True}]
    containers = [workload(item).containers[0] for item in ({}, {"ports": ranged}, {"volumes": read})]
    assert [container.lone for container in containers] == ["", "", ""]
    assert workload({"ports": ports}).containers[0].lone == "the port 127.0.0.1:8080"
    assert workload({"volumes": written}).containers[0].lone == "what it writes to, data"


def test_secrets_and_variables_that_look_like_one_are_hidden() -> None:
    environment = {"API_TOKEN": "hunter3", "MODE": "prod", "PROXY": "http://u:pw@proxy"}
    given = options({"environment": environment, "secrets": [{"name": "token", "content": "hunter2"}]}, {"name": "db"})
    assert hidden(given["containers"]) == {"hunter2", "hunter3", "http://u:pw@proxy"}
