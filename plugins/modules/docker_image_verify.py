#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_image_verify
short_description: Verifies images' signatures by a policy, and pulls what is verified by its digest
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Asks the registry which digest each image's tag leads to, and verifies the signature of this digest by the policy's
    entry for the repository. What no entry is about is refused.
  - Tells of tags that lead to another digest than the one on the host, or in the reference.
  - Keeps a record of what was verified in C(/var/lib/breakwater/verified-images.json), by which the audit judges the
    images on the host. An image that is refused is taken off it.
extends_documentation_fragment: [breakwater.docker.image_policy]
options:
  images:
    description:
      - Names of images. Where one has a digest (V(registry.example.org/web:1@sha256:…)) this is verified, whatever the
        tag leads to.
    type: list
    elements: str
    default: []
  running:
    description: Verifies the images of all running containers as well, by the digests that they were started from.
    type: bool
    default: false
  policy:
    description:
      - Whose signatures are needed. The entry for the longest part of a repository's name holds.
      - Without it, the policy that the role P(breakwater.docker.docker_image_trust#role) put on the host.
  pull:
    description: Pulls what is verified, by its digest, where the engine does not have it.
    type: bool
    default: false
  required:
    description: Fails when an image is not verified. Nothing is pulled then.
    type: bool
    default: false
  docker_config:
    description: Directory of the configuration that C(docker login) wrote, for registries that want credentials.
    type: path
    default: /root/.docker
  timeout:
    description: Seconds that a registry or verifier may take for one image.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description:
      - Verifies. Predicts the pull and the record.
      - What a run before it would bring, such as the host's policy, a key or the registry itself, may not be there yet.
        Then it warns, and with O(required) it predicts that the images are verified.
  diff_mode:
    support: full
    description: Shows the record.
  idempotent:
    support: full
    description: Changes nothing when the images are pulled and in the record.
notes:
  - Runs as root. The engine asks the registry, so its mirrors and C(/etc/docker/certs.d) hold; the verifier trusts the
    CAs in C(/etc/docker/certs.d) too.
"""

EXAMPLES = r"""
- name: Pull what is signed with the release key, and nothing else
  breakwater.docker.docker_image_verify:
    images: [registry.example.org/web:1, registry.example.org/db:7]
    policy:
      - repository: registry.example.org/*
        keys: [release]
        annotations: {env: production}
    pull: true
    required: true

- name: Record which running containers' images the host's policy lets pass
  breakwater.docker.docker_image_verify:
    running: true
"""

RETURN = r"""
images:
  description: Each image, in the given order, then those of running containers.
  type: list
  elements: dict
  returned: success
  contains:
    reference:
      description: The image as it was given.
      type: str
    repository:
      description: Full name of its repository.
      type: str
    digest:
      description: The digest that was verified; null where none was found.
      type: str
    pinned:
      description: The image's name by this digest, to start containers by; null without a digest.
      type: str
      sample: registry.example.org/web@sha256:3fe977c53d1f6f600b69cd73b18a0f6743811e3c3bd59150d93658da4904244c
    verified:
      description: Whether it may be used. RV(images[].status) is V(verified) or V(accepted) then.
      type: bool
    status:
      description: >-
        V(verified) by a signature; V(accepted) without one, by an entry that says so; V(refused); V(undecided) where
        nobody could tell, as without a registry that answers, a verifier or the key.
      type: str
    reason:
      description: Why, in a sentence.
      type: str
    key:
      description: The trust anchor that the signature was verified by; empty without one.
      type: str
    moved_from:
      description: The digest on the host, or in the reference, if the tag leads to another one now; else null.
      type: str
    containers:
      description: Names of the running containers of this image, with O(running).
      type: list
      elements: str
pulled:
  description: What was pulled, or will be.
  type: list
  elements: str
  returned: success
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import COMMAND
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.image_reference import parse as parse_reference
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import policy as policies
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import recorder, store
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.content_trust import ContentTrust
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.cosign import Cosign
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.examine import Examined, Examiner
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.notation import Notation
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.options import ENTRY, STRINGS
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.registry import Registry
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.verdict import UNDECIDED, Verifier
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import (
    StoppedEngineError,
    refuse_to_start,
)

#: Seconds for the pull of a large image over a slow line.
_PULL_TIMEOUT = 1800


def given_policy(module: AnsibleModule, files: LocalFileSystem) -> policies.Policy | None:
    """Return the policy of the call, or the host's; InputError where there is none, but in check mode None."""
    if module.params["policy"] is not None:
        return policies.parse(module.params["policy"])
    policy = store.read_policy(files)
    if policy is None and not module.check_mode:
        raise InputError(f"There is no {store.POLICY}: give policy, or run the role docker_image_trust.")
    return policy


def pull(images: list[Examined], examiner: Examiner, module: AnsibleModule) -> list[str]:
    """Pull what may be used and the engine does not have; return it, in check mode as well."""
    missing = [image for image in images if image.pinned and not examiner.has(image.pinned)]
    names = list(dict.fromkeys(str(image.pinned) for image in missing))
    for name in () if module.check_mode else names:
        config = f"DOCKER_CONFIG={module.params['docker_config']}"
        done = SubprocessRunner().run(("env", config, *COMMAND, "pull", "--quiet", name), timeout=_PULL_TIMEOUT)
        if done.rc != 0:
            raise BreakwaterError(f"{name} is verified, but can't be pulled: {done.stderr.strip()[-500:]}")
    return names


def is_expected(image: Examined, module: AnsibleModule) -> bool:
    """Tell whether the image may be used, or, as check mode has to assume, will have been verified by then."""
    predicts = module.check_mode and module.params["required"]
    if image.usable or not predicts or image.verdict.status != UNDECIDED:
        return image.usable
    module.warn(f"{image.reference} can't be verified yet: {image.verdict.reason}")
    return True


def awaits_keys(image: Examined, policy: policies.Policy, files: LocalFileSystem) -> bool:
    """Tell whether an image could not be verified for want of a key on this host."""
    entry = policy.match(image.repository)
    if image.verdict.status != UNDECIDED or entry is None:
        return False
    try:
        store.anchors_of(files, entry)
    except (UnreadableError, OSError):
        return True
    return False


def obstacle(module: AnsibleModule) -> str:
    """Say why check mode can't ask the engine; StoppedEngineError, where images are to be verified, outside of it."""
    try:
        refuse_to_start()
    except StoppedEngineError as error:
        if module.params["images"] and not module.check_mode:
            raise
        return str(error) if module.check_mode else ""
    return f"There is no {DEFAULT_SOCKET} yet." if module.check_mode and not os.path.exists(DEFAULT_SOCKET) else ""


def run(module: AnsibleModule) -> dict[str, Any]:
    """Verify, pull and record; BreakwaterError when that can't be done."""
    params, files, commands = module.params, LocalFileSystem(), SubprocessRunner()
    for image in params["images"]:
        parse_reference(image)
    policy = given_policy(module, files)
    silence = obstacle(module)
    if policy is None or silence:
        if params["images"]:
            module.warn(f"{silence if policy else f'There is no {store.POLICY} yet.'} So no image can be verified.")
        return {"changed": bool(params["images"]), "images": [], "pulled": [], "diff": {"before": "", "after": ""}}
    config, timeout = params["docker_config"], params["timeout"]
    verifiers: dict[str, Verifier] = {
        policies.COSIGN: Cosign(commands, files, config, timeout),
        policies.NOTATION: Notation(commands, files, config, timeout),
        policies.CONTENT_TRUST: ContentTrust(commands, config, timeout),
    }
    with EngineApi(DEFAULT_SOCKET) as api:
        examiner = Examiner(policy, Registry(DEFAULT_SOCKET, config, files, commands, timeout), verifiers, api)
        images = [examiner.examine(image) for image in params["images"]]
        if params["running"]:
            images.extend(examiner.examine_running())
        expected = [image for image in images if is_expected(image, module)]
        refused = [f"{image.reference}: {image.verdict.reason}" for image in images if image not in expected]
        recording = recorder.record(images, policy, files, write=not module.check_mode)
        if refused and params["required"]:
            raise BreakwaterError("Not verified: " + " ".join(refused))
        pulled = pull(expected, examiner, module) if params["pull"] else []
    # In check mode the keys come by the same run, and what can be verified by then goes on the record.
    recorded_then = module.check_mode and any(awaits_keys(image, policy, files) for image in images)
    for image in images:
        if image.moved_from:
            module.warn(f"The tag of {image.reference} has moved: here it is {image.moved_from}.")
    return {
        "changed": bool(pulled) or recording.before != recording.after or recorded_then,
        "images": [image.result() for image in images],
        "pulled": pulled,
        "diff": recording._asdict(),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "images": STRINGS,
            "running": {"type": "bool", "default": False},
            "policy": {"type": "list", "elements": "dict", "options": ENTRY},
            "pull": {"type": "bool", "default": False},
            "required": {"type": "bool", "default": False},
            "docker_config": {"type": "path", "default": "/root/.docker"},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (BreakwaterError, UnreadableError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
