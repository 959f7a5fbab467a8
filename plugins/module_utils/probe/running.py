# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Which attempts would succeed in containers that are running, by what the kernel and the engine say of them. Nothing is
# run inside of one.

from __future__ import annotations

import ipaddress
from typing import Any, Callable, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.confinement import DANGEROUS_CAPABILITIES
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.image_signature import (
    ACCEPTED,
    UNKNOWN,
    VERIFIED,
)
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import repository

Evidence = Mapping[str, Any]
Container = Evidence
Rule = Callable[[Container], str]
#: The registry whose images an engine's mirrors have.
_DOCKER_HUB = "docker.io"


def _known(found: Evidence, field: str) -> Any:
    if found[field] is None:
        raise UnreadableError(found["unreadable"].get(field, f"{field} can't be read"))
    return found[field]


def _has(capability: str) -> Rule:
    def rule(container: Container) -> str:
        held = capability in _known(container, "kernel_capabilities")
        return f"the kernel lets it have {capability}" if held else ""

    return rule


def _unfiltered(call: str) -> Rule:
    def rule(container: Container) -> str:
        if _known(container, "kernel_seccomp") == "disabled":
            return "the kernel filters none of its system calls"
        allowed = call in _known(container, "seccomp_dangerous_calls")
        return f"its seccomp filter lets {call} through" if allowed else ""

    return rule


def _when(field: str, value: Any, reason: str) -> Rule:
    return lambda container: reason if _known(container, field) == value else ""


def _user_namespace(container: Container) -> str:
    return _unfiltered("unshare")(container) or _has("SYS_ADMIN")(container)


def _join_namespace(container: Container) -> str:
    shared = [name for name in ("pid", "network", "ipc", "uts") if _known(container, f"{name}_mode") == "host"]
    return f"it is in the host's namespaces: {', '.join(shared)}" if shared else _has("SYS_ADMIN")(container)


def _capability_set(container: Container) -> str:
    grave = sorted(DANGEROUS_CAPABILITIES & set(_known(container, "kernel_capabilities")))
    return f"the kernel lets it have {', '.join(grave)}" if grave else ""


def _core_pattern(container: Container) -> str:
    shown = _known(container, "system_paths_unmasked") and _known(container, "kernel_uid") == 0
    return "it is the host's root, and /proc/sys is not read-only" if shown else ""


def _docker_socket(container: Container) -> str:
    mounted = _known(container, "socket_mounts")
    return f"it has {', '.join(mounted)} of the host" if mounted else ""


def _environment_secret(container: Container) -> str:
    named = _known(container, "secret_variables")
    return f"it has secrets in its environment: {', '.join(named)}" if named else ""


def _tenant_volume(container: Container) -> str:
    shared = _known(container, "shared_volumes")
    return f"others write to its volumes: {', '.join(shared)}" if shared else ""


def _fork_bomb(container: Container) -> str:
    return "it has no limit of processes" if _known(container, "pids_limit") <= 0 else ""


_RULES: Mapping[str, Rule] = {
    "shocker": _has("DAC_READ_SEARCH"),
    "host_device": _when("privileged", True, "it is privileged"),
    "mount": _has("SYS_ADMIN"),
    "core_pattern": _core_pattern,
    "user_namespace": _user_namespace,
    "trace_process": _has("SYS_PTRACE"),
    "keyring": _unfiltered("keyctl"),
    "userfaultfd": _unfiltered("userfaultfd"),
    "io_uring": _unfiltered("io_uring_setup"),
    "join_namespace": _join_namespace,
    "capability_set": _capability_set,
    "capability_raise": _has("SYS_ADMIN"),
    "raw_socket": _has("NET_RAW"),
    "kernel_module": _has("SYS_MODULE"),
    "kernel_log": _has("SYSLOG"),
    "docker_socket": _docker_socket,
    "other_network": _when("network_mode", "host", "it is in the host's network"),
    "image_setuid": _when("no_new_privileges", False, "its processes may gain privileges"),
    "image_dropper": _when("read_only", False, "its root file system can be written to"),
    "environment_secret": _environment_secret,
    "host_root": _when("kernel_uid", 0, "its first process is the host's root"),
    "tenant_volume": _tenant_volume,
    "memory": _when("memory", 0, "it has no limit of memory"),
    "fork_bomb": _fork_bomb,
}


def exposures(container: Container, evidence: Evidence) -> list[dict[str, str]]:
    """Return, from a running container's evidence and that of its host, which probes would succeed in it and why.

    What can't be read counts, and says so: a probe of which nothing is known is not one that fails.
    """
    rules: Mapping[str, Rule] = {
        **_RULES,
        "neighbour": lambda item: _neighbour(item, evidence),
        "unsigned_image": lambda item: _unsigned_image(_image(item, evidence)),
        "registry": lambda item: _registry(_image(item, evidence), evidence["daemon"]),
    }
    found = [{"probe": probe, "reason": _reason(rule, container)} for probe, rule in rules.items()]
    return [item for item in found if item["reason"]]


def _neighbour(container: Container, evidence: Evidence) -> str:
    joined = container["networks"] or ()
    shared = [item["name"] for item in evidence["networks"] if item["icc"] and item["name"] in joined]
    return f"it and the others on {', '.join(shared)} reach each other" if shared else ""


def _image(container: Container, evidence: Evidence) -> Evidence:
    identifier = _known(container, "image_id")
    for image in evidence["images"]:
        if image["id"] == identifier:
            return image
    raise UnreadableError("the engine does not list its image")


def _unsigned_image(image: Evidence) -> str:
    # Without a policy no image is better than another: the probe's verdict on the host says so, once for all of them.
    if _known(image, "signature") in (VERIFIED, ACCEPTED, UNKNOWN):
        return ""
    why = _known(image, "signature_reason").rstrip(".")
    return f"nobody is known to have signed its image: {why[:1].lower()}{why[1:]}"


def _registry(image: Evidence, daemon: Evidence) -> str:
    """Say from which registry the image may have come without TLS; one that was built or loaded came from none."""
    for registry in sorted({repository(name).partition("/")[0] for name in _known(image, "digests")}):
        if any(_covers(insecure, registry) for insecure in _known(daemon, "insecure_registries")):
            return f"its image is of {registry}, to which the engine may speak without TLS that it verifies"
        mirrors = _known(daemon, "plain_mirrors")
        if registry == _DOCKER_HUB and mirrors:
            return f"its image is of Docker Hub, of which the engine uses a mirror without TLS: {', '.join(mirrors)}"
    return ""


def _covers(insecure: str, registry: str) -> bool:
    """Tell whether an entry of insecure-registries is about a registry: by its name, or by a range of addresses."""
    if insecure.lower() == registry:
        return True
    try:
        # a port is what follows the last colon, but for an IPv6 address, which stands in brackets
        host = registry.rpartition(":")[0] if registry.rpartition(":")[2].isdigit() else registry
        return ipaddress.ip_address(host.strip("[]")) in ipaddress.ip_network(insecure, strict=False)
    except ValueError:
        return False


def _reason(rule: Rule, container: Container) -> str:
    try:
        return rule(container)
    except UnreadableError as error:
        return f"unknown, since {error}"
