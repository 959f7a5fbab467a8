# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.conflicts import (
    conflicts,
    local_socket,
    older_than,
)

Document = dict[str, Any]
TLS = {"tlsverify": True, "tlscacert": "/ca", "tlscert": "/cert", "tlskey": "/key"}


def sentences(document: Document, version: str | None = "26.1.5", swarm: bool = False) -> str:
    return " ".join(sentence for _keys, sentence in conflicts(document, version, swarm))


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({"hosts": ["fd://", "tcp://0.0.0.0:2375"]}, "tlsverify is not true"),
        ({"hosts": ["tcp://0.0.0.0:2376"], **TLS}, "hosts has no local socket"),
        ({"tlsverify": False, "hosts": ["fd://"]}, "tlsverify: false still turns TLS on"),
        ({"tls": True}, "TLS without hosts moves the engine"),
        ({"hosts": ["fd://"], "tlsverify": True, "tlskey": "/k"}, "tlsverify needs tlscacert, tlscert as well"),
        ({"icc": False, "iptables": False}, "icc: false is done by rules of iptables"),
        ({"bridge": "br0", "bip": "10.0.0.1/24"}, "bridge and bip exclude each other"),
        ({"storage-driver": "aufs"}, "aufs is gone since 24.0"),
        ({"storage-driver": "devicemapper"}, "devicemapper is gone since 25.0"),
        ({"userns-remap": "default", "features": {"containerd-snapshotter": True}}, "userns-remap excludes"),
        ({"registry-mirrors": ["https://a", "http://mirror.example"]}, "http://mirror.example is spoken to in clear"),
        ({"ip6tables": True}, "ip6tables needs experimental: true before 27.0, this is 26.1.5"),
        ({"metrics-addr": "0.0.0.0:9323"}, "metrics-addr: 0.0.0.0:9323 shows the workload"),
        ({"metrics-addr": ":9323"}, "metrics-addr: :9323 shows"),
        ({"metrics-addr": "[::]:9323"}, "shows the workload"),
        ({"metrics-addr": "8.8.8.8:9323"}, "shows the workload"),
        ({"metrics-addr": "metrics.example:9323"}, "shows the workload"),
    ],
)
def test_contradiction_is_told(document: Document, sentence: str) -> None:
    assert sentence in sentences(document)


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"hosts": ["fd://", "tcp://0.0.0.0:2376"], **TLS},
        {"icc": True, "iptables": False},
        {"ip6tables": True, "experimental": True},
        {"registry-mirrors": ["https://mirror.example"]},
        {"metrics-addr": "127.0.0.1:9323"},
        {"metrics-addr": "[::1]:9323"},
        {"metrics-addr": "localhost:9323"},
        {"metrics-addr": "10.1.2.3:9323"},
        {"proxies": {"http-proxy": "http://proxy:3128", "no-proxy": "a@b"}},
    ],
)
def test_what_fits_together_is_left_alone(document: Document) -> None:
    assert conflicts(document, "26.1.5", swarm_active=False) == []


@pytest.mark.parametrize("name", ["live-restore", "firewall-backend"])
def test_what_a_swarm_excludes(name: str) -> None:
    document = {"live-restore": True, "firewall-backend": "nftables"}
    assert [keys for keys, _sentence in conflicts(document, "29.0.0", swarm_active=False)] == []
    assert {name} in [keys for keys, _sentence in conflicts(document, "29.0.0", swarm_active=True)]


def test_credentials_of_a_proxy_are_not_shown() -> None:
    told = sentences({"proxies": {"https-proxy": "http://user:hunter2@proxy:3128"}})
    assert "proxies: https-proxy has a user or password" in told
    assert "hunter2" not in told


def test_credentials_of_a_mirror_are_not_shown() -> None:
    assert "hunter2" not in sentences({"registry-mirrors": ["http://user:hunter2@mirror"]})


def test_what_depends_on_the_version() -> None:
    assert sentences({"metrics-addr": "127.0.0.1:1"}, "20.10.24").startswith("metrics-addr needs experimental")
    assert sentences({"storage-driver": "aufs"}, "20.10.24") == ""
    assert sentences({"ip6tables": True}, "27.0.3") == ""
    assert not older_than(None, "27.0")


@pytest.mark.parametrize(
    ("hosts", "socket"),
    [
        ([], "/run/docker.sock"),
        (["fd://"], "/run/docker.sock"),
        (["tcp://:2376", "unix:///run/x.sock"], "/run/x.sock"),
        (["tcp://:2376"], None),
        (5, "/run/docker.sock"),
    ],
)
def test_local_socket(hosts: Any, socket: str | None) -> None:
    assert local_socket({"hosts": hosts}) == socket
