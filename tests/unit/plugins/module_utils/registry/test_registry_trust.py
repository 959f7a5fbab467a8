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
    assert (directory / "ca.crt").read_text() == f"# Managed by breakwater.docker\n{PEM}"
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


def put(root: Path, **texts: str) -> Path:
    """Make files of an operator in the registry's directory."""
    directory = root / DIRECTORY
    directory.mkdir(parents=True)
    for name, text in texts.items():
        (directory / name.replace("_", ".")).write_text(text)
    return directory


def content(directory: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in directory.iterdir()}


def test_an_operators_files_stay_beside_the_ca(tmp_path: Path) -> None:
    directory = put(tmp_path, ca_crt="old", client_cert="cert", client_key="the only one", other_key="too", notes="x")
    others = {name: text for name, text in content(directory).items() if name != "ca.crt"}
    host = TrustHost(str(tmp_path))
    step = host.plan(registry())
    assert step.kept == [f"/{DIRECTORY}/{name}" for name in sorted(others)]
    host.apply(step)
    assert content(directory) == {**others, "ca.crt": f"# Managed by breakwater.docker\n{PEM}"}
    assert not host.plan(registry()).changed
    host.apply(host.plan(registry(ca="")))
    assert content(directory) == others


@pytest.mark.parametrize(
    ("files", "wish", "reason"),
    [
        (["ca.crt"], {"ca": ""}, "ca.crt, which .* give its text in ca"),
        (["ca.crt"], {"ca": "", "client_certificate": True}, "ca.crt, which .* give its text in ca"),
        (["client.key"], {"client_certificate": True}, "client.key, which .* client_certificate at false"),
        (["ca.crt"], {"state": "absent"}, "ca.crt, which .* state at present"),
        (["notes", "other.cert", "other.key"], {"state": "absent"}, "has other.cert, other.key, which"),
    ],
)
def test_what_an_operators_files_stand_against_is_refused(
    tmp_path: Path, files: list[str], wish: dict[str, Any], reason: str
) -> None:
    directory = put(tmp_path, **dict.fromkeys(files, "the only one"))
    with pytest.raises(InputError, match=reason):
        TrustHost(str(tmp_path)).plan(registry(**wish))
    assert content(directory) == dict.fromkeys(files, "the only one")


def test_an_operators_link_is_no_own_one(tmp_path: Path) -> None:
    directory = put(tmp_path)
    (directory / "client.key").symlink_to("/etc/ssl/private/corporate.key")
    host = TrustHost(str(tmp_path))
    host.apply(host.plan(registry()))
    assert os.readlink(directory / "client.key") == "/etc/ssl/private/corporate.key"


def test_what_uses_nothing_stays_in_the_directory(tmp_path: Path) -> None:
    host = TrustHost(str(tmp_path))
    host.apply(host.plan(registry(client_certificate=True)))
    directory = tmp_path / DIRECTORY
    (directory / "key.pem").write_text("key")
    step = host.plan(registry(state="absent"))
    assert step.kept == [f"/{DIRECTORY}/key.pem"]
    host.apply(step)
    assert content(directory) == {"key.pem": "key"}
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
