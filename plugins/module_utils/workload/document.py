# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The Engine API's documents that create what a workload describes.
# Source: https://docs.docker.com/reference/api/engine/ (ContainerCreate, NetworkCreate, VolumeCreate).

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.evidence.reasons import LABEL
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import (
    Container,
    Network,
    numeric,
    size,
)

#: Labels of all that was made for a workload: whose it is, and of what it was made.
OWNER = "breakwater.owner"
DIGEST = "breakwater.digest"
_SECRETS_DIRECTORY = "/run/secrets"
#: Nanoseconds.
_SECOND = 1_000_000_000


class Surroundings(NamedTuple):
    """What a container's document depends on besides its description; the defaults serve where no host is asked."""

    user: str = secure_defaults.USER
    log_driver: str = "json-file"
    seccomp: str = ""
    """Content of the seccomp profile."""
    secrets: Mapping[str, str] = {}
    """The host's path of each secret by its name."""
    image_id: str = ""


def container(described: Container, around: Surroundings) -> dict[str, Any]:
    """Return the document that creates the container, with all its networks and the label of its digest."""
    item = described.options
    document: dict[str, Any] = {
        "Image": described.image,
        "User": around.user,
        "Hostname": described.name,
        "Env": sorted(f"{name}={value}" for name, value in item["environment"].items()),
        "ExposedPorts": {_port(port): {} for port in item["ports"]},
        "Labels": {**item["labels"], OWNER: described.owner, **_reasons(item["reasons"])},
        "StopTimeout": item["stop_timeout"],
        "HostConfig": _host_config(described, around),
        "NetworkingConfig": {"EndpointsConfig": {name: {"Aliases": [described.name]} for name in described.networks}},
    }
    if item["entrypoint"]:
        document["Entrypoint"] = list(item["entrypoint"])
    if item["command"]:
        document["Cmd"] = list(item["command"])
    if item["health"]:
        document["Healthcheck"] = _health(item["health"])
    document["Labels"][DIGEST] = digest(document, around.image_id)
    return document


def digest(document: Mapping[str, Any], image_id: str) -> str:
    """Return what changes when a container has to be made anew: with its description, its image or its secrets."""
    return hashlib.sha256(json.dumps([document, image_id], sort_keys=True).encode()).hexdigest()


def network(described: Network) -> dict[str, Any]:
    """Return the document that creates the network."""
    document = {"Name": described.name, **secure_defaults.network(), "Internal": described.internal}
    if described.icc:
        document["Options"]["com.docker.network.bridge.enable_icc"] = "true"
    if described.subnet:
        document["IPAM"] = {"Config": [{"Subnet": described.subnet}]}
    document["Labels"] = {OWNER: described.owner, **_reasons(described.reasons)}
    return document


def volume(name: str, owner: str) -> dict[str, Any]:
    """Return the document that creates the volume."""
    return {"Name": name, "Driver": "local", "Labels": {OWNER: owner}}


def mounts(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the engine would list as the container's mounts."""
    return [
        {
            "Type": mount["Type"],
            "Name": mount["Source"] if mount["Type"] == "volume" else "",
            "Source": mount["Source"],
            "Destination": mount["Target"],
            "RW": not mount["ReadOnly"],
        }
        for mount in document["HostConfig"]["Mounts"]
    ]


def _host_config(described: Container, around: Surroundings) -> dict[str, Any]:
    item = described.options
    config = secure_defaults.host_config()
    name, _separator, retries = item["restart"].partition(":")
    config.update(
        CapAdd=list(described.cap_add),
        Devices=[{"PathOnHost": path, "PathInContainer": path, "CgroupPermissions": "rwm"} for path in item["devices"]],
        Init=item["init"],
        LogConfig=_logs(around.log_driver),
        Memory=described.memory,
        MemorySwap=described.memory,
        Mounts=_mounts(item, around.secrets),
        NanoCpus=int(item["cpus"] * _SECOND),
        NetworkMode=described.networks[0],
        PidsLimit=item["pids"],
        PortBindings=_bindings(item),
        Privileged=item["privileged"],
        ReadonlyRootfs=item["read_only"],
        RestartPolicy={"Name": name, "MaximumRetryCount": int(retries or 0)},
        Tmpfs={place: _tmpfs(size(str(text), place), around.user) for place, text in item["tmpfs"].items()},
        Ulimits=[_ulimit(limit, str(text)) for limit, text in item["ulimits"].items()],
    )
    config["SecurityOpt"] += [f"label={label}" for label in item["selinux"]]
    if item["apparmor"]:
        config["SecurityOpt"].append(f"apparmor={item['apparmor']}")
    if around.seccomp:
        config["SecurityOpt"].append(f"seccomp={around.seccomp}")
    return config


def _logs(driver: str) -> dict[str, Any]:
    """Return bounds for the one driver that keeps everything; another one is the site's choice, with its options."""
    if driver != "json-file":
        return {"Type": "", "Config": {}}
    return {"Type": driver, "Config": dict(secure_defaults.LOG_OPTIONS)}


def _tmpfs(size_in_bytes: int, user: str) -> str:
    """Return a mount's options; it is the user's own, since old runtimes give it the mode of the image's directory."""
    name, _separator, group = user.partition(":")
    owner = f",uid={name},gid={group or '0'}" if numeric(user) else ""
    return f"{secure_defaults.TMPFS_OPTIONS},size={size_in_bytes},mode=1777{owner}"


def _mounts(item: Mapping[str, Any], secrets: Mapping[str, str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for mount in item["volumes"]:
        kind = "volume" if mount["volume"] else "bind"
        source = mount["volume"] or mount["host_path"]
        found.append({"Type": kind, "Source": source, "Target": mount["target"], "ReadOnly": mount["read_only"]})
    for secret in item["secrets"]:
        name = secret["name"]
        target = f"{_SECRETS_DIRECTORY}/{name}"
        found.append({"Type": "bind", "Source": secrets[name], "Target": target, "ReadOnly": True})
    return found


def _bindings(item: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for port in item["ports"]:
        at = {"HostIp": port["host_address"], "HostPort": port["host_port"]}
        found.setdefault(_port(port), []).append(at)
    return found


def _port(port: Mapping[str, Any]) -> str:
    number: str = port["container_port"]
    return number if "/" in number else f"{number}/tcp"


def _ulimit(name: str, text: str) -> dict[str, Any]:
    soft, _separator, hard = text.partition(":")
    return {"Name": name, "Soft": int(soft), "Hard": int(hard or soft)}


def _health(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the check; the image's own where no test is given. Until the first success it is made each second."""
    check: dict[str, Any] = {"Test": list(item["test"])} if item["test"] else {}
    return {
        **check,
        "Interval": item["interval"] * _SECOND,
        "Timeout": item["timeout"] * _SECOND,
        "StartPeriod": item["start_period"] * _SECOND,
        "StartInterval": _SECOND,
        "Retries": item["retries"],
    }


def _reasons(reasons: Mapping[str, str]) -> dict[str, str]:
    return {f"{LABEL}{control}": reason for control, reason in reasons.items()}
