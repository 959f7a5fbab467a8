#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_image_policy
short_description: Puts on a host whose signatures its images need
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Writes the policy to C(/etc/docker/image-trust/policy.json) and the keys that it names to
    C(/etc/docker/image-trust/keys), for everybody to read and for root to change. Other keys there are removed.
  - M(breakwater.docker.docker_image_verify) verifies images by it, and the audit judges images by it.
extends_documentation_fragment: [breakwater.docker.image_policy]
options:
  policy:
    description:
      - Whose signatures are needed. The entry for the longest part of a repository's name holds, and what no entry is
        about is refused.
    required: true
  keys:
    description: Public keys and CA certificates in PEM by the names that the policy has for them.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    description: Predicts.
  diff_mode:
    support: full
    description: Shows policy and keys, which are public.
  idempotent:
    support: full
    description: Changes nothing when the files are there with their rights.
notes:
  - Runs as root.
"""

EXAMPLES = r"""
- name: Let only images pass that are signed with the release key, and one that nobody signs
  breakwater.docker.docker_image_policy:
    policy:
      - repository: registry.example.org/*
        keys: [release]
      - repository: docker.io/library/busybox
        action: accept
    keys:
      release: "{{ lookup('ansible.builtin.file', 'release.pub') }}"
"""

RETURN = r"""
files:
  description: Files that were written or removed.
  type: list
  elements: str
  returned: success
  sample: [/etc/docker/image-trust/policy.json]
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils import protected_files
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust import deploy
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.options import ENTRY
from ansible_collections.breakwater.docker.plugins.module_utils.image_trust.policy import parse


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "policy": {"type": "list", "elements": "dict", "options": ENTRY, "required": True},
            "keys": {"type": "dict", "default": {}, "no_log": False},
        },
        supports_check_mode=True,
    )
    try:
        changes = deploy.plan(parse(module.params["policy"]), module.params["keys"])
        if not module.check_mode:
            protected_files.apply(changes)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(changes),
        files=[change.path for change in changes],
        diff=[
            {
                "before_header": change.path,
                "after_header": change.path,
                "before": change.before or "",
                "after": change.after or "",
            }
            for change in changes
        ],
    )


if __name__ == "__main__":
    main()
