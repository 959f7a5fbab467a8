#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_selinux_policy
short_description: Adds to a host's SELinux policy what its containers need
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Labels of volumes and of a moved data directory, booleans, ports, modules and types of containers, compared by the
    policy's own files and changed in one transaction. A new label is given to the files at once.
  - What this module added and is no longer asked for is taken back; what was there before gets its former value. What
    others added is left alone.
options:
  volumes:
    description: Directories that containers may use, with all that is below.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The directory.
        type: str
        required: true
      type:
        description: The type of its files; V(container_ro_file_t) can only be read.
        type: str
        default: container_file_t
      level:
        description:
          - Level with the categories of the containers that may use it, like V(s0:c1,c2). They are started with
            C(--security-opt label=level:s0:c1,c2).
          - With V(s0) every container may to which it is given, and one can have it for itself by C(:Z).
        type: str
        default: s0
  data_root:
    description: The engine's data directory, which gets the labels of C(/var/lib/docker).
    type: str
    default: /var/lib/docker
  booleans:
    description: The policy's booleans by name.
    type: dict
    default: {}
  ports:
    description: Types of ports.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: A number, or a range like V(5000-5010).
        type: str
        required: true
      protocol:
        description: The protocol.
        type: str
        choices: [tcp, udp]
        default: tcp
      type:
        description: The type, for a registry V(http_port_t).
        type: str
        required: true
  modules:
    description: Modules in SELinux's intermediate language (CIL), by name.
    type: dict
    default: {}
  types:
    description: Types of containers besides C(container_t), for C(--security-opt label=type:NAME).
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The type's name, with C(_t) at its end.
        type: str
        required: true
      network:
        description: Whether its processes may open sockets to the network.
        type: bool
        default: true
      capabilities:
        description: Capabilities that they may use, if the container has them.
        type: list
        elements: str
        default: []
      readable:
        description: Types of files that they may read, besides those of containers.
        type: list
        elements: str
        default: []
      writable:
        description: Types of files that they may read and write.
        type: list
        elements: str
        default: []
      rules:
        description: Rules in CIL.
        type: list
        elements: str
        default: []
  secrets:
    description:
      - Labels the secrets that M(breakwater.docker.docker_workload) keeps on the host, so that their containers read
        those too that were written before the host ran SELinux.
    type: bool
    default: false
  deny_af_alg:
    description: Denies all containers the kernel's crypto sockets. Needs SELinux's tools from version 3.6.
    type: bool
    default: false
  allow_network_credentials:
    description:
      - Lets C(systemd-network-generator) look into the directory in which systemd hands it credentials. Under Debian
        13's policy it may not, and the unit fails whenever the host boots enforcing.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Predicts; whether the policy knows a type, boolean or rule shows in a real run only.
  diff_mode:
    support: full
    description: Shows what is added and taken back, and which directories are labelled.
  idempotent:
    support: full
    description: Changes nothing when policy and labels are right. Of a directory its own label is looked at.
notes:
  - Runs as root. Needs C(semanage) and C(restorecon) on the host to change something.
  - Works on a host whose kernel runs without SELinux, too; the files are labelled when it boots with it.
"""

EXAMPLES = r"""
- name: Let containers use a volume, and a web server nothing but its own port and files
  breakwater.docker.docker_selinux_policy:
    volumes:
      - path: /srv/shop
    types:
      - name: shop_t
        capabilities: [CHOWN, SETUID, SETGID]
"""

RETURN = r"""
relabelled:
  description: Directories and secrets that were labelled.
  type: list
  elements: str
  returned: success
  sample: [/srv/shop]
"""

import glob
import re
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.selinux import policy
from ansible_collections.breakwater.docker.plugins.module_utils.selinux.container_types import parse, render
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secrets

DATA_ROOT = "/var/lib/docker"
DATA_TYPE = "container_var_lib_t"
#: Not the directories, nor the key beside them, which no container reads.
SECRETS = f"{secrets.DIRECTORY}/[^/]+/[^/]+"
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_LEVEL = re.compile(r"s\d+(-s\d+)?(:c\d+([.,]c\d+)*)?")
_PORT = re.compile(r"\d{1,5}(-\d{1,5})?")
_STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}


def checked(what: str, text: str, form: re.Pattern[str]) -> str:
    """Return the text; InputError where it is none of that form, so that it can't be another word of semanage's."""
    if not form.fullmatch(text):
        raise InputError(f"{text!r} is no {what}: correct it. Nothing was changed.")
    return text


def wanted(params: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return what the host shall add to its policy, by kind and name; InputError for what can't be."""
    found: dict[tuple[str, str], str] = {}
    for item in params["volumes"]:
        label = f"{checked('type', item['type'], _WORD)}:{checked('level', item['level'], _LEVEL)}"
        found[policy.FILES, policy.pattern(item["path"])] = label
    if params["data_root"] != DATA_ROOT:
        policy.pattern(params["data_root"])
        found[policy.SAME_AS, params["data_root"]] = DATA_ROOT
    if params["secrets"]:
        found[policy.FILES, SECRETS] = f"{secrets.SELINUX_TYPE}:{policy.DEFAULT_LEVEL}"
    for name, value in params["booleans"].items():
        if not isinstance(value, bool):
            raise InputError(f"The boolean {name} is {value!r}: make it true or false. Nothing was changed.")
        found[policy.BOOLEAN, checked("boolean", name, _WORD)] = str(int(value))
    for item in params["ports"]:
        port = f"{item['protocol']} {checked('port', item['port'], _PORT)}"
        found[policy.PORT, port] = checked("type", item["type"], _WORD)
    for name, text in params["modules"].items():
        found[policy.MODULE, f"{policy.OWN_MODULE}_{checked('name of a module', name, _WORD)}"] = text
    types = [parse(item) for item in params["types"]]
    own = render(types, params["deny_af_alg"], params["allow_network_credentials"])
    if own:
        found[policy.MODULE, policy.OWN_MODULE] = own
    return found


def labels(params: dict[str, Any]) -> list[policy.Label]:
    """Return the labels that the directories themselves shall have, and each secret."""
    found = [policy.Label(item["path"], item["type"], item["level"]) for item in params["volumes"]]
    if params["data_root"] != DATA_ROOT:
        found.append(policy.Label(params["data_root"], DATA_TYPE, policy.DEFAULT_LEVEL))
    if params["secrets"]:
        paths = sorted(glob.glob(f"{secrets.DIRECTORY}/*/*"))
        found.extend(policy.Label(path, secrets.SELINUX_TYPE, policy.DEFAULT_LEVEL) for path in paths)
    return found


def run(module: AnsibleModule, host: policy.PolicyHost) -> dict[str, Any]:
    """Compare and, outside check mode, change; BreakwaterError when it can't be."""
    items = wanted(module.params)
    changes = host.changes(items)
    paths = host.mislabelled(labels(module.params))
    if not module.check_mode:
        host.apply(items, changes)
        host.relabel(paths)
    sides = (
        "".join(
            f"{kind} {name}: {values[side]}\n" for (kind, name), values in changes.items() if values[side] is not None
        )
        for side in (0, 1)
    )
    before, after = sides
    return {
        "changed": bool(changes or paths),
        "relabelled": paths,
        "diff": {"before": before, "after": after + "".join(f"labelled: {path}\n" for path in paths)},
    }


def main() -> None:
    """Run the module."""
    volume = {
        "path": {"type": "str", "required": True},
        "type": {"type": "str", "default": "container_file_t"},
        "level": {"type": "str", "default": policy.DEFAULT_LEVEL},
    }
    port = {
        "port": {"type": "str", "required": True},
        "protocol": {"choices": ["tcp", "udp"], "default": "tcp"},
        "type": {"type": "str", "required": True},
    }
    container_type = {
        "name": {"type": "str", "required": True},
        "network": {"type": "bool", "default": True},
        **dict.fromkeys(("capabilities", "readable", "writable", "rules"), _STRINGS),
    }
    module = AnsibleModule(
        argument_spec={
            "volumes": {"type": "list", "elements": "dict", "default": [], "options": volume},
            "data_root": {"type": "str", "default": DATA_ROOT},
            "booleans": {"type": "dict", "default": {}},
            "ports": {"type": "list", "elements": "dict", "default": [], "options": port},
            "modules": {"type": "dict", "default": {}},
            "types": {"type": "list", "elements": "dict", "default": [], "options": container_type},
            "secrets": {"type": "bool", "default": False, "no_log": False},
            "deny_af_alg": {"type": "bool", "default": False},
            "allow_network_credentials": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module, policy.PolicyHost(SubprocessRunner()))
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
