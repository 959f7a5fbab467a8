# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a seccomp profile of somebody's own allows that the engine's refuses to a container without added capabilities.
# Sources: docs.docker.com/engine/security/seccomp, OCI runtime specification (config-linux.md, "Seccomp").

from __future__ import annotations

import json
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError

#: Each of them leads out of the container, or far into the kernel.
_DANGEROUS = (
    "add_key bpf clone3 delete_module finit_module fsconfig fsmount fsopen fspick init_module io_uring_enter"
    " io_uring_register io_uring_setup kexec_file_load kexec_load keyctl mount mount_setattr move_mount"
    " open_by_handle_at open_tree perf_event_open pivot_root quotactl reboot request_key setns swapoff swapon umount2"
    " unshare userfaultfd"
)
DANGEROUS_CALLS = frozenset(_DANGEROUS.split())
#: What a rule or a profile does that does not let a call through.
REFUSING = ("SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP")


def dangerous_calls(content: str) -> list[str]:
    """Return the dangerous calls that a profile allows, clone among them where it may make user namespaces.

    It is builtin, unconfined or JSON; UnreadableError when it is neither. Rules that ask for a capability are left out,
    as the engine has such too.
    """
    if content == "builtin":
        return []
    if content == "unconfined":
        return sorted(DANGEROUS_CALLS | {"clone"})
    try:
        return sorted(_left_open(json.loads(content)))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise UnreadableError("a seccomp profile can't be understood") from None


def _left_open(profile: Any) -> frozenset[str]:
    calls = DANGEROUS_CALLS | {"clone"}
    if profile.get("defaultAction") not in REFUSING:
        return calls - {name for rule in profile.get("syscalls") or [] for name in _names(rule) if _refuses(rule)}
    return calls & _allowed(profile)


def _allowed(profile: Any) -> set[str]:
    found: set[str] = set()
    for rule in profile.get("syscalls") or []:
        if not _refuses(rule) and not (rule.get("includes") or {}).get("caps"):
            # a condition on clone keeps user namespaces out; the other calls are dangerous with any arguments
            found.update(name for name in _names(rule) if name != "clone" or not rule.get("args"))
    return found


def _names(rule: Any) -> list[str]:
    return [*(rule.get("names") or []), *([rule["name"]] if rule.get("name") else [])]


def _refuses(rule: Any) -> bool:
    return rule["action"] in REFUSING
