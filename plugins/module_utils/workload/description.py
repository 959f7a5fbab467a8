# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a user wants to run, checked: containers with their owners, networks, volumes and quotas.

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.confinement import (
    CAPABILITIES,
    capability_names,
)

#: Behind a container's name while it is to take the place of one that runs.
NEXT = ".next"
#: As long as a host's name can be, and as what an engine calls a volume without a name.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}")
#: Networks that every engine has.
_TAKEN = ("bridge", "default", "host", "none")
_NUMERIC = re.compile(r"\d{1,10}(:\d{1,10})?")
_SIZE = re.compile(r"(\d+)([kmg]?)b?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
#: The engine takes no smaller limit.
_LEAST_MEMORY = 6 << 20
_PINNED = re.compile(r"(.+@)?sha256:[0-9a-f]{64}")
_PORT = re.compile(r"(\d{1,5})(/(tcp|udp|sctp))?")
_RANGE = re.compile(r"\d{1,5}(-\d{1,5})?")
_ULIMIT = re.compile(r"(-1|\d+)(:(-1|\d+))?")
_RESTART = re.compile(r"no|always|unless-stopped|on-failure(:\d+)?")


class Network(NamedTuple):
    """A bridge; `reasons` say, by control, why it is weaker than it could be."""

    name: str
    owner: str
    shared_with: tuple[str, ...] = ()
    icc: bool = False
    internal: bool = False
    subnet: str = ""
    reasons: Mapping[str, str] = {}


class Volume(NamedTuple):
    """A named volume of the engine's local driver."""

    name: str
    owner: str
    shared_with: tuple[str, ...] = ()


class Container(NamedTuple):
    """A container; `options` are the module's, of which the rest is read where the engine's document is made."""

    name: str
    owner: str
    image: str
    networks: tuple[str, ...]
    memory: int
    cap_add: tuple[str, ...]
    options: Mapping[str, Any]

    @property
    def pinned(self) -> bool:
        """Tell whether the image is named by its content, so that nobody can put another one under its name."""
        return bool(_PINNED.fullmatch(self.image))

    @property
    def volumes(self) -> dict[str, bool]:
        """Return the named volumes, and whether each may be written to."""
        return {mount["volume"]: not mount["read_only"] for mount in self.options["volumes"] if mount["volume"]}

    @property
    def lone(self) -> str:
        """Say what two of this container can't have at the same time; empty where there is no such thing."""
        for port in self.options["ports"]:
            if "-" not in port["host_port"] and port["host_port"] != "0":
                return f"the port {port['host_address']}:{port['host_port']}"
        for mount in self.options["volumes"]:
            if not mount["read_only"]:
                return f"what it writes to, {mount['volume'] or mount['host_path']}"
        return ""


class Workload(NamedTuple):
    """All that is to run; networks and volumes that only a container names are among them."""

    containers: tuple[Container, ...]
    networks: Mapping[str, Network]
    volumes: Mapping[str, Volume]
    absent: tuple[str, ...]


def size(text: str, where: str) -> int:
    """Return bytes for `64m` and the like; InputError for what is no size."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise InputError(f"{where} is {text!r}: write a size like 64m or 2g. Nothing was changed.")
    return int(match[1]) * _FACTORS[match[2].lower()]


def numeric(user: str) -> bool:
    """Tell whether user and group are numbers."""
    return bool(_NUMERIC.fullmatch(user))


def parse(options: Mapping[str, Any]) -> Workload:
    """Return the workload that the module's options describe; InputError, before anything changes, for a mistake."""
    containers = tuple(_container(item, options["profile"]) for item in options["containers"])
    _once([item.name for item in containers] + list(options["absent"]), "container")
    networks = {item["name"]: _network(item) for item in options["networks"]}
    volumes = {item["name"]: _volume(item) for item in options["volumes"]}
    _once([item["name"] for item in options["networks"]], "network")
    _once([item["name"] for item in options["volumes"]], "volume")
    owners = {item.owner for item in containers}
    for container in containers:
        for name in container.networks:
            networks.setdefault(name, Network(name, name if name in owners else container.owner))
            _admitted(container, networks[name], "network")
        for name in container.volumes:
            volumes.setdefault(name, Volume(_named(name, f"A volume of {container.name}"), container.owner))
            _admitted(container, volumes[name], "volume")
    _within_quotas(containers, options["tenants"])
    return Workload(containers, networks, volumes, tuple(options["absent"]))


def _refuse(where: str, problem: str) -> InputError:
    return InputError(f"{where}: {problem}. Nothing was changed.")


def _named(name: str, what: str) -> str:
    if not _NAME.fullmatch(name) or name in _TAKEN or name.endswith(NEXT):
        raise _refuse(
            what,
            f"{name!r} can't be its name; use letters, digits, dots, dashes and underscores, two at least, none of"
            f" {', '.join(_TAKEN)}, and nothing that ends in {NEXT}",
        )
    return name


def _once(names: Sequence[str], kind: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise _refuse(f"The {kind} {name}", "it is listed twice; list it once")


def _network(item: Mapping[str, Any]) -> Network:
    return Network(
        name=_named(item["name"], "A network"),
        owner=_named(item["owner"], f"The network {item['name']}'s owner"),
        shared_with=tuple(item["shared_with"]),
        icc=item["icc"],
        internal=item["internal"],
        subnet=item["subnet"],
        reasons=item["reasons"],
    )


def _volume(item: Mapping[str, Any]) -> Volume:
    owner = _named(item["owner"], f"The volume {item['name']}'s owner")
    return Volume(_named(item["name"], "A volume"), owner, tuple(item["shared_with"]))


def _admitted(container: Container, place: Any, kind: str) -> None:
    if container.owner != place.owner and container.owner not in place.shared_with:
        raise _refuse(
            container.name,
            f"the {kind} {place.name} can't be of two owners, {place.owner} and {container.owner}; give each one of its"
            f" own, or list the {kind} with its owner, and with the other in shared_with",
        )


def _container(item: Mapping[str, Any], profile: str) -> Container:
    name = _named(item["name"], "A container")
    memory = size(item["memory"], f"{name}: memory")
    if memory < _LEAST_MEMORY:
        raise _refuse(name, f"memory is {item['memory']}, and no container runs with less than 6m")
    if item["cpus"] <= 0 or item["pids"] <= 0:
        raise _refuse(name, "cpus and pids are limits above zero")
    owner = _named(item["owner"], f"{name}'s owner")
    container = Container(
        name=name,
        owner=owner,
        image=item["image"],
        networks=tuple(_named(network, f"A network of {name}") for network in item["networks"]) or (owner,),
        memory=memory,
        cap_add=tuple(capability_names(item["cap_add"])),
        options=item,
    )
    if profile == "strict" and not container.pinned:
        raise _refuse(
            name,
            f"the image {item['image']} is not pinned, so that it can be another one tomorrow; name it by its digest"
            " (NAME@sha256:...) or its id (sha256:...)",
        )
    for problem in _problems(container, item):
        raise _refuse(name, problem)
    return container


def _problems(container: Container, item: Mapping[str, Any]) -> Iterable[str]:
    for capability in container.cap_add:
        if capability not in (*CAPABILITIES, "ALL"):
            yield f"{capability} is no Linux capability; correct it"
    for port in item["ports"]:
        if not _PORT.fullmatch(port["container_port"]) or not _RANGE.fullmatch(port["host_port"]):
            yield (
                f"the port {port['host_port']}:{port['container_port']} is none; write host_port like 8080 or"
                " 8080-8081, and container_port like 80 or 53/udp"
            )
    for limit, text in item["ulimits"].items():
        if not _ULIMIT.fullmatch(str(text)):
            yield f"the ulimit {limit} is {text!r}; write it like 1024:16384"
    if not _RESTART.fullmatch(item["restart"]):
        yield f"restart is {item['restart']!r}; write on-failure:5, no, always or unless-stopped"
    if item["health"] and item["health"]["image"] == bool(item["health"]["test"]):
        yield "health needs either a test, like [CMD, /bin/check], or image: true where the image has one"
    yield from _problems_of_mounts(container.name, item)
    yield from _problems_of_secrets(item)


def _problems_of_mounts(name: str, item: Mapping[str, Any]) -> Iterable[str]:
    targets = [mount["target"] for mount in item["volumes"]] + list(item["tmpfs"])
    for target in targets:
        if not target.startswith("/") or target.rstrip("/") == "" or targets.count(target) > 1:
            yield f"{target!r} is no place for one mount; write an absolute path, and each once"
    for mount in item["volumes"]:
        if bool(mount["volume"]) == bool(mount["host_path"]):
            yield f"what is mounted at {mount['target']} needs either volume or host_path"
        if mount["host_path"] and not mount["host_path"].startswith("/"):
            yield f"the host_path {mount['host_path']} is not absolute"
    for place, text in item["tmpfs"].items():
        size(str(text), f"{name}: tmpfs {place}")


def _problems_of_secrets(item: Mapping[str, Any]) -> Iterable[str]:
    names = [secret["name"] for secret in item["secrets"]]
    for secret in names:
        if not _NAME.fullmatch(secret) or names.count(secret) > 1:
            yield f"the secret {secret!r} needs a name of its own of letters, digits, dots, dashes and underscores"
    if names and item["user"] and not numeric(item["user"]):
        yield "its secrets belong to its user, so that user has to be a number, like 1000:1000"


def _within_quotas(containers: Sequence[Container], tenants: Sequence[Mapping[str, Any]]) -> None:
    owners = {item["name"] for item in tenants}
    for container in containers:
        if owners and container.owner not in owners:
            raise _refuse(container.name, f"its owner {container.owner} is not among tenants; add it there")
    for tenant in tenants:
        own = [item for item in containers if item.owner == tenant["name"]]
        used = {
            "containers": len(own),
            "memory": sum(item.memory for item in own),
            "cpus": sum(item.options["cpus"] for item in own),
            "pids": sum(item.options["pids"] for item in own),
        }
        limits = {**tenant, "memory": tenant["memory"] and size(tenant["memory"], f"{tenant['name']}: memory")}
        for kind, total in used.items():
            if limits[kind] is not None and total > limits[kind]:
                raise _refuse(
                    f"The tenant {tenant['name']}",
                    f"its containers come to {total} {kind}, and its quota is {limits[kind]}; lower their limits or"
                    " raise the quota",
                )
