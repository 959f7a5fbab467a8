# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How the containers of a proof are started. Source: docker-run(1).

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.probe import workload_probes
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults

#: The label of all that a proof makes; its value is the id of the run.
LABEL = "breakwater.probe"
#: Sockets that the control arrangement has, where they are on the host.
SOCKETS = ("/var/run/docker.sock", "/run/containerd/containerd.sock")
#: A limit that holds is the same proof with little memory; the probe fills twice as much.
_MEMORY = workload_probes.MEMORY // 2

#: What the attempts need besides the capabilities that each container has.
_CAPABILITIES = ("DAC_READ_SEARCH", "SYS_ADMIN", "SYS_MODULE", "SYS_PTRACE", "SYS_RAWIO", "SYSLOG")
#: All rights that an attempt could need and no more: no network, no file of the host that can be written to, devices to
#: be read only. The program in it makes known calls and ends.
_CONTROL = (
    *("--network", "none", "--userns", "host", "--device-cgroup-rule", "b *:* r"),
    *(word for name in _CAPABILITIES for word in ("--cap-add", name)),
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--security-opt", "label=disable", "--security-opt", "systempaths=unconfined"),
    *("--security-opt", "no-new-privileges=false"),
    *("--memory", str(4 * workload_probes.MEMORY), "--pids-limit", str(4 * workload_probes.PROCESSES)),
)


def control(sockets: list[str]) -> list[str]:
    """Return the options of the control arrangement; it has these sockets of the host."""
    mounts = (f"type=bind,source={path},target={path},readonly" for path in sockets)
    return [*_CONTROL, *(word for mount in mounts for word in ("--mount", mount))]


def hardened() -> list[str]:
    """Return the options of a container as docker_workload starts it, with less memory than its limit."""
    limits = {"Memory": _MEMORY, "MemorySwap": _MEMORY}
    config = {**secure_defaults.host_config(), **limits}
    return ["--user", secure_defaults.USER, *options(config)]


def network(isolated: bool) -> list[str]:
    """Return the options of a network: docker_workload's, or one whose containers reach each other."""
    document = secure_defaults.network()
    named = document["Options"] if isolated else {"com.docker.network.bridge.enable_icc": "true"}
    return ["--driver", document["Driver"], *(f"--opt={name}={value}" for name, value in named.items())]


def options(config: Mapping[str, Any]) -> list[str]:
    """Return a HostConfig of the Engine API as options of `docker run`; KeyError for a key that has none here.

    The restart policy is left out, since what ends by itself must not start again.
    """
    found: list[str] = []
    for name, value in config.items():
        found += _OPTIONS[name](value)
    return found


def _each(option: str) -> Callable[[Any], list[str]]:
    return lambda values: [word for value in values for word in (option, str(value))]


def _one(option: str) -> Callable[[Any], list[str]]:
    return lambda value: [option, str(value)]


def _flag(option: str) -> Callable[[Any], list[str]]:
    return lambda value: [option] if value else []


def _tmpfs(mounts: Mapping[str, str]) -> list[str]:
    return [f"--tmpfs={path}:{text}" for path, text in mounts.items()]


def _ulimits(limits: list[dict[str, Any]]) -> list[str]:
    return [f"--ulimit={limit['Name']}={limit['Soft']}:{limit['Hard']}" for limit in limits]


_OPTIONS: dict[str, Callable[[Any], list[str]]] = {
    "CapAdd": _each("--cap-add"),
    "CapDrop": _each("--cap-drop"),
    "CgroupnsMode": _one("--cgroupns"),
    "Devices": lambda devices: [f"--device={device['PathOnHost']}" for device in devices],
    "IpcMode": _one("--ipc"),
    "Memory": _one("--memory"),
    "MemorySwap": _one("--memory-swap"),
    "NanoCpus": lambda billionths: ["--cpus", str(billionths / 1_000_000_000)],
    "PidsLimit": _one("--pids-limit"),
    "Privileged": _flag("--privileged"),
    "ReadonlyRootfs": _flag("--read-only"),
    "RestartPolicy": lambda _policy: [],
    "SecurityOpt": _each("--security-opt"),
    "Tmpfs": _tmpfs,
    "Ulimits": _ulimits,
}
