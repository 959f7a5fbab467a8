# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The keys of daemon.json: type, versions that know them, and what changing them costs. One table for the audit and for
# hardening. Source: the JSON tags and flags of moby/moby at 20.10 to 29.7 (daemon/config, daemon/reload.go).

from __future__ import annotations

import re
from typing import Any, Callable, Mapping, NamedTuple


class DaemonKey(NamedTuple):
    """One key: `since` is the first engine version that knows it, `until` the first that refuses it.

    None stands for older than 20.10 and for still known. `reloadable` keys take effect by SIGHUP; those that move data
    make the engine look for images, containers and volumes in another place.
    """

    kind: str
    since: str | None = None
    until: str | None = None
    reloadable: bool = False
    moves_data: bool = False

    def accepted_by(self, version: str | None) -> bool:
        """Tell whether an engine of `version` knows the key; an unknown version (None) is given the benefit."""
        if version is None:
            return True
        engine = version_tuple(version)
        old_enough = self.since is None or engine >= version_tuple(self.since)
        return old_enough and (self.until is None or engine < version_tuple(self.until))

    def versions(self) -> str:
        """Say which engines know the key, for a message."""
        since = f"from {self.since}" if self.since else ""
        until = f"before {self.until}" if self.until else ""
        return " and ".join(part for part in (since, until) if part) or "of every version"


def version_tuple(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, at least four (`26.1.5+dfsg1` is 26, 1, 5, 0), so that 29.3 is 29.3.0.

    ValueError when there are none.
    """
    match = re.match(r"v?(\d+(?:\.\d+)*)", version)
    if match is None:
        raise ValueError(f"{version!r} is not a version")
    parts = [int(part) for part in match.group(1).split(".")]
    return tuple(parts + [0] * (4 - len(parts)))


def _strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _map_of(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, dict) and all(check(item) for item in value.values())


def _is(kind: type) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, kind)


_BOOLEANS = _map_of(_is(bool))
_OBJECTS = _map_of(_is(dict))
_TEXTS = _map_of(_is(str))

#: For each kind, how a message names it and how a value is checked against it.
KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    "boolean": ("true or false", _is(bool)),
    "integer": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "string": ("a string", _is(str)),
    "strings": ("a list of strings", _strings),
    "objects": ("a list of mappings", lambda value: isinstance(value, list) and all(map(_is(dict), value))),
    "object": ("a mapping", _is(dict)),
    "booleans_by_name": ("a mapping whose values are true or false", _BOOLEANS),
    "strings_by_name": ("a mapping whose values are strings (numbers and booleans in quotes)", _TEXTS),
    "objects_by_name": ("a mapping whose values are mappings", _OBJECTS),
    "maps_by_name": ("a mapping of mappings whose values are strings", _map_of(_TEXTS)),
}


def _group(kind: str, names: str, **marks: Any) -> dict[str, DaemonKey]:
    return {name: DaemonKey(kind, **marks) for name in names.split()}


KEYS: Mapping[str, DaemonKey] = {
    **_group(
        "boolean",
        "experimental icc init ip-forward ip-masq ip6tables iptables ipv6 no-new-privileges raw-logs selinux-enabled"
        " tls tlsverify userland-proxy",
    ),
    **_group("boolean", "debug live-restore", reloadable=True),
    **_group("boolean", "ip-forward-no-drop", since="28.0"),
    **_group("boolean", "allow-direct-routing", since="28.2"),
    **_group("integer", "cpu-rt-period cpu-rt-runtime mtu network-control-plane-mtu"),
    **_group(
        "integer",
        "max-concurrent-downloads max-concurrent-uploads max-download-attempts network-diagnostic-port"
        " shutdown-timeout",
        reloadable=True,
    ),
    **_group("integer", "oom-score-adjust", until="26.0"),
    **_group("integer", "default-stop-timeout", since="29.7"),
    **_group(
        "string",
        "bip bridge cgroup-parent containerd containerd-namespace containerd-plugins-namespace default-cgroupns-mode"
        " default-gateway default-gateway-v6 default-ipc-mode default-shm-size exec-root fixed-cidr fixed-cidr-v6 group"
        " host-gateway-ip init-path ip log-driver log-level metrics-addr pidfile seccomp-profile"
        " swarm-default-advertise-addr tlscacert tlscert tlskey userland-proxy-path",
    ),
    **_group("string", "default-runtime", reloadable=True),
    **_group("string", "data-root storage-driver userns-remap", moves_data=True),
    **_group("string", "api-cors-header", until="28.0"),
    **_group("string", "log-format", since="25.0"),
    **_group("string", "bip6", since="28.0"),
    **_group("string", "firewall-backend bridge-accept-fwmark min-api-version", since="29.0"),
    # An authorization plugin that does not answer makes a reloading dockerd exit: it is changed by a restart.
    **_group(
        "strings",
        "authorization-plugins dns dns-opts dns-search exec-opts hosts node-generic-resources storage-opts",
    ),
    **_group("strings", "allow-nondistributable-artifacts", until="29.0", reloadable=True),
    **_group("strings", "insecure-registries labels registry-mirrors", reloadable=True),
    **_group("strings", "cdi-spec-dirs", since="25.0"),
    **_group("strings", "host-gateway-ips", since="28.0"),
    **_group("objects", "default-address-pools"),
    **_group("object", "builder"),
    **_group("object", "nri-opts", since="29.2"),
    **_group("booleans_by_name", "features", reloadable=True),
    **_group("strings_by_name", "log-opts"),
    **_group("strings_by_name", "proxies", since="23.0"),
    **_group("objects_by_name", "default-ulimits"),
    **_group("objects_by_name", "runtimes", reloadable=True),
    **_group("maps_by_name", "default-network-opts", since="24.0"),
    # Gone: known by name, so that their removal can be explained.
    **_group("string", "cluster-advertise cluster-store graph", until="24.0"),
    **_group("strings_by_name", "cluster-store-opts", until="24.0"),
    **_group("boolean", "disable-legacy-registry", until="20.10"),
}
