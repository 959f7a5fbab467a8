# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What contradicts itself in a daemon.json, or gives away what the engine protects, each value being right by itself.
# Source: verifyDaemonSettings, loadListeners and the release notes of moby/moby, 20.10 to 29.7.

from __future__ import annotations

from typing import Any, Iterator, Mapping, Set, Tuple

from ansible_collections.breakwater.docker.plugins.module_utils.addresses import is_local
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import version_tuple
from ansible_collections.breakwater.docker.plugins.module_utils.redact import has_credentials, without_credentials

Conflict = Tuple[Set[str], str]
#: What an engine in a swarm does not start by, though a reload lets it in.
EXCLUDED_BY_SWARM = frozenset(("firewall-backend", "live-restore"))
#: The first version that does not start with the storage driver.
_DRIVERS_UNTIL = {"aufs": "24.0", "overlay": "24.0", "devicemapper": "25.0"}
#: The first version that takes the key without `experimental`.
_EXPERIMENTAL_UNTIL = {"metrics-addr": "23.0", "ip6tables": "27.0"}
_TLS_FILES = {"tlscacert", "tlscert", "tlskey"}


def conflicts(document: Mapping[str, Any], version: str | None, swarm_active: bool) -> list[Conflict]:
    """Return what can't be in the document together: the keys that are part of it, and a sentence that says what to do.

    `version` is the engine's, None where it is not known: then nothing is said that depends on it.
    """
    return [
        *_listeners(document),
        *_networks(document, swarm_active),
        *_storage(document, version),
        *_addresses(document),
        *_states(document, version, swarm_active),
    ]


def hosts_of(document: Mapping[str, Any]) -> list[str]:
    """Return the addresses in `hosts`; none where it is missing or of another type."""
    return _strings(document.get("hosts"))


def local_socket(document: Mapping[str, Any]) -> str | None:
    """Return the path of the unix socket that this configuration makes the engine listen on, None for none."""
    hosts = hosts_of(document) or ["fd://"]
    for host in hosts:
        if host.startswith("unix://"):
            return str(host[len("unix://") :]) or "/run/docker.sock"
    return "/run/docker.sock" if any(host.startswith("fd://") for host in hosts) else None


def uses_containerd_store(document: Mapping[str, Any]) -> bool:
    """Tell whether the document asks for containerd's image store."""
    features = document.get("features")
    return isinstance(features, Mapping) and bool(features.get("containerd-snapshotter"))


def older_than(version: str | None, limit: str) -> bool:
    """Tell whether an engine of `version` is older than `limit`; one of an unknown version (None) is not."""
    return version is not None and version_tuple(version) < version_tuple(limit)


def keys_of_experiments(document: Mapping[str, Any], version: str | None) -> list[str]:
    """Return the keys in use that an engine of `version` takes only with `experimental`."""
    return [key for key, until in _EXPERIMENTAL_UNTIL.items() if document.get(key) and older_than(version, until)]


def _listeners(document: Mapping[str, Any]) -> Iterator[Conflict]:
    hosts = hosts_of(document)
    if any(host.startswith("tcp://") for host in hosts) and document.get("tlsverify") is not True:
        sentence = "hosts has a tcp address but tlsverify is not true, so anybody could command the engine."
        yield {"hosts", "tls", "tlsverify"}, sentence
    if document.get("tlsverify") is False:
        sentence = "tlsverify: false still turns TLS on, without asking clients for a certificate: set it true or null."
        yield {"tlsverify"}, sentence
    if (document.get("tls") or document.get("tlsverify")) and not hosts:
        sentence = "TLS without hosts moves the engine from its socket to tcp://localhost:2376: add hosts."
        yield {"hosts", "tls", "tlsverify"}, sentence
    if document.get("tlsverify") and _TLS_FILES - set(document):
        sentence = f"tlsverify needs {', '.join(sorted(_TLS_FILES - set(document)))} as well."
        yield {"tlsverify", *_TLS_FILES}, sentence
    if local_socket(document) is None:
        sentence = "hosts has no local socket, so nothing on the host could see to the engine: add fd:// or unix://."
        yield {"hosts"}, sentence
    metrics = document.get("metrics-addr")
    if isinstance(metrics, str) and metrics and not is_local(metrics.rpartition(":")[0], private=True):
        sentence = (
            f"metrics-addr: {metrics} shows the workload to everybody who reaches it, without TLS or a login:"
            " name an address of loopback, or a private one that a firewall guards."
        )
        yield {"metrics-addr"}, sentence


def _networks(document: Mapping[str, Any], swarm_active: bool) -> Iterator[Conflict]:
    if document.get("icc") is False and document.get("iptables") is False:
        sentence = "icc: false is done by rules of iptables, and iptables is false: set iptables or icc true."
        yield {"icc", "iptables"}, sentence
    if document.get("bridge") and document.get("bip"):
        yield {"bridge", "bip"}, "bridge and bip exclude each other: a bridge of your own has its address already."
    if document.get("firewall-backend") == "nftables" and swarm_active:
        yield {"firewall-backend"}, "firewall-backend: nftables is refused by an engine in a swarm: set it to iptables."


def _storage(document: Mapping[str, Any], version: str | None) -> Iterator[Conflict]:
    driver = document.get("storage-driver")
    until = _DRIVERS_UNTIL.get(driver) if isinstance(driver, str) else None
    if until and not older_than(version, until):
        sentence = f"The storage driver {driver} is gone since {until}: move the data to overlay2, and set that."
        yield {"storage-driver"}, sentence
    if document.get("userns-remap") and uses_containerd_store(document):
        yield (
            {"userns-remap", "features"},
            "userns-remap excludes features.containerd-snapshotter: set one of them only.",
        )


def _addresses(document: Mapping[str, Any]) -> Iterator[Conflict]:
    proxies = document.get("proxies")
    named = proxies.items() if isinstance(proxies, Mapping) else ()
    secret = [name for name, url in named if name != "no-proxy" and isinstance(url, str) and has_credentials(url)]
    if secret:
        sentence = (
            f"proxies: {' and '.join(secret)} has a user or password in its address, which is told to everybody who may"
            " ask the engine for its settings: let the proxy know the host by its address or certificate."
        )
        yield {"proxies"}, sentence
    plain = [mirror for mirror in _strings(document.get("registry-mirrors")) if mirror.startswith("http://")]
    if plain:
        shown = " and ".join(map(without_credentials, plain))
        sentence = (
            f"registry-mirrors: {shown} is spoken to in clear text, so anybody on the way can change images: use https."
        )
        yield {"registry-mirrors"}, sentence


def _states(document: Mapping[str, Any], version: str | None, swarm_active: bool) -> Iterator[Conflict]:
    if document.get("live-restore") and swarm_active:
        sentence = (
            "live-restore is refused by an engine in a swarm, which does not start again with it: set it to false."
        )
        yield {"live-restore"}, sentence
    for key in keys_of_experiments(document, version):
        if not document.get("experimental"):
            sentence = f"{key} needs experimental: true before {_EXPERIMENTAL_UNTIL[key]}, this is {version}."
            yield {key, "experimental"}, f"{sentence} Upgrade the engine or leave it out."


def _strings(value: Any) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []
