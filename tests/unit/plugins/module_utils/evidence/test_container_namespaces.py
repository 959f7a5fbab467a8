# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document, UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.container_namespaces import neighbourhood


def container(identifier: str, name: str, network: Any, pid: str = "", ipc: str = "private") -> Document:
    modes = {"NetworkMode": network, "PidMode": pid, "IpcMode": ipc}
    return Document({"Id": identifier, "Name": f"/{name}", "HostConfig": modes}, f"container {name}")


HOSTS = container("aa11", "hosts", "host", "host", "host")
OWN = container("ab22", "own", "backend", ipc="shareable")


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("host", "host"),
        ("backend", "backend"),
        ("container:aa11", "host"),
        ("container:hosts", "host"),
        ("container:aa", "host"),  # the beginning of its id
        ("container:ab22", "backend"),
        ("container:first", "host"),  # which joins that one in turn
    ],
)
def test_a_joined_namespace_is_what_its_owner_has(network: str, expected: str) -> None:
    first, joining = container("cc33", "first", "container:aa11"), container("dd44", "joining", network)
    assert neighbourhood([HOSTS, OWN, first, joining]).mode(joining, "network") == expected


@pytest.mark.parametrize("name", ["gone", "", "a", "dd44", "second"])
def test_an_owner_that_can_not_be_told_is_unreadable(name: str) -> None:
    joining = container("dd44", "joining", f"container:{name}")
    second = container("ee55", "second", "container:joining")
    with pytest.raises(UnreadableError):
        neighbourhood([HOSTS, OWN, joining, second]).mode(joining, "network")


def test_each_namespace_has_its_own_owner() -> None:
    joining = container("dd44", "joining", "container:own", "container:hosts", "container:own")
    neighbours = neighbourhood([HOSTS, OWN, joining])
    assert [neighbours.mode(joining, kind) for kind in ("network", "pid", "ipc")] == ["backend", "host", "shareable"]
    assert neighbours.joined(joining) == ["network of own", "pid of hosts", "ipc of own"]
    assert neighbours.joined(HOSTS) == []
