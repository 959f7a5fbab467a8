# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What docker0 is like, whatever the daemon was told: a restart leaves it as it is while a container runs.

from __future__ import annotations

from typing import Callable

from ansible_collections.breakwater.docker.plugins.module_utils.documents import Document
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.network import (
    allows_icc,
    binding_address,
    bridge_filtered,
    is_default_bridge,
)
from ansible_collections.breakwater.docker.plugins.module_utils.ports import FileSystem


def _find(documents: EngineDocuments) -> Document | None:
    networks = (Document(raw, "a network") for raw in documents.networks)
    return next((network for network in networks if is_default_bridge(network)), None)


def icc(documents: EngineDocuments) -> bool | None:
    """Tell whether its containers reach each other; None where there is no such network."""
    bridge = _find(documents)
    return allows_icc(bridge) if bridge else None


def address(documents: EngineDocuments) -> str | None:
    """Return on which address of the host ports are published that name none; None where the engine does not tell."""
    bridge = _find(documents)
    return (binding_address(bridge) if bridge else "") or None


def filtered(documents: EngineDocuments, files: FileSystem, ip6tables: Callable[[], bool]) -> bool:
    """Tell whether traffic between its containers is filtered; `ip6tables` tells whether the daemon filters IPv6."""
    bridge = _find(documents)
    ipv6 = bridge is not None and bridge.boolean("EnableIPv6")
    return bridge_filtered(documents, files, ipv6, ip6tables() if ipv6 else None)
