#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_tls_files
short_description: Makes private keys and signing requests where they are used, and installs what was signed
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - The host's part of M(breakwater.docker.docker_tls_certificates), which calls it. A private key is made by C(openssl)
    into a file that only its user can read; its content is in no result, no log and no command line.
  - Files of a user are read and written with the rights of that user.
  - The files of a certificate are C(ca.pem), C(cert.pem) and C(key.pem), the names that C(docker) looks for.
options:
  state:
    description:
      - V(inspected) reads what is there.
      - V(requested) makes new keys, which wait as C(key.pem.next), and returns a signing request for each.
      - V(installed) puts signed certificates and waiting keys in place.
    type: str
    choices: [inspected, requested, installed]
    default: inspected
  certificates:
    description: The certificates.
    type: list
    elements: dict
    required: true
    suboptions:
      directory:
        description: Directory of the files; C(~user) is the home of a user. A missing one is made.
        type: path
        required: true
      user:
        description: Owner of the files.
        type: str
        default: root
      usage:
        description: A new directory is open to the owner only for V(client), readable for all for V(server).
        type: str
        choices: [server, client]
        required: true
      key_type:
        description: Kind of a new key.
        type: str
        choices: [ec-p256, ec-p384, rsa-3072, rsa-4096]
        default: ec-p256
      certificate:
        description: The signed certificate to install; an empty one keeps the present one.
        type: str
        default: ""
      trusted:
        description: Certificates of the trusted CAs.
        type: str
        default: ""
      state:
        description: With V(absent), O(state=installed) removes the files.
        type: str
        choices: [present, absent]
        default: present
      keep:
        description: Whether replaced files are kept as C(*.breakwater-previous), which must not be there yet.
        type: bool
        default: false
attributes:
  check_mode:
    support: full
    description: Nothing is made or written, and a user who does not exist yet has no files.
  diff_mode:
    support: none
    description: The action that calls it shows the difference.
  idempotent:
    support: partial
    description: V(requested) makes a new key each time.
"""

EXAMPLES = r"""
- name: Read the certificate that a server has
  breakwater.docker.docker_tls_files:
    certificates:
      - directory: /etc/docker/tls
        usage: server
"""

RETURN = r"""
certificates:
  description: What is there, or was made, in the order of the option.
  type: list
  elements: dict
  returned: success
  contains:
    present:
      description: Whether any of the files exists.
      type: bool
    key:
      description: Whether there is a private key.
      type: bool
    certificate:
      description: The certificate; empty where there is none.
      type: str
    trusted:
      description: Certificates of the trusted CAs.
      type: str
    request:
      description: A signing request made with the private key; empty where there is no usable key.
      type: str
    loose_rights:
      description: Which files have other rights than they must have.
      type: list
      elements: str
  sample: [{present: false, key: false, certificate: "", trusted: "", request: "", loose_rights: []}]
"""

from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.tls_files import (
    CA,
    CERTIFICATE,
    KEY,
    MODES,
    Bundle,
    UnknownUserError,
    acting_as,
)
from ansible_collections.breakwater.docker.plugins.module_utils.tls_options import KEY_TYPES

NOTHING: Mapping[str, Any] = {
    "present": False,
    "key": False,
    "certificate": "",
    "trusted": "",
    "request": "",
    "loose_rights": [],
}


def inspect(bundle: Bundle) -> dict[str, Any]:
    """Return what is there."""
    return {
        "present": bundle.exists(*MODES),
        "key": bundle.exists(KEY),
        "certificate": bundle.read(CERTIFICATE),
        "trusted": bundle.read(CA),
        "request": bundle.request(),
        "loose_rights": bundle.loose_rights(),
    }


def handle(entry: Mapping[str, Any], state: str, check_mode: bool) -> dict[str, Any]:
    """Do what `state` says for one certificate."""
    bundle = Bundle(entry["directory"], SubprocessRunner())
    try:
        with acting_as(entry["user"]):
            if state == "inspected" or check_mode:
                return inspect(bundle)
            if state == "requested":
                return {"request": bundle.make_key(entry["key_type"], entry["usage"])}
            if entry["state"] == "absent":
                bundle.remove()
            else:
                if entry["keep"]:
                    bundle.keep()
                bundle.install(entry["certificate"], entry["trusted"])
            return inspect(bundle)
    except InputError as error:
        gone = entry["state"] == "absent" and isinstance(error, UnknownUserError)
        if check_mode or gone:  # in check mode the account is one that an earlier task would have created
            return dict(NOTHING)
        raise


def main() -> None:
    """Run the module."""
    options = {
        "directory": {"type": "path", "required": True},
        "user": {"type": "str", "default": "root"},
        "usage": {"type": "str", "choices": ["server", "client"], "required": True},
        "key_type": {"type": "str", "choices": list(KEY_TYPES), "default": KEY_TYPES[0], "no_log": False},
        "certificate": {"type": "str", "default": ""},
        "trusted": {"type": "str", "default": ""},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "keep": {"type": "bool", "default": False},
    }
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["inspected", "requested", "installed"], "default": "inspected"},
            "certificates": {"type": "list", "elements": "dict", "required": True, "options": options},
        },
        supports_check_mode=True,
    )
    state = module.params["state"]
    try:
        found = [handle(entry, state, module.check_mode) for entry in module.params["certificates"]]
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=state != "inspected" and not module.check_mode, certificates=found)


if __name__ == "__main__":
    main()
