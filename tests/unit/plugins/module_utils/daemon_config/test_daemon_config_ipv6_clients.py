# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.ipv6_clients import reached
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem

LOOPBACK = "00000000000000000000000000000001 01 80 10 80       lo\n"
LINK_LOCAL = "fe80000000000000004202fffeac1103 1c 40 20 80     eth0\n"
GLOBAL = "20010db8000000000000000000000003 1c 40 00 80     eth0\n"
OF_A_BRIDGE = "fd000000000000000000000000000001 05 40 00 80 br-0123456789ab\n"


def container(name: str, address: str, own: str = "", public: int | None = 8080) -> dict[str, Any]:
    port = {"IP": address, "PrivatePort": 80, "PublicPort": public, "Type": "tcp"}
    networks = {"bridge": {"GlobalIPv6Address": own}}
    return {"Names": [f"/{name}"], "Ports": [port], "NetworkSettings": {"Networks": networks}}


CONTAINERS = [
    container("web", "::"),
    container("own", "::", "fd00::2"),
    container("one", "2001:db8::3"),
    container("v4", "0.0.0.0"),
    container("local", "::1"),
    container("inner", "", public=None),
    {"Names": None, "Id": "f" * 64, "Ports": None},
]
REACHED = {"web": False, "own": True, "one": False}


@pytest.mark.parametrize(
    ("addresses", "found"),
    [
        (LOOPBACK + LINK_LOCAL + GLOBAL, REACHED),
        (GLOBAL.replace("eth0", "br-lan"), REACHED),
        (LOOPBACK + LINK_LOCAL + OF_A_BRIDGE, {}),
        ("", {}),
    ],
)
def test_clients_over_ipv6_are_those_of_published_ports_on_a_host_that_has_it(
    tmp_path: Path, addresses: str, found: dict[str, bool]
) -> None:
    (tmp_path / "proc/net").mkdir(parents=True)
    (tmp_path / "proc/net/if_inet6").write_text(addresses)
    assert reached(CONTAINERS, LocalFileSystem(str(tmp_path))) == found
    assert reached(None, LocalFileSystem(str(tmp_path))) == {}


def test_kernel_without_ipv6_has_no_such_clients(tmp_path: Path) -> None:
    assert reached(CONTAINERS, LocalFileSystem(str(tmp_path))) == {}
