# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The registry's configuration file. Paths in it are relative to its directory, in which the registry runs, so that it
# is the same on the host and in a container. Pure: no host is touched here.

from __future__ import annotations

import json
from typing import Any, Dict, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.redact import HIDDEN
from ansible_collections.breakwater.docker.plugins.module_utils.registry.drivers import NEW
from ansible_collections.breakwater.docker.plugins.module_utils.registry.effective import masked
from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import (
    ACCEPTED,
    Settings,
    host_port,
    split_address,
)

CONFIG, READ_ONLY = "config.yml", "readonly.yml"
HTPASSWD, CERTIFICATE, KEY, CLIENT_CA = "htpasswd", "tls.crt", "tls.key", "client-ca.pem"
TOKEN_CA, TOKEN_KEYS, GCS_KEY = "token-ca.pem", "token-keys.json", "gcs.json"
#: Ports inside of a container.
INNER_PORT, INNER_METRICS_PORT = 5000, 5001
#: How long requests under way may take when the registry stops; systemd and Docker wait a little longer.
DRAIN_SECONDS = 30

Document = Dict[str, Any]


def sources(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Return the files that the registry reads besides its configuration: each name, and what it is copied from."""
    wanted = {
        CERTIFICATE: (settings.certificate,),
        KEY: (settings.key,),
        CLIENT_CA: tuple(settings.client_ca),
        TOKEN_CA: (str(settings.token.get("rootcertbundle") or ""),),
        TOKEN_KEYS: (str(settings.token.get("jwks") or ""),),
        GCS_KEY: (str(settings.storage_options.get("keyfile") or "") if settings.storage == "gcs" else "",),
    }
    return {name: paths for name, paths in wanted.items() if any(paths)}


def render(settings: Settings, secret: str, read_only: bool = False) -> Document:
    """Return the configuration; `secret` is what the state of uploads is signed with."""
    document: Document = {
        "version": "0.1",
        "log": {"level": settings.log_level, "fields": {"service": "registry"}},
        "storage": _storage(settings, read_only),
        "http": _http(settings, secret),
        "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
    }
    if settings.users:
        document["auth"] = {"htpasswd": {"realm": "registry", "path": HTPASSWD}}
    elif settings.token:
        document["auth"] = {"token": _token(settings)}
    if settings.proxy:
        names = {"url": "remoteurl", "username": "username", "password": "password", "ttl": "ttl"}
        document["proxy"] = {names[key]: value for key, value in settings.proxy.items() if value}
    return document


def _storage(settings: Settings, read_only: bool) -> Document:
    options = {key: value for key, value in settings.storage_options.items() if value is not None}
    if GCS_KEY in sources(settings):
        options["keyfile"] = GCS_KEY
    return {
        settings.storage: options,
        "delete": {"enabled": settings.delete},
        "redirect": {"disable": not settings.redirect},
        "cache": {"blobdescriptor": "inmemory"},
        "maintenance": {
            "uploadpurging": {
                "enabled": not read_only,
                "age": settings.purge_age,
                "interval": "24h",
                "dryrun": False,
            },
            "readonly": {"enabled": read_only},
        },
    }


def _http(settings: Settings, secret: str) -> Document:
    tls: Document = {"certificate": CERTIFICATE, "key": KEY, "minimumtls": f"tls{settings.tls_minimum}"}
    if settings.client_ca:
        tls["clientcas"] = [CLIENT_CA]
        if settings.major >= NEW:
            accepted = settings.client_certificates == ACCEPTED
            tls["clientauth"] = "verify-client-cert-if-given" if accepted else "require-and-verify-client-cert"
    document: Document = {
        "addr": host_port(settings.address, settings.port) if settings.native else f":{INNER_PORT}",
        "secret": secret,
        "draintimeout": f"{DRAIN_SECONDS}s",
        "tls": tls,
        "headers": {"X-Content-Type-Options": ["nosniff"]},
    }
    if settings.metrics_address:
        address = host_port(*split_address(settings.metrics_address))
        inner = address if settings.native else f":{INNER_METRICS_PORT}"
        document["debug"] = {"addr": inner, "prometheus": {"enabled": True, "path": "/metrics"}}
    return document


def _token(settings: Settings) -> Document:
    options = {key: value for key, value in settings.token.items() if value not in (None, "", [])}
    files = sources(settings)
    if TOKEN_CA in files:
        options["rootcertbundle"] = TOKEN_CA
    if TOKEN_KEYS in files:
        options["jwks"] = TOKEN_KEYS
    return options


def text_of(document: Mapping[str, Any]) -> str:
    """Return the file's text. JSON is YAML as well, and needs no library on the host."""
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def shown(text: str) -> str:
    """Return a configuration file's text as everybody may see it."""
    try:
        document = json.loads(text)
    except ValueError:
        return f"{HIDDEN}\n" if text else ""
    return text_of(masked(document))
