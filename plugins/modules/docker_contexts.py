#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_contexts
short_description: Sets up contexts of the docker command that use a client certificate
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Makes the contexts with which C(docker --context NAME) commands remote engines. Their TLS files are links to the
    user's certificate, so a renewed one holds in all contexts, and the key is not copied.
  - Contexts that link to the same certificate and are not listed are removed. Others of the user are not touched, and
    it is refused to replace one of a listed name.
  - Files are read and written with the rights of the user. The docker command is not needed for it.
options:
  contexts:
    description: Endpoints of the engines, like V(tcp://prod-1:2376), by the names of the contexts.
    type: dict
    default: {}
  user:
    description: The user in whose home the contexts are.
    type: str
    default: root
  directory:
    description: Directory of the user's C(ca.pem), C(cert.pem) and C(key.pem); by default C(~user/.docker).
    type: path
  state:
    description: With V(absent) the user loses all contexts that link to the certificate.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
    description: Predicts, for a user too who does not exist yet.
  diff_mode:
    support: full
    description: Shows names and endpoints before and after.
  idempotent:
    support: full
    description: Changes nothing when the contexts are right.
"""

EXAMPLES = r"""
- name: Let alice command two engines
  breakwater.docker.docker_contexts:
    user: alice
    contexts:
      prod-1: tcp://prod-1.example.org:2376
      prod-2: tcp://prod-2.example.org:2376
"""

RETURN = r"""
contexts:
  description: The names of the contexts.
  type: list
  elements: str
  returned: success
  sample: [prod-1, prod-2]
"""

import contextlib
import os
from typing import Any, Mapping

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.contexts import ContextStore, check_contexts
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.tls_files import UnknownUserError, acting_as


def apply(params: Mapping[str, Any], wanted: Mapping[str, str], check_mode: bool) -> dict[str, str]:
    """Bring a user's contexts to what they are to be, and return what they were."""
    with contextlib.ExitStack() as account:
        try:
            home = account.enter_context(acting_as(params["user"]))
        except InputError as error:
            gone = params["state"] == "absent" and isinstance(error, UnknownUserError)
            if check_mode or gone:  # in check mode the account is one that an earlier task would have created
                return {}
            raise
        configuration = os.path.join(home, ".docker")
        store = ContextStore(configuration, params["directory"] or configuration)
        before = store.managed()
        for name in wanted:
            store.refuse_users(name)
        if not check_mode:
            for name in before.keys() - wanted.keys():
                store.remove(name)
            for name, endpoint in wanted.items():
                if before.get(name) != endpoint:
                    store.write(name, endpoint)
        return before


def _shown(contexts: Mapping[str, str]) -> str:
    return "".join(f"{name}: {endpoint}\n" for name, endpoint in sorted(contexts.items()))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "contexts": {"type": "dict", "default": {}},
            "user": {"type": "str", "default": "root"},
            "directory": {"type": "path"},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    params = module.params
    wanted = params["contexts"] if params["state"] == "present" else {}
    try:
        check_contexts(wanted)
        before = apply(params, wanted, module.check_mode)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    diff = {"before": _shown(before), "after": _shown(wanted)}
    module.exit_json(changed=before != wanted, contexts=sorted(wanted), diff=diff)


if __name__ == "__main__":
    main()
