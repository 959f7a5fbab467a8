# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Workloads as the module would get them.

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import Workload, parse
from ansible_collections.breakwater.docker.plugins.module_utils.workload.options import OPTIONS

HEALTH = {"test": ["CMD", "true"]}
PINNED = "sha256:" + "0" * 64


def options(*containers: dict[str, Any], **others: Any) -> dict[str, Any]:
    """Return the module's options with all defaults; a container needs no more than what it is about."""
    listed = [{"name": "web", "owner": "shop", "image": "web:1", "health": HEALTH, **item} for item in containers]
    checked = ArgumentSpecValidator(OPTIONS).validate({"containers": listed, **others})
    assert not checked.error_messages, checked.error_messages
    return checked.validated_parameters


def workload(*containers: dict[str, Any], **others: Any) -> Workload:
    """Return the workload."""
    return parse(options(*containers, **others))
