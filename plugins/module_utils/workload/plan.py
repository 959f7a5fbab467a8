# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Compares a workload with what the engine has: what is to be made, replaced, started and removed.

from __future__ import annotations

import posixpath
import re
from typing import Any, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.workload import document as documents
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import (
    NEXT,
    Container,
    Network,
    Workload,
)
from ansible_collections.breakwater.docker.plugins.module_utils.workload.document import DIGEST, OWNER
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import State

CREATE, REPLACE, START, RENAME = "create", "replace", "start", "rename"
#: What `docker update` changes in a container that has been made, so that its digest does not tell.
_UPDATABLE = ("Memory", "MemorySwap", "NanoCpus", "PidsLimit", "RestartPolicy")
#: The name that an engine gives to a volume without one.
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_ICC = "com.docker.network.bridge.enable_icc"


class Change(NamedTuple):
    """What happens to one container; with `overlap` the new one runs before the old one is stopped."""

    action: str
    container: Container
    document: Mapping[str, Any]
    overlap: bool = False


class Plan(NamedTuple):
    """Everything to do, in this order."""

    networks: tuple[Mapping[str, Any], ...]
    volumes: tuple[Mapping[str, Any], ...]
    changes: tuple[Change, ...]
    removed: tuple[str, ...]

    def names(self, *actions: str) -> list[str]:
        """Return the containers to which one of the actions happens."""
        return [change.container.name for change in self.changes if change.action in actions]


def plan(
    workload: Workload, wanted: Mapping[str, Mapping[str, Any]], state: State, allow_interruption: bool = False
) -> Plan:
    """Return what has to be done; `wanted` are the documents of the containers by name.

    InputError for what is somebody else's, and for a service that would be interrupted without leave.
    """
    networks = [item for item in workload.networks.values() if _missing_network(item, state)]
    volumes = []
    for item in workload.volumes.values():
        owner = ((state.volumes.get(item.name) or {}).get("Labels") or {}).get(OWNER, item.owner)
        if owner != item.owner:
            raise InputError(f"The volume {item.name} belongs to {owner}, not to {item.owner}. Nothing was changed.")
        if item.name not in state.volumes:
            volumes.append(documents.volume(item.name, item.owner))
    changes = [
        change
        for container in workload.containers
        for change in _change(container, wanted[container.name], state, allow_interruption)
    ]
    removed = [name for name in workload.absent if _ours(name, state)]
    removed += _failed_successors(workload, {change.container.name for change in changes}, state)
    return Plan(tuple(documents.network(item) for item in networks), tuple(volumes), tuple(changes), tuple(removed))


def _failed_successors(workload: Workload, changed: set[str], state: State) -> list[str]:
    """Return what an earlier run left for its owner to look at, beside containers that stay as they are."""
    names = (item.name + NEXT for item in workload.containers if item.name not in changed)
    return [name for name in names if DIGEST in state.labels(name)]


def _missing_network(item: Network, state: State) -> bool:
    present = state.networks.get(item.name)
    if present is None:
        return True
    owner = (present.get("Labels") or {}).get(OWNER, item.owner)
    options = present.get("Options") or {}
    icc = str(options.get(_ICC, "true")).lower() != "false"
    subnets = [config.get("Subnet") for config in (present.get("IPAM") or {}).get("Config") or []]
    for wrong, problem in (
        (owner != item.owner, f"belongs to {owner}, not to {item.owner}"),
        (present.get("Driver") != "bridge", f"has the driver {present.get('Driver')}, not bridge"),
        (icc != item.icc, f"has icc {'on' if icc else 'off'}"),
        (bool(present.get("Internal")) != item.internal, f"is {'' if present.get('Internal') else 'not '}internal"),
        (bool(item.subnet) and item.subnet not in subnets, f"has the subnet {', '.join(map(str, subnets))}"),
    ):
        if wrong:
            raise InputError(
                f"The network {item.name} is there already and {problem}, which an engine can't change: remove it once"
                " no container is on it, or choose another name. Nothing was changed."
            )
    return False


def _ours(name: str, state: State) -> bool:
    """Tell whether there is such a container and it was made here; InputError for somebody else's."""
    if name in state.containers and DIGEST not in state.labels(name):
        raise InputError(
            f"The container {name} was not made by docker_workload: remove it yourself, rename it, or set adopt: true"
            " for the container that takes its place. Nothing was changed."
        )
    return name in state.containers


def _change(container: Container, document: Mapping[str, Any], state: State, allow_interruption: bool) -> list[Change]:
    name = container.name
    if name not in state.containers:
        successor = name + NEXT
        same = state.labels(successor).get(DIGEST) == document["Labels"][DIGEST]
        if same and state.running(successor):  # a run was killed after it had removed the old one
            return [Change(RENAME, container, document)]
        _require_places(container, state)
        return [Change(CREATE, container, document)]
    foreign = container.options["adopt"] and DIGEST not in state.labels(name)
    if not foreign and _ours(name, state) and not _differs(state.containers[name], document):
        return [] if state.running(name) else [Change(START, container, document)]
    _require_data(container, state, foreign)
    _require_places(container, state)
    overlap = not (container.lone or _lone(container, state.containers[name]))
    if state.running(name) and not overlap and not allow_interruption:
        raise InputError(
            f"{name} has to be replaced, and its successor can't start before it has stopped, since two can't share"
            f" {container.lone or 'what it publishes or writes to now'}. Publish a range of two ports behind a proxy,"
            " mount read-only, or set allow_interruption. Nothing was changed."
        )
    return [Change(REPLACE, container, document, overlap)]


def _require_data(container: Container, state: State, foreign: bool) -> None:
    """Raise InputError where data of the present container would be out of its successor's sight, or nobody's.

    A named volume that was described once and no longer is has been left out on purpose.
    """
    described = {posixpath.normpath(mount["target"]): mount for mount in container.options["volumes"]}
    dropped = {posixpath.normpath(place) for place in container.options["tmpfs"]}
    for mount in state.containers[container.name].get("Mounts") or ():
        if mount.get("Type") != "volume" or not (foreign or _ANONYMOUS.fullmatch(mount["Name"])):
            continue
        place, name = mount["Destination"], mount["Name"]
        wanted = described.get(place)
        if place in dropped or (wanted and (wanted["host_path"] or wanted["volume"] in {name, *state.volumes})):
            continue
        instead = (
            f"the volume {wanted['volume']}, which is not there yet, would be empty" if wanted else "it is not listed"
        )
        raise InputError(
            f"{container.name} has to be replaced. What it keeps in {place} is in the volume {name}, and {instead}:"
            f" list {{volume: {name}, target: {place}}} in volumes, copy the data to another volume and list that, or"
            f" list {place} in tmpfs if they are not wanted. Nothing was changed."
        )


def _require_places(container: Container, state: State) -> None:
    """Raise InputError for a volume of the image that is not described: each new container would have another one."""
    listed = [mount["target"] for mount in container.options["volumes"]] + list(container.options["tmpfs"])
    described = {posixpath.normpath(place) for place in listed}
    config = state.images.get(container.image, {}).get("Config") or {}
    for place in sorted(config.get("Volumes") or ()):
        if posixpath.normpath(place) not in described:
            raise InputError(
                f"{container.name}: its image keeps data in {place}, in a volume that the next container would not"
                f" have: list {place} in volumes, or in tmpfs if nothing there has to be kept. Nothing was changed."
            )


def _lone(container: Container, present: Mapping[str, Any]) -> bool:
    """Tell whether what runs now has what its successor may need to itself."""
    bindings = (present["HostConfig"].get("PortBindings") or {}).values()
    numbers = {at.get("HostPort", "") for listed in bindings for at in listed or ()}
    fixed = {int(number) for number in numbers if number not in ("", "0") and "-" not in number}
    for port in container.options["ports"]:
        first, _dash, last = port["host_port"].partition("-")
        # an engine that meets a port in use at another address does not try the next one of the range
        if fixed & set(range(int(first), int(last or first) + 1)):
            return True
    return any(mount.get("RW") and mount.get("Type") != "tmpfs" for mount in present.get("Mounts") or ())


def _differs(present: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    if present["Config"]["Labels"].get(DIGEST) != document["Labels"][DIGEST]:
        return True
    if set(present["NetworkSettings"]["Networks"]) != set(document["NetworkingConfig"]["EndpointsConfig"]):
        return True
    wanted = document["HostConfig"]
    return any(present["HostConfig"].get(key) != wanted[key] for key in _UPDATABLE)
