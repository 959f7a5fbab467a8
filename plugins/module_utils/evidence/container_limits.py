# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a container is limited to. An engine shows the limits that it was given also where it can't enforce them, as a
# rootless one without control groups: then they are none.

from __future__ import annotations

from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document

#: The weight that every container has anyway.
_DEFAULT_CPU_SHARES = (0, 1024)


def memory(container: Document, info: Mapping[str, Any]) -> int:
    """Return the bytes; 0 is no limit. `info` is the engine's `/info`."""
    return _limit(container, "Memory", info, "MemoryLimit")


def cpu_limited(container: Document, info: Mapping[str, Any]) -> bool:
    """Tell whether it has a weight of its own, a quota or a limit."""
    shares = _limit(container, "CpuShares", info, "CPUShares")
    limits = (_limit(container, name, info, "CpuCfsQuota") for name in ("NanoCpus", "CpuQuota"))
    return any([shares not in _DEFAULT_CPU_SHARES, *(limit > 0 for limit in limits)])


def pids(container: Document, info: Mapping[str, Any]) -> int:
    """Return the most processes; 0 and below is no limit."""
    # null where none was set
    unset = container.value("HostConfig", "PidsLimit") is None
    return 0 if unset else _limit(container, "PidsLimit", info, "PidsLimit")


def _limit(container: Document, name: str, info: Mapping[str, Any], support: str) -> int:
    limit = container.integer("HostConfig", name)
    return 0 if info.get(support) is False else limit
