# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Judges a workload before anything runs: what fails a control of the audit has to have a stated reason.

from __future__ import annotations

import difflib
from typing import Any, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.workload import document as documents
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import Container, Workload
from ansible_collections.breakwater.docker.plugins.module_utils.workload.secrets import DIRECTORY
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.described import Described, judge
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding

#: Stands for a profile that only the host has, where it is judged.
_SOME_PROFILE = '{"defaultAction": "SCMP_ACT_ERRNO"}'
_FAILURES = ("fail", "error")
_SIGNED = "image_signature_verified"
_FILTERED = "container_seccomp_filtered"
_PATHS = ("container_no_engine_socket", "container_no_sensitive_mounts")
#: Seccomp profiles that are no file of the host.
_OWN_PROFILES = ("", "builtin", "unconfined")


def weaknesses(workload: Workload, profile: str = "baseline") -> list[dict[str, str]]:
    """Return what of the workload fails a control, each with its reason; InputError for what has none.

    With the profile `strict` an image by its id is a weakness, too: nobody's signature is known for it. What only the
    host can judge is one where a reason is stated for it. Each is an object with `type` (container, network), `name`,
    `control`, `title` and `reason`.
    """
    reasons = {
        **{("container", item.name): item.options["reasons"] for item in workload.containers},
        **{("network", name): item.reasons for name, item in workload.networks.items()},
    }
    for (kind, name), stated in reasons.items():
        _check_ids(f"The {kind} {name}", stated)
    failing = [
        ((finding.object.type, finding.object.name), finding.control, finding.title, finding.remediation.text)
        for finding in _findings(workload)
        if finding.status in _FAILURES
    ]
    signed = catalogue_loader.builtin()[_SIGNED].control
    failing += [
        (("container", item.name), _SIGNED, signed.title, "Name it by its digest in a registry, where it is signed.")
        for item in workload.containers
        if profile == "strict" and item.image.startswith("sha256:")
    ]
    failing += [
        (("container", item.name), control, catalogue_loader.builtin()[control].control.title, "")
        for item in workload.containers
        for control in _left_to_the_host(item)
        if item.options["reasons"].get(control)
        and (("container", item.name), control) not in {entry[:2] for entry in failing}
    ]
    found = [
        {
            "type": kind,
            "name": name,
            "control": control,
            "title": title,
            "reason": str(reasons[kind, name].get(control, "")).strip(),
            "remedy": remedy,
        }
        for (kind, name), control, title, remedy in failing
    ]
    unexplained = [item for item in found if not item["reason"]]
    if unexplained:
        told = "; ".join(
            f"{item['type']} {item['name']}: not so: {item['title']} ({item['control']}). {item['remedy']}"
            for item in unexplained
        )
        raise InputError(
            f"What is weaker than the secure defaults needs a reason. {told} Or state the reason:"
            f" reasons: {{{unexplained[0]['control']}: why it has to be}}. Nothing was changed."
        )
    return [{name: text for name, text in item.items() if name != "remedy"} for item in found]


def _check_ids(where: str, stated: Mapping[str, Any]) -> None:
    known = catalogue_loader.builtin().keys()
    for name in stated:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else "docs/controls.md lists every id."
            raise InputError(f"{where} has a reason for {name!r}, which is no control; {hint} Nothing was changed.")


def _findings(workload: Workload) -> Iterator[Finding]:
    controls = catalogue_loader.select(catalogue_loader.builtin(), "strict", ["container", "network"])
    containers = [_described(item) for item in workload.containers]
    networks = [documents.network(item) for item in workload.networks.values()]
    for finding in judge(controls, containers, networks, rules.check_policy({})):
        if finding.object.name in {item.name for item in workload.containers} | workload.networks.keys():
            yield finding


def _left_to_the_host(container: Container) -> list[str]:
    """Return the controls that a path decides, which only the host can follow; a volume can be one in disguise."""
    item = container.options
    found = [] if item["seccomp"] in _OWN_PROFILES else [_FILTERED]
    return [*found, *(_PATHS if item["volumes"] else ())]


def _described(container: Container) -> Described:
    item = container.options
    own = item["seccomp"] in _OWN_PROFILES
    around = documents.Surroundings(
        user=item["user"] or secure_defaults.USER,
        seccomp=item["seccomp"] if own else _SOME_PROFILE,
        secrets={secret["name"]: f"{DIRECTORY}/{container.name}/{secret['name']}" for secret in item["secrets"]},
    )
    document = documents.container(container, around)
    if item["health"] and item["health"]["image"]:
        document["Healthcheck"]["Test"] = ["CMD", "of the image"]
    return Described(container.name, document, documents.mounts(document))
