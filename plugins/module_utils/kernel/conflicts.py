# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What others set on a host that breaks Docker. Each row is a setting, the value that breaks, and what breaks by it.
# Sources: moby/moby (daemon/libnetwork, contrib/check-config.sh), docs.docker.com/engine/security/rootless,
# kernel Documentation/admin-guide/sysctl.

from __future__ import annotations

import json
from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import exists
from ansible_collections.breakwater.docker.plugins.module_utils.kernel import modules, sysctls
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem

_DAEMON_CONFIG = "/etc/docker/daemon.json"
_RUNNING = "/run/docker.pid"
_NO_ROUTES = "containers reach nothing beyond the host and their published ports are dead"


class Row(NamedTuple):
    """A setting that breaks Docker; `uses` are the uses it concerns (none: all)."""

    key: str
    breaks: str
    works: str
    harm: str
    uses: tuple[str, ...] = ()
    live_when_running: bool = False
    """Whether the running kernel's value counts only while the engine runs, which sets it at its start."""


_ROWS = (
    Row("net.ipv4.ip_forward", "0", "1", _NO_ROUTES, live_when_running=True),
    Row("net.ipv4.conf.all.forwarding", "0", "1", _NO_ROUTES, live_when_running=True),
    Row("net.ipv6.conf.all.forwarding", "0", "1", _NO_ROUTES, ("ipv6",), live_when_running=True),
    Row("net.ipv6.conf.all.disable_ipv6", "1", "0", "networks with IPv6 can't be made", ("ipv6",)),
    Row(
        "net.bridge.bridge-nf-call-iptables",
        "0",
        "1",
        "traffic between containers passes by the packet filter, so that icc=false is void",
        ("bridge_filter",),
        live_when_running=True,
    ),
    Row("user.max_user_namespaces", "0", "28633", "no container starts", ("userns_remap", "rootless")),
    Row("kernel.unprivileged_userns_clone", "0", "1", "rootless engines don't start", ("rootless",)),
    Row("kernel.apparmor_restrict_unprivileged_userns", "1", "0", "rootless engines don't start", ("rootless",)),
)


class Override(NamedTuple):
    """A value that is set in spite of another one, and why."""

    key: str
    value: str
    reason: str


def resolve(wanted: Mapping[str, str], uses: Sequence[str], override: bool, files: FileSystem) -> list[Override]:
    """Return what to set so that Docker works in spite of what others set.

    InputError, which names every conflict, unless `override` is true and our file can settle all of them. A key in
    `wanted` is the user's decision.
    """
    known = {*uses, *_uses_of_daemon(files)}
    others = sysctls.OtherFiles(files)
    running = exists(files, _RUNNING)
    overrides: list[Override] = []
    refusals = [*_own_mistakes(wanted, known), *_module_conflicts(sorted(known), wanted, others, files)]
    for row in (row for row in _ROWS if not row.uses or known & set(row.uses)):
        if others.last(row.key, afterwards=True) == (row.breaks, sysctls.LAST_PATH):
            refusals.append(
                f"{sysctls.LAST_PATH} sets {row.key} = {row.breaks}: {row.harm}. Set it to {row.works} there"
            )
            continue
        if row.key in wanted:
            continue
        last = others.last(row.key)
        live = (running or not row.live_when_running) and sysctls.read_live(files, row.key) == row.breaks
        found = last[1] if last and last[0] == row.breaks else "the running kernel" if live else ""
        if found and override:
            overrides.append(Override(row.key, row.works, f"{found} has {row.breaks}, by which {row.harm}"))
        elif found:
            advice = f"Set it to {row.works} there, or set docker_host_override_conflicts to let the role's file win"
            refusals.append(f"{found} has {row.key} = {row.breaks}: {row.harm}. {advice}")
    if refusals:
        raise InputError(f"What is set on this host breaks Docker. {'. '.join(refusals)}. Nothing was changed.")
    return overrides


def _own_mistakes(wanted: Mapping[str, str], uses: set[str]) -> list[str]:
    return [
        f"docker_host_sysctl sets {row.key} = {row.breaks}: {row.harm}. Set it to {row.works}"
        for row in _ROWS
        if wanted.get(row.key) == row.breaks and (not row.uses or uses & set(row.uses))
    ]


def _module_conflicts(
    uses: Sequence[str], wanted: Mapping[str, str], others: sysctls.OtherFiles, files: FileSystem
) -> list[str]:
    """Return what keeps modules from being loaded; no later file undoes that."""
    found = [
        f"{path} forbids the module {module}, which Docker needs. Remove that line"
        for module, path in modules.forbidden_needs(uses, files)
    ]
    key = "kernel.modules_disabled"
    if sysctls.read_live(files, key) == "1":
        missing = modules.unloaded_needs(uses, files, at_boot=False)
        if missing:
            found.append(
                f"The running kernel loads no modules, and Docker lacks {', '.join(missing)}. Reboot without {key}"
            )
    last = others.last(key, afterwards=True) or others.last(key)
    path = last[1] if last and last[0] == "1" else "docker_host_sysctl" if wanted.get(key) == "1" else ""
    missing = modules.unloaded_needs(uses, files, at_boot=True) if path else []
    if missing:
        found.append(f"{path} sets {key} = 1, but Docker needs {', '.join(missing)}. List them in /etc/modules-load.d")
    return found


def _uses_of_daemon(files: FileSystem) -> set[str]:
    """Return what daemon.json tells of the engine's uses; nothing where it can't be understood."""
    try:
        document: Any = json.loads(files.read_text(_DAEMON_CONFIG).lstrip("\ufeff"))
    except (OSError, ValueError):
        return set()
    if not isinstance(document, dict):
        return set()
    signs = {
        "userns_remap": bool(document.get("userns-remap")),
        "ipv6": document.get("ipv6") is True,
        "bridge_filter": document.get("icc") is False or document.get("userland-proxy") is False,
    }
    return {use for use, shown in signs.items() if shown}
