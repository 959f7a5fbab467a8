# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# AppArmor profiles for containers as text of a short description. Source: apparmor.d(5).

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping, NamedTuple

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.confinement import CAPABILITIES

ENFORCE, COMPLAIN = "enforce", "complain"
HEADER = "# Written by breakwater.docker.docker_apparmor_profiles, which overwrites changes.\n"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
#: Names with a meaning of their own to the engine.
_TAKEN = ("docker-default", "unconfined")
#: AppArmor's patterns without blanks and quotes, so that a path can't become another rule.
_PATH = re.compile(r"(/|@\{[A-Z]+\}/)[^\s\"',#\\]*(,[^\s\"'#\\]+)*")
_NETWORK = re.compile(r"[a-z][a-z0-9]*( (stream|dgram|raw|seqpacket|rdm))?")
#: What shows or changes the kernel of the host, whatever else is allowed. The engine masks most of it, too; this holds
#: where a container's options unmask it.
_KERNEL = (
    "deny mount,",
    "deny pivot_root,",
    "deny @{PROC}/{kcore,kmem,mem,sysrq-trigger,timer_list} rwklx,",
    "deny @{PROC}/{acpi,asound,bus,driver,fs,irq,scsi,sys}/** wklx,",
    "deny /sys/{block,bus,class,dev,devices,firmware,hypervisor,kernel,module,power}/** wklx,",
    "deny /sys/fs/{[^c],c[^g]}** wklx,",
    "deny /sys/{firmware,devices/virtual/powercap,kernel/security}/** rklx,",
)


class Profile(NamedTuple):
    """What the processes of a container may do; empty paths of all three kinds stand for every file."""

    name: str
    mode: str
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    executable: tuple[str, ...]
    denied: tuple[str, ...]
    network: tuple[str, ...]
    capabilities: tuple[str, ...]
    rules: tuple[str, ...]


def parse(item: Mapping[str, Any]) -> Profile:
    """Return the profile that a user describes; InputError, before anything changes, for what can't be one."""
    name = item["name"]
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise InputError(
            f"{name!r} can't be a profile's name: use letters, digits, dots, dashes and underscores, and none of"
            f" {', '.join(_TAKEN)}. Nothing was changed."
        )
    return Profile(
        name=name,
        mode=item["mode"],
        rules=tuple(rule.strip() for rule in item["rules"]),
        network=tuple(_checked(name, "network", text, _NETWORK, "like `inet stream`") for text in item["network"]),
        capabilities=tuple(sorted({_capability(name, text) for text in item["capabilities"]})),
        **{
            kind: tuple(
                _checked(name, kind, text, _PATH, "that begins with / and has no blanks") for text in item[kind]
            )
            for kind in ("readable", "writable", "executable", "denied")
        },
    )


def _checked(name: str, option: str, text: str, pattern: re.Pattern[str], form: str) -> str:
    if not pattern.fullmatch(text):
        raise InputError(
            f"Profile {name}: {text!r} in {option} is not of a form {form}. Correct it, or write it as an AppArmor rule"
            " in rules. Nothing was changed."
        )
    return text


def _capability(name: str, text: str) -> str:
    known = text.upper()[4:] if text.upper().startswith("CAP_") else text.upper()
    if known not in CAPABILITIES:
        raise InputError(f"Profile {name}: {text!r} is no Linux capability: correct it. Nothing was changed.")
    return known.lower()


def render(profile: Profile) -> str:
    """Return the profile's text, in AppArmor's language of version 3.0; the same profile gives the same text."""
    flags = "attach_disconnected,mediate_deleted" + (",complain" if profile.mode == COMPLAIN else "")
    body = "".join(f"  {rule}\n" for rule in _rules(profile))
    return (
        f"{HEADER}abi <abi/3.0>,\n#include <tunables/global>\n\n"
        f"profile {profile.name} flags=({flags}) {{\n  #include <abstractions/base>\n{body}}}\n"
    )


def _rules(profile: Profile) -> Iterator[str]:
    for text in profile.network:
        yield f"network {text},"
        if text == "unix":
            yield "unix,"
    for capability in profile.capabilities:
        yield f"capability {capability},"
    restricted = {"r": profile.readable, "rwkl": profile.writable, "mrix": profile.executable}
    if not any(restricted.values()):
        yield "file,"
    for rights, paths in restricted.items():
        for path in paths:
            yield from _file_rules(path, rights)
    for path in profile.denied:
        yield from _file_rules(path, "rwklmx", "deny ")
    yield from _KERNEL
    # the runtime stops containers, and their processes may look after each other
    yield "signal (receive) peer={unconfined,runc,crun},"
    yield f"signal (send, receive) peer={profile.name},"
    yield f"ptrace (trace, read, tracedby, readby) peer={profile.name},"
    yield from profile.rules


def _file_rules(path: str, rights: str, qualifier: str = "") -> Iterator[str]:
    """Return the rules of a path; one that ends in a slash is a directory with all that is below."""
    yield f"{qualifier}{path} {rights},"
    if path.endswith("/"):
        yield f"{qualifier}{path}** {rights},"
