# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A compose service as the document by which Compose would create its container.
# Source: https://docs.docker.com/reference/compose-file/services/.

from __future__ import annotations

import posixpath
import re
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.confinement import MASKED_PATHS
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import size
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose import mounts
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.project import AT_RUN_TIME, Project, assignments
from ansible_collections.breakwater.docker.plugins.plugin_utils.described import Described

_PORT = re.compile(
    r"(?:(?P<address>\[[^\]]*\]|[^:]*):)?(?:(?P<host>[\d-]*):)?(?P<container>\d+(?:-\d+)?)(?:/(?P<protocol>\w+))?"
)
_BILLION = 1_000_000_000
_ON_FAILURE = "on-failure"
#: As Compose reads them after it has filled in a variable.
_BOOLEANS = {**dict.fromkeys(("true", "y", "yes", "on"), True), **dict.fromkeys(("false", "n", "no", "off"), False)}


def described(project: Project, name: str) -> Described:
    """Return the container of a service; InputError for what can't be understood."""
    service = project.services[name]
    try:
        environment, unknown = _environment(project, service)
        document: dict[str, Any] = {
            "Image": str(service.get("image") or f"{project.name}-{name}"),
            "User": str(service.get("user") or ""),
            "Env": environment,
            "Healthcheck": _health(service.get("healthcheck")),
            "HostConfig": _host_config(project, service),
            "NetworkingConfig": {"EndpointsConfig": {key: {} for key in _networks(project, service)}},
        }
        listed = mounts.of(project, service)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise InputError(f"The service {name} is not as the Compose specification has it: {error}.") from None
    if not service.get("user"):
        unknown["user"] = unknown["user_is_root"] = "it names no user, and the image was not asked for its own"
    elif AT_RUN_TIME in str(service["user"]):
        unknown["user"] = unknown["user_is_root"] = "its user is only known at run time"
    if AT_RUN_TIME in str(service.get("volumes")):
        unknown["socket_mounts"] = unknown["sensitive_mounts"] = "where a volume lies is only known at run time"
    if not service.get("healthcheck"):
        unknown["health_check"] = "it has no healthcheck, and the image was not asked for its own"
    return Described(name, document, listed, unknown)


def _host_config(project: Project, service: Mapping[str, Any]) -> dict[str, Any]:
    limits = ((service.get("deploy") or {}).get("resources") or {}).get("limits") or {}
    logging = service.get("logging") or {}
    return {
        "CapAdd": _strings(service.get("cap_add")),
        "CapDrop": _strings(service.get("cap_drop")),
        "CgroupParent": _word(service, "cgroup_parent"),
        "CgroupnsMode": _word(service, "cgroup") or "private",
        "CpuQuota": int(service.get("cpu_quota") or 0),
        "CpuShares": int(service.get("cpu_shares") or 0),
        "DeviceCgroupRules": _strings(service.get("device_cgroup_rules")),
        "DeviceRequests": _requests(service),
        "Devices": [{"PathOnHost": _device(item)} for item in service.get("devices") or []],
        "IpcMode": _joined(service, "ipc") or "private",
        "LogConfig": {"Type": str(logging.get("driver") or "json-file"), "Config": _texts(logging.get("options"))},
        "MaskedPaths": [] if "systempaths=unconfined" in _options(service) else list(MASKED_PATHS),
        "Memory": _bytes(service.get("mem_limit", limits.get("memory"))),
        "NanoCpus": int(float(service.get("cpus", limits.get("cpus")) or 0) * _BILLION),
        "NetworkMode": _joined(service, "network_mode") or _networks(project, service)[0],
        "OomKillDisable": _true(service, "oom_kill_disable"),
        "PidMode": _joined(service, "pid"),
        "PidsLimit": int(service.get("pids_limit", limits.get("pids")) or 0),
        "PortBindings": _ports(service.get("ports") or []),
        "Privileged": _true(service, "privileged"),
        "ReadonlyRootfs": _true(service, "read_only"),
        "RestartPolicy": _restart(service),
        "Runtime": _word(service, "runtime") or "runc",
        "SecurityOpt": _options(service),
        "UTSMode": _word(service, "uts"),
        "Ulimits": _ulimits(service.get("ulimits") or {}),
        "UsernsMode": _word(service, "userns_mode"),
    }


def _true(described_by: Mapping[str, Any], key: str) -> bool:
    """Return a boolean, which is a string where a variable was filled in; ValueError for what is none."""
    text = str(described_by.get(key) or False).lower()
    if text not in _BOOLEANS:
        raise ValueError(f"{key} is neither true nor false but {text}")
    return _BOOLEANS[text]


def _word(service: Mapping[str, Any], key: str) -> str:
    """Return a string that decides by itself; ValueError where only who starts the service knows it."""
    text = str(service.get(key) or "")
    if AT_RUN_TIME in text:
        raise ValueError(f"{key} is {text}: give its variable a value")
    return text


def _joined(service: Mapping[str, Any], key: str) -> str:
    """Return the mode of a namespace: that of another service is its container's."""
    return re.sub("^service:", "container:", _word(service, key))


def _strings(raw: Any) -> list[str]:
    return [str(item) for item in raw or []]


def _texts(raw: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in (raw or {}).items()}


def _bytes(raw: Any) -> int:
    return size(str(raw), "a size") if raw not in (None, "") else 0


def _options(service: Mapping[str, Any]) -> list[str]:
    """Return the security options; the separator of old files is a colon, which the engine still takes."""
    found = [
        re.sub(r"^(no-new-privileges|seccomp|apparmor|label|systempaths):", r"\1=", text)
        for text in _strings(service.get("security_opt"))
    ]
    custom = '{"defaultAction": "SCMP_ACT_ERRNO"}'  # what a file allows is judged where the container runs
    return [
        f"seccomp={custom}"
        if text.startswith("seccomp=") and text not in ("seccomp=unconfined", "seccomp=builtin")
        else text
        for text in found
    ]


def _device(item: Any) -> str:
    return str(item["source"]) if isinstance(item, dict) else str(item).partition(":")[0]


def _requests(service: Mapping[str, Any]) -> list[dict[str, Any]]:
    reservations = ((service.get("deploy") or {}).get("resources") or {}).get("reservations") or {}
    asked = [*(reservations.get("devices") or []), *([{"count": -1}] if service.get("gpus") else [])]
    return [
        {
            "Driver": str(item.get("driver") or ""),
            "Count": -1 if item.get("count") in ("all", None) else int(item["count"]),
            "DeviceIDs": _strings(item.get("device_ids")),
        }
        for item in asked
    ]


def _networks(project: Project, service: Mapping[str, Any]) -> list[str]:
    mode = _word(service, "network_mode")
    if mode:
        return [{"host": "host", "none": "none", "bridge": "bridge"}.get(mode, mode)]
    return [project.full_name(project.networks, str(name)) for name in service.get("networks") or ["default"]]


def _ports(listed: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in listed:
        if isinstance(item, dict):
            address, host = str(item.get("host_ip") or ""), str(item.get("published") or "")
            container, protocol = str(item["target"]), str(item.get("protocol") or "tcp")
        else:
            match = _PORT.fullmatch(str(item))
            if not match:
                raise ValueError(f"the port {item} can't be understood")
            # with one colon only, what looks like an address is the host's port
            only_port = match["host"] is None
            address = "" if only_port else (match["address"] or "").strip("[]")
            host = (match["address"] or "") if only_port else match["host"]
            container, protocol = match["container"], match["protocol"] or "tcp"
        first, _dash, last = container.partition("-")
        for offset in range(int(last or first) - int(first) + 1):
            begin = host.partition("-")[0]
            at = {"HostIp": address, "HostPort": str(int(begin) + offset) if begin else ""}
            found.setdefault(f"{int(first) + offset}/{protocol}", []).append(at)
    return found


def _restart(service: Mapping[str, Any]) -> dict[str, Any]:
    told = service.get("restart")
    if told is None:
        policy = (service.get("deploy") or {}).get("restart_policy") or {}
        conditions = {"any": "always", _ON_FAILURE: _ON_FAILURE, "none": "no"}
        told = conditions[str(policy.get("condition", "any"))] if policy else "no"
        return {"Name": told, "MaximumRetryCount": int(policy.get("max_attempts") or 0) if told == _ON_FAILURE else 0}
    name, _separator, retries = str(told).partition(":")
    return {"Name": "no" if told is False else name, "MaximumRetryCount": int(retries or 0)}


def _ulimits(raw: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for name, limit in raw.items():
        soft, hard = (limit["soft"], limit["hard"]) if isinstance(limit, dict) else (limit, limit)
        found.append({"Name": str(name), "Soft": int(soft), "Hard": int(hard)})
    return found


def _health(raw: Any) -> dict[str, Any] | None:
    if not raw:
        return None
    test = raw.get("test")
    if _true(raw, "disable") or test in ("NONE", ["NONE"]):
        return {"Test": ["NONE"]}
    return {"Test": ["CMD-SHELL", test] if isinstance(test, str) else _strings(test) or ["CMD", "of the image"]}


def _environment(project: Project, service: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """Return `NAME=value` of all variables, and what is unknown when a file of them can't be read."""
    raw = service.get("environment") or {}
    pairs = raw.items() if isinstance(raw, dict) else [str(entry).partition("=")[::2] for entry in raw]
    entries: list[str] = []
    unknown: dict[str, str] = {}
    files = service.get("env_file") or []
    for item in files if isinstance(files, list) else [files]:
        path = project.directory / str(item["path"] if isinstance(item, dict) else item)
        try:
            entries += assignments(path)
        except (OSError, ValueError):
            if isinstance(item, dict) and item.get("required") is False:
                continue
            unknown["environment"] = unknown["secret_variables"] = (
                f"its env_file {posixpath.basename(path)} can't be read"
            )
    # without a value it is taken from where Compose runs
    entries += [
        f"{name}={AT_RUN_TIME if value in (None, '') and _passed(raw, str(name)) else value}" for name, value in pairs
    ]
    return entries, unknown


def _passed(raw: Any, name: str) -> bool:
    return raw[name] is None if isinstance(raw, dict) else name in raw
