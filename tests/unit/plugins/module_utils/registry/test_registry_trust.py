# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.registry.trust import (
    Registry,
    TrustHost,
    parse,
    still_insecure,
)

PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----\n"
DIRECTORY = "etc/docker/certs.d/registry.example.org:5000"


def registry(**changes: Any) -> Registry:
    item = {"address": "registry.example.org:5000", "ca": PEM, "client_certificate": False, "state": "present"}
    return parse({**item, **changes})


@pytest.mark.parametrize("address", ["https://registry", "../etc", "a/b", "", "reg istry", "-x", "registry:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError, match="is no address of a registry"):
        registry(address=address)


def test_ca_has_to_be_pem() -> None:
    with pytest.raises(InputError, match="is not PEM"):
        registry(ca="/etc/ssl/ca.pem")


def test_trust_is_given_and_taken(tmp_path: Path) -> None:
    host = TrustHost(str(tmp_path))
    step = host.plan(registry(client_certificate=True))
    assert step.changed
    host.apply(step)
    directory = tmp_path / DIRECTORY
    assert (directory / "ca.crt").read_text() == PEM
    assert {name: os.readlink(directory / name) for name in ("client.cert", "client.key")} == {
        "client.cert": "cert.pem",
        "client.key": "key.pem",
    }
    assert not host.plan(registry(client_certificate=True)).changed
    host.apply(host.plan(registry()))
    assert [path.name for path in directory.iterdir()] == ["ca.crt"]
    host.apply(host.plan(registry(state="absent")))
    assert not directory.exists()
    assert not host.plan(registry(state="absent")).changed


@pytest.mark.parametrize(
    ("current", "kept"),
    [
        (["registry.example.org:5000", "10.0.0.0/8"], ["10.0.0.0/8"]),
        (["registry.example.org"], []),
        (["other.example.org"], None),
        ([], None),
        (None, None),
    ],
)
def test_registries_with_a_ca_are_not_insecure(current: Any, kept: list[str] | None) -> None:
    assert still_insecure(current, [registry()]) == kept
