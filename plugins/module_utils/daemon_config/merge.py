# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# From what daemon.json says and what is wanted to what it will say, and what that costs. Pure: no host is touched here.

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.conflicts import (
    EXCLUDED_BY_SWARM,
    conflicts,
    keys_of_experiments,
    older_than,
    uses_containerd_store,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import KEYS, KINDS
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.redact import looks_secret

Document = Dict[str, Any]
#: Log drivers that write to the host's disk and rotate by the same options.
_ROTATED_DRIVERS = ("json-file", "local")
#: Keys of which a profile only supplies what the site has not set: that there is a limit matters, not which.
_SITE_LIMITS = ("default-ulimits", "log-opts")
#: Keys that dockerd puts into its default network, which it leaves alone while a container runs, restarted or not.
_NETWORK_OPTIONS = {
    "icc": "com.docker.network.bridge.enable_icc",
    "ip": "com.docker.network.bridge.host_binding_ipv4",
    "ip-masq": "com.docker.network.bridge.enable_ip_masquerade",
    "mtu": "com.docker.network.driver.mtu",
}


def _told_root(document: Mapping[str, Any]) -> str:
    return str(document.get("data-root") or "")


@dataclass(frozen=True)
class EngineState:
    """What the running engine says; all unset where none runs. `containers` counts the running and paused ones."""

    running: bool = False
    version: str | None = None
    containers: int = 0
    live_restore: bool = False
    swarm_active: bool = False
    storage_driver: str | None = None
    data_root: str | None = None
    """Where it has its data, without what user namespaces add."""
    root_of: Callable[[Mapping[str, Any]], str] = _told_root
    """Where an engine that starts by a document has its data; empty where nobody can tell."""
    network: Mapping[str, str] = field(default_factory=dict)
    """Options of the default network, `bridge`."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """What keys have come to, as far as the engine tells."""
    dependents: tuple[str, ...] = ()
    """Active units that systemd restarts with the engine, and with them perhaps containers."""
    ipv6_clients: Mapping[str, bool] = field(default_factory=dict)
    """Containers with ports published to clients over IPv6, and whether they have an address of it themselves."""


@dataclass(frozen=True)
class Plan:
    """What to write and what it takes: `action` is none, reload, restart or data_move; `changed` names the keys."""

    document: Document
    action: str
    changed: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]
    """Keys of the profile that were left out, each with the reason."""
    warnings: tuple[str, ...]
    unknown: tuple[str, ...]
    """Keys in the file that no engine of this version knows; they are kept."""
    pending: tuple[str, ...]
    """Keys that take effect only when the engine starts while no container runs."""
    reloaded: tuple[str, ...] = ()
    """Those of `changed` that a reload makes effective; the others take the restart that `action` names."""


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> Document:
    """Return `base` with `overlay` on top: mappings are merged, anything else replaces, null removes."""
    merged = dict(base)
    for key, value in overlay.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping):
            below = merged.get(key)
            merged[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def check_config(config: Mapping[str, Any], version: str | None) -> None:
    """Raise InputError naming every key of the user's that is unknown, not of its type or not of the engine's version.

    A null asks for a key's removal from the file, so it is right for any key.
    """
    problems = []
    for name, value in sorted(config.items()):
        key = KEYS.get(name)
        if value is None:
            continue
        if key is None:
            close = difflib.get_close_matches(name, KEYS, n=1)
            problems.append(f"{name} is not a key of daemon.json" + (f", did you mean {close[0]}?" if close else ""))
        elif not key.accepted_by(version):
            problems.append(f"{name} is a key of engines {key.versions()}, this one is {version}")
        else:
            wanted, check = KINDS[key.kind]
            if not check(merge({}, value) if isinstance(value, Mapping) else value):
                problems.append(f"{name} must be {wanted}, not {value!r}")
    if problems:
        raise InputError(f"The configuration can't be used: {'; '.join(problems)}. Correct it; nothing was changed.")


def make_plan(
    current: Mapping[str, Any],
    running: Mapping[str, Any] | None,
    defaults: Mapping[str, Any],
    config: Mapping[str, Any],
    state: EngineState,
) -> Plan:
    """Merge the profile's `defaults` and the user's `config` into the `current` file; the engine runs by `running`.

    None for `running` says that nobody knows what it runs by. The profile overrides the file (save for limits
    that the site has set), and the user overrides both. InputError when the user asks for what can't be.
    """
    check_config(defaults, None)
    check_config(config, state.version)
    driver = _planned_log_driver(current, defaults, config)
    base = dict(current)
    if driver != _log_driver(current):
        base.pop("log-opts", None)  # options belong to their driver; another one refuses them
    kept, skipped = _applicable(base, defaults, config, state)
    overlay = merge(kept, {key: value for key, value in config.items() if value is not None})
    overlay.update({key: None for key, value in config.items() if value is None})
    document = merge(base, overlay)
    refused: list[str] = []
    warnings: list[str] = []
    for keys, sentence in conflicts(document, state.version, state.swarm_active):
        # What was in the file before is what the engine runs by, save for what ends it when it is started anew.
        ends_it = state.swarm_active and keys <= EXCLUDED_BY_SWARM
        (refused if ends_it or keys & set(config) else warnings).append(sentence)
    if refused:
        raise InputError(f"The configuration contradicts itself: {' '.join(refused)} Nothing was changed.")
    running = None if running is None else _in_force(running, document, state)
    action, changed = classify(running or {}, document, state)
    if running is None and action in ("none", "reload"):
        action = "restart"  # a reload would leave in force what the lost file had and this one has not
    pending = _not_in_network(document, state)
    if pending and not state.containers:
        action, changed = ("restart", pending) if action == "none" else (action, changed)
        pending = ()
    unknown = [name for name in document if name not in KEYS or not KEYS[name].accepted_by(state.version)]
    reloaded = by_reload(changed, running or {}, document, state)
    return Plan(document, action, changed, tuple(skipped), tuple(warnings), tuple(sorted(unknown)), pending, reloaded)


def moving_keys(document: Mapping[str, Any], state: EngineState) -> list[str]:
    """Return the keys by which an engine that starts by its file, the `document`, looks elsewhere for data than now."""
    running = _in_force(document, document, state)
    changed = sorted(key for key in {*running, *document} if running.get(key) != document.get(key))
    return [key for key in changed if _moves_data(key, running, document, state)]


def classify(before: Mapping[str, Any], after: Mapping[str, Any], state: EngineState) -> tuple[str, tuple[str, ...]]:
    """Return the action that makes `after` effective in an engine that runs by `before`, and the keys that differ."""
    changed = tuple(sorted(key for key in {*before, *after} if before.get(key) != after.get(key)))
    if not changed:
        return "none", changed
    if any(_moves_data(key, before, after, state) for key in changed):
        return "data_move", changed
    reloads = for_reload(after) == after and by_reload(changed, before, after, state) == changed
    return ("reload" if reloads else "restart"), changed


def by_reload(
    changed: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any], state: EngineState
) -> tuple[str, ...]:
    """Return those of the `changed` keys that a reload makes effective in the engine."""
    if not state.running:
        return ()
    # A reloading engine takes no notice of a key that has gone.
    known = (key for key in changed if key in after and key in KEYS)
    return tuple(key for key in known if KEYS[key].reloadable and not _moves_data(key, before, after, state))


def for_reload(document: Mapping[str, Any]) -> Document:
    """Return the document as a reload accepts it, without a setting that only a start takes notice of.

    dockerd 26 starts by a file that spells out the default of userland-proxy, but does not reload it:
    "userland-proxy is enabled, but userland-proxy-path is not set".
    """
    refused = bool(document.get("userland-proxy")) and "userland-proxy-path" not in document
    return {key: value for key, value in document.items() if not (refused and key == "userland-proxy")}


def secrets(value: Any, name: str = "") -> set[str]:
    """Return the strings of a document that are secrets, at any depth: URLs with a password, values named like one."""
    if isinstance(value, Mapping):
        return set().union(*(secrets(item, str(key)) for key, item in value.items()))
    if isinstance(value, list):
        return set().union(*(secrets(item, name) for item in value))
    return {value} if isinstance(value, str) and looks_secret(name, value) else set()


def _applicable(
    current: Mapping[str, Any], defaults: Mapping[str, Any], config: Mapping[str, Any], state: EngineState
) -> tuple[Document, list[tuple[str, str]]]:
    """Split the profile into what fits this engine and this host, and the rest with reasons."""
    kept: Document = {}
    skipped = []
    driver = _planned_log_driver(current, defaults, config)
    for name, value in defaults.items():
        reason = _misfit(name, value, driver, merge(current, config), state)
        if reason is None:
            site = current.get(name) if name in _SITE_LIMITS else None
            kept[name] = merge(value, site) if isinstance(site, Mapping) else value
        elif name not in config:
            skipped.append((name, reason))
    return kept, skipped


def _misfit(name: str, value: Any, driver: str, wanted: Mapping[str, Any], state: EngineState) -> str | None:
    """Say why the profile's value does not fit an engine and what else is `wanted` of it; None when it does."""
    if value is not None and not KEYS[name].accepted_by(state.version):
        return f"a key of engines {KEYS[name].versions()}, this one is {state.version}"
    experiments = keys_of_experiments(wanted, state.version)
    profile = wanted.get(name) if name == "seccomp-profile" else None
    proxied = _only_by_proxy(wanted, state)
    misfits = {
        "live-restore": (state.swarm_active, "an engine in a swarm can't restore containers live"),
        "log-driver": (driver != value, f"the log driver {driver} is kept"),
        "log-opts": (driver not in _ROTATED_DRIVERS, f"the log driver {driver} does not rotate files"),
        "experimental": (bool(experiments), f"{' and '.join(experiments)} needs it in this engine"),
        "ip6tables": (older_than(state.version, "27.0"), f"experimental before 27.0, this one is {state.version}"),
        "seccomp-profile": (profile not in (None, "", "builtin", "unconfined"), f"the profile {profile} is kept"),
        "userland-proxy": (bool(proxied), f"without docker-proxy no client over IPv6 reaches {', '.join(proxied)}"),
        "userns-remap": (uses_containerd_store(wanted), "the containerd image store excludes user namespaces"),
    }
    misfit, reason = misfits.get(name, (False, ""))
    return reason if misfit else None


def _only_by_proxy(wanted: Mapping[str, Any], state: EngineState) -> list[str]:
    """Return the containers whose ports would be closed to clients over IPv6 without docker-proxy, where it runs."""
    if wanted.get("userland-proxy") is False:
        return []
    by_rules = wanted.get("ip6tables", not older_than(state.version, "27.0"))
    return sorted(name for name, has_address in state.ipv6_clients.items() if not (by_rules and has_address))


def _in_force(running: Mapping[str, Any], document: Mapping[str, Any], state: EngineState) -> Document:
    """Return what the engine runs by: a file that somebody wrote and left at that is not what it was started by.

    What is about to change anyway is left alone: a run that was killed after a restart has that restart to finish.
    """
    held = {key: value for key, value in running.items() if value not in (None, "") and document.get(key) == value}
    told = {key: value for key, value in state.shown.items() if held.get(key, value) != value}
    if uses_containerd_store(running):
        told.pop("storage-driver", None)  # the engine shows the image store's then
    root = state.root_of(document)
    if root and state.data_root and state.data_root not in (root, state.root_of(running)):
        told["data-root"] = state.data_root
    return merge(running, told)


def _not_in_network(document: Mapping[str, Any], state: EngineState) -> tuple[str, ...]:
    def differs(key: str, option: str) -> bool:
        value = document.get(key)
        wanted = str(value).lower() if isinstance(value, bool) else str(value)
        return value is not None and state.network.get(option, wanted) != wanted

    return tuple(key for key, option in _NETWORK_OPTIONS.items() if differs(key, option))


def _planned_log_driver(current: Mapping[str, Any], defaults: Mapping[str, Any], config: Mapping[str, Any]) -> str:
    """Return the log driver to be; one that was chosen, perhaps to send logs away, is not the profile's to change."""
    if "log-driver" in config:
        return _log_driver(config)
    return current.get("log-driver") or _log_driver(defaults)


def _log_driver(document: Mapping[str, Any]) -> str:
    return document.get("log-driver") or "json-file"


def _moves_data(key: str, before: Mapping[str, Any], after: Mapping[str, Any], state: EngineState) -> bool:
    if key == "features":  # the containerd image store does not show what the other one holds
        return uses_containerd_store(before) != uses_containerd_store(after)
    if key == "storage-driver" and after.get(key) == state.storage_driver:
        return False  # written down what is in use
    if key == "data-root":
        return state.root_of(after) != (state.data_root or state.root_of(before))
    return key in KEYS and KEYS[key].moves_data
