# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Types of one's own for containers, what all containers are denied, and what the host needs to boot, as a module in
# SELinux's intermediate language. Sources: secilc's reference guide, container.te of Debian's policy, container.te of
# container-selinux, systemd.exec(5) on ImportCredential=.

from __future__ import annotations

import re
from typing import Any, Iterator, Mapping, NamedTuple, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.confinement import CAPABILITIES

_NAME = re.compile(r"[a-z][a-z0-9_]{0,60}_t")
#: Types that the policies have already.
_TAKEN = re.compile(r"(container|docker|spc|svirt)_.*")
#: The kernel counts capabilities from here on in a class of their own.
_SECOND_CLASS = 32
_DIRECTORY_READ = "getattr search open read lock ioctl"
_FILE_READ = "getattr open read lock ioctl map"
_WRITE = "create write append rename link unlink setattr"
#: systemd 257 gives its network generator a directory for credentials, empty or not, into which Debian's policy of then
#: does not let it look: the unit fails in each enforcing boot. A policy without one of the types is left as it is.
_NETWORK_CREDENTIALS = (
    "(optional breakwater_network_credentials (allow systemd_networkd_t tmpfs_t (dir (getattr search open read))))"
)


class ContainerType(NamedTuple):
    """A container's type: whether it may use the network, its capabilities, types of files, rules in CIL."""

    name: str
    network: bool
    capabilities: tuple[str, ...]
    readable: tuple[str, ...]
    writable: tuple[str, ...]
    rules: tuple[str, ...]


def parse(item: Mapping[str, Any]) -> ContainerType:
    """Return the type that a user describes; InputError for what can't be one."""
    name = item["name"]
    if not _NAME.fullmatch(name) or _TAKEN.fullmatch(name):
        raise InputError(
            f"{name!r} can't be the type of a container: use small letters, digits and underscores, _t at its end, and"
            " no container_, docker_, spc_ or svirt_ at its beginning. Nothing was changed."
        )
    for other in (*item["readable"], *item["writable"]):
        if not _NAME.fullmatch(other):
            raise InputError(f"{name}: {other!r} is no type of files: correct it. Nothing was changed.")
    return ContainerType(
        name,
        item["network"],
        tuple(sorted({_capability(name, text) for text in item["capabilities"]}, key=CAPABILITIES.index)),
        tuple(item["readable"]),
        tuple(item["writable"]),
        tuple(item["rules"]),
    )


def _capability(name: str, text: str) -> str:
    known = text.upper()[4:] if text.upper().startswith("CAP_") else text.upper()
    if known not in CAPABILITIES:
        raise InputError(f"{name}: {text!r} is no Linux capability: correct it. Nothing was changed.")
    return known


def render(types: Sequence[ContainerType], deny_af_alg: bool, allow_network_credentials: bool) -> str:
    """Return the module's text; empty when there is nothing to say."""
    lines = ["(deny container_domain domain (alg_socket (create)))"] if deny_af_alg else []
    if allow_network_credentials:
        lines.append(_NETWORK_CREDENTIALS)
    for item in types:
        lines.extend(_rules(item))
    return "".join(f"{line}\n" for line in lines)


def _rules(item: ContainerType) -> Iterator[str]:
    yield f"(type {item.name})"
    yield f"(roletype system_r {item.name})"
    for attribute in ("domain", "container_domain", "mcs_constrained_type"):
        yield f"(typeattributeset {attribute} ({item.name}))"
    # each policy has one of them
    for attribute in ("container_system_domain", "svirt_sandbox_domain"):
        yield f"(optional breakwater_{item.name}_{attribute} (typeattributeset {attribute} ({item.name})))"
    if item.network:
        yield f"(typeattributeset container_net_domain ({item.name}))"
    for first, classes in ((True, ("capability", "cap_userns")), (False, ("capability2", "cap2_userns"))):
        names = [name.lower() for name in item.capabilities if (CAPABILITIES.index(name) < _SECOND_CLASS) is first]
        for each in classes if names else ():
            yield f"(allow {item.name} self ({each} ({' '.join(names)})))"
    for other in item.readable:
        yield from _files(item.name, other, "", "")
    for other in item.writable:
        yield from _files(item.name, other, f" {_WRITE} add_name remove_name reparent rmdir", f" {_WRITE}")
    yield from item.rules


def _files(name: str, other: str, directory: str, file: str) -> Iterator[str]:
    yield f"(allow {name} {other} (dir ({_DIRECTORY_READ}{directory})))"
    yield f"(allow {name} {other} (file ({_FILE_READ}{file})))"
    yield f"(allow {name} {other} (lnk_file (getattr read{file})))"
