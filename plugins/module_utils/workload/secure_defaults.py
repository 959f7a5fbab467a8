# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# How a container runs about which nothing else is said, in the Engine API's own form.
# Sources: https://docs.docker.com/reference/api/engine/ (ContainerCreate, NetworkCreate), NIST SP 800-190.

from __future__ import annotations

import copy
from typing import Any

#: User and group of a container whose image names no user but root; no account of a Debian has these numbers.
USER = "65532:65532"
MEMORY = 256 << 20
#: Where the engine's log driver keeps everything by default (json-file), how much is kept.
LOG_OPTIONS = {"max-size": "10m", "max-file": "3"}
#: Options of every file system in memory: nothing in it is a program, a device or setuid.
TMPFS_OPTIONS = "rw,noexec,nosuid,nodev"

_HOST_CONFIG: dict[str, Any] = {
    "CapAdd": [],
    "CapDrop": ["ALL"],
    "CgroupnsMode": "private",
    "Devices": [],
    "IpcMode": "private",
    # as much with swap as without: none of it is swapped
    "Memory": MEMORY,
    "MemorySwap": MEMORY,
    "NanoCpus": 1_000_000_000,
    "PidsLimit": 100,
    "Privileged": False,
    "ReadonlyRootfs": True,
    "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
    "SecurityOpt": ["no-new-privileges=true"],
    "Tmpfs": {"/tmp": f"{TMPFS_OPTIONS},size=64m,mode=1777"},  # noqa: S108 (a place in the container)
    # the same as the engine's default of docker_engine, and for engines that have another
    "Ulimits": [{"Name": "nofile", "Soft": 1024, "Hard": 16384}],
}
_NETWORK: dict[str, Any] = {
    "Driver": "bridge",
    "Internal": False,
    "Options": {"com.docker.network.bridge.enable_icc": "false"},
}


def host_config() -> dict[str, Any]:
    """Return the HostConfig of a container, a new object; memory in bytes, NanoCpus in billionths of a CPU.

    It lacks what depends on the container: its network (NetworkMode), ports, mounts and logs. AppArmor, SELinux and
    seccomp are the engine's own as long as SecurityOpt does not name others.
    """
    return copy.deepcopy(_HOST_CONFIG)


def network() -> dict[str, Any]:
    """Return the document that creates a network but for its name: a bridge on which containers don't meet."""
    return copy.deepcopy(_NETWORK)
