# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Judges containers that are only described so far, by the audit's own rules: a description in the Engine API's form is
# completed to what the engine would tell of the container, and goes the audit's way from there.

from __future__ import annotations

from typing import Any, Iterable, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.evidence import confinement
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import container as container_evidence
from ansible_collections.breakwater.docker.plugins.module_utils.evidence import network as network_evidence
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.processes import ProcessTable
from ansible_collections.breakwater.docker.plugins.module_utils.remote_engine import NoFiles
from ansible_collections.breakwater.docker.plugins.plugin_utils import rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.controls import CompiledControl
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema

#: An engine with every security module, so that what a description switches off is seen; it adds nothing by itself.
_SECURITY_OPTIONS = ["apparmor", "seccomp", "selinux"]
_DAEMON = {
    "data_root": "/var/lib/docker",
    "default_ulimits": [],
    "no_new_privileges": False,
    "seccomp_dangerous_calls": [],
    "seccomp_profile": "builtin",
    "security_options": _SECURITY_OPTIONS,
}
#: What the engine fills in where a description says nothing; the rest of what the audit reads is empty.
_HOST_CONFIG: dict[str, Any] = {
    **dict.fromkeys(("CapAdd", "CapDrop", "SecurityOpt", "Ulimits", "Devices", "DeviceRequests", "DeviceCgroupRules")),
    **dict.fromkeys(("Memory", "NanoCpus", "CpuQuota", "CpuShares"), 0),
    **dict.fromkeys(("Privileged", "ReadonlyRootfs", "OomKillDisable"), False),
    **dict.fromkeys(("PidMode", "UTSMode", "UsernsMode", "CgroupParent"), ""),
    "CgroupnsMode": "private",
    "IpcMode": "private",
    "LogConfig": {"Type": "json-file", "Config": {}},
    "MaskedPaths": list(confinement.MASKED_PATHS),
    "NetworkMode": "default",
    "PidsLimit": None,
    "PortBindings": {},
    "ReadonlyPaths": list(confinement.READ_ONLY_PATHS),
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
}


class Described(NamedTuple):
    """A container by its name, the document that would create it, and what it would mount (`Mounts` of the engine)."""

    name: str
    document: Mapping[str, Any]
    mounts: Sequence[Mapping[str, Any]] = ()
    unknown: Mapping[str, str] = {}
    """Fields of the evidence that the description leaves to what nobody was asked, and why."""


#: A path is what it is called, on a host that was not asked.
_ANY_HOST = NoFiles()


def inspection(described: Described) -> dict[str, Any]:
    """Return what the engine would tell of the container once it is created."""
    document = dict(described.document)
    host_config = {**_HOST_CONFIG, **document.pop("HostConfig", {})}
    joined = document.pop("NetworkingConfig", {}).get("EndpointsConfig")
    networks = joined or {host_config["NetworkMode"].replace("default", "bridge"): {}}
    return {
        "Id": described.name,
        "Name": f"/{described.name}",
        "Image": "",
        "Config": {"Env": [], "Labels": {}, "Image": "", "User": "", "Healthcheck": None, **document},
        "HostConfig": host_config,
        "State": {"Status": "created", "Running": False, "Pid": 0},
        "NetworkSettings": {"Networks": dict(networks), "Ports": {}},
        "Mounts": [
            {"Type": "bind", "Name": "", "Source": "", "Propagation": "", "RW": True, **mount}
            for mount in described.mounts
        ],
    }


def judge(
    controls: Iterable[CompiledControl],
    containers: Sequence[Described],
    networks: Sequence[Mapping[str, Any]],
    policy: Mapping[str, Any],
    volume_options: Mapping[str, Mapping[str, str]] | None = None,
) -> list[Finding]:
    """Return the findings about containers and networks, by those of the controls that are about them.

    A volume without options is one of the engine's own, no directory of the host in disguise.
    """
    inspected = [inspection(item) for item in containers]
    volumes = [
        {"Name": mount["Name"], "Options": (volume_options or {}).get(mount["Name"])}
        for item in inspected
        for mount in item["Mounts"]
        if mount["Type"] == "volume"
    ]
    documents = EngineDocuments(
        version={},
        info={"BridgeNfIptables": True, "BridgeNfIp6tables": True, "SecurityOptions": []},
        containers=inspected,
        images=[],
        networks=[{"Id": item["Name"], "Scope": "local", "EnableIPv6": False, **item} for item in networks],
        volumes=volumes,
    )
    nobody = ProcessTable()
    collected = container_evidence.collect(documents, _ANY_HOST, nobody, _DAEMON, ())
    for described, found in zip(containers, collected):
        found["unreadable"].update(described.unknown)
    evidence = {
        "schema": rules.EVIDENCE_VERSION,
        "engine": {**scope_schema("engine").example_object(), "security_options": _SECURITY_OPTIONS},
        "containers": collected,
        "networks": network_evidence.collect(documents, _ANY_HOST, ip6tables=True),
    }
    chosen = [item for item in controls if item.control.scope in ("container", "network")]
    return list(rules.evaluate(chosen, evidence, policy, "").findings)
