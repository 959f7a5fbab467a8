# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from ansible_collections.breakwater.docker.plugins.module_utils.registry import config
from ansible_collections.breakwater.docker.plugins.module_utils.registry.drivers import DRIVERS
from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import Settings, check

SECRET = "signs-uploads"


def test_native_configuration(settings: Settings) -> None:
    document = config.render(replace(settings, address="192.0.2.1", metrics_address="127.0.0.1:5001"), SECRET)
    assert document["http"] == {
        "addr": "192.0.2.1:5000",
        "secret": SECRET,
        "draintimeout": "30s",
        "tls": {"certificate": "tls.crt", "key": "tls.key", "minimumtls": "tls1.2"},
        "headers": {"X-Content-Type-Options": ["nosniff"]},
        "debug": {"addr": "127.0.0.1:5001", "prometheus": {"enabled": True, "path": "/metrics"}},
    }
    assert document["auth"] == {"htpasswd": {"realm": "registry", "path": "htpasswd"}}
    assert document["storage"]["filesystem"] == {"rootdirectory": "/srv/registry"}
    assert document["storage"]["maintenance"]["readonly"] == {"enabled": False}


def test_there_is_no_debug_server_unless_asked_for(settings: Settings) -> None:
    assert "debug" not in config.render(settings, SECRET)["http"]


def test_read_only_twin_differs_in_nothing_but_what_it_takes(settings: Settings) -> None:
    writable, read_only = config.render(settings, SECRET), config.render(settings, SECRET, read_only=True)
    assert read_only["storage"]["maintenance"]["readonly"] == {"enabled": True}
    assert read_only["storage"]["maintenance"]["uploadpurging"]["enabled"] is False
    for document in (writable, read_only):
        del document["storage"]["maintenance"]
    assert writable == read_only


def test_container_listens_on_its_own_ports(settings: Settings) -> None:
    inside = replace(settings, kind="container", image="x", port=443, metrics_address="127.0.0.1:9000")
    http = config.render(inside, SECRET)["http"]
    assert (http["addr"], http["debug"]["addr"]) == (":5000", ":5001")


@pytest.mark.parametrize(
    ("version", "wanted", "mode"),
    [
        ("2.8", "required", None),
        ("3.0", "required", "require-and-verify-client-cert"),
        ("3.0", "accepted", "verify-client-cert-if-given"),
    ],
)
def test_client_certificates_by_version(settings: Settings, version: str, wanted: str, mode: str | None) -> None:
    asked = replace(settings, version=version, client_certificates=wanted, client_ca=["/a.pem", "/b.pem"])
    tls = config.render(asked, SECRET)["http"]["tls"]
    assert tls["clientcas"] == ["client-ca.pem"]
    assert tls.get("clientauth") == mode
    assert config.sources(asked)["client-ca.pem"] == ("/a.pem", "/b.pem")


def test_files_of_token_and_gcs_are_copies(settings: Settings) -> None:
    token = {"realm": "https://a", "service": "s", "issuer": "i", "rootcertbundle": "/r.pem", "jwks": "/k.json"}
    gcs = {"bucket": "b", "keyfile": "/root/gcs.json"}
    asked = replace(settings, version="3.0", users=[], token=token, storage="gcs", storage_options=gcs)
    document = config.render(asked, SECRET)
    assert document["auth"]["token"] == {**token, "rootcertbundle": "token-ca.pem", "jwks": "token-keys.json"}
    assert document["storage"]["gcs"] == {"bucket": "b", "keyfile": "gcs.json"}
    copied = {"tls.crt", "tls.key", "token-ca.pem", "token-keys.json", "gcs.json"}
    assert set(config.sources(asked)) == copied


def test_same_settings_serve_both_versions(settings: Settings) -> None:
    """Going from version 2 to 3 takes no other settings, and stored images are the same."""
    old = replace(settings, kind="container", image="x", storage="s3", storage_options={"region": "r", "bucket": "b"})
    new = replace(old, version="3.0")
    check(old)
    check(new)
    assert config.render(old, SECRET) == config.render(new, SECRET)


def test_proxy(settings: Settings) -> None:
    asked = replace(settings, proxy={"url": "https://hub", "username": "u", "password": "p", "ttl": None})
    assert config.render(asked, SECRET)["proxy"] == {"remoteurl": "https://hub", "username": "u", "password": "p"}


def test_text_is_yaml(settings: Settings) -> None:
    document = config.render(settings, SECRET)
    assert yaml.safe_load(config.text_of(document)) == document


@pytest.mark.parametrize("driver", DRIVERS)
def test_secrets_are_not_shown(settings: Settings, driver: str) -> None:
    keys = (*DRIVERS[driver].required, *DRIVERS[driver].optional, *DRIVERS[driver].newer)
    values = {key: f"value-of-{key}" for key in keys}
    asked = replace(settings, storage=driver, storage_options=values, proxy={"url": "https://hub", "password": "pw"})
    shown = config.shown(config.text_of(config.render(asked, SECRET)))
    assert not any(f"value-of-{key}" in shown for key in DRIVERS[driver].secret)
    assert SECRET not in shown
    assert json.loads(shown)["proxy"]["password"] == "(hidden)"


def test_of_a_service_account_only_the_key_is_hidden(settings: Settings) -> None:
    account = {"client_email": "registry@example.org", "private_key": "value-of-key"}
    asked = replace(settings, storage="gcs", storage_options={"bucket": "images", "credentials": account})
    shown = json.loads(config.shown(config.text_of(config.render(asked, SECRET))))
    hidden = {"client_email": "registry@example.org", "private_key": "(hidden)"}
    assert shown["storage"]["gcs"] == {"bucket": "images", "credentials": hidden}


def test_what_is_no_json_is_not_shown() -> None:
    assert config.shown("auth: {htpasswd: x}\n") == "(hidden)\n"
    assert config.shown("") == ""
