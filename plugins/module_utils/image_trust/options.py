# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The options of a policy's entry, which several modules take.

from __future__ import annotations

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import (
    ACTIONS,
    COSIGN,
    VERIFIERS,
    VERIFY,
)

STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
ENTRY: dict[str, Any] = {
    "repository": {"type": "str", "required": True},
    "action": {"type": "str", "choices": list(ACTIONS), "default": VERIFY},
    "verifier": {"type": "str", "choices": list(VERIFIERS), "default": COSIGN},
    "keys": {**STRINGS, "no_log": False},
    "identity": {"type": "str"},
    "issuer": {"type": "str"},
    "transparency_log": {"type": "str"},
    "server": {"type": "str"},
    "annotations": {"type": "dict", "default": {}},
}
