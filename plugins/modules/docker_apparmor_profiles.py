#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_apparmor_profiles
short_description: Gives containers AppArmor profiles of their own
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Makes an AppArmor profile of a short description, compiles it, and loads it now and at every boot. A container runs
    under it by C(--security-opt apparmor=NAME).
  - Whatever the description allows, a container can't mount, nor change what the kernel shows in C(/proc) and C(/sys).
  - Profiles that this module made and that are no longer listed are removed, but for those that a container has,
    running or not. Without an engine that tells of its containers they all stay. Profiles of others are left alone.
  - Tells which running containers the kernel does not confine, and whether C(docker-default) is loaded.
options:
  profiles:
    description: The profiles.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The profile's name.
        type: str
        required: true
      mode:
        description: V(complain) only logs what V(enforce) refuses. Explicit denials are refused in both.
        type: str
        choices: [enforce, complain]
        default: enforce
      readable:
        description:
          - Files that may be read, as AppArmor's patterns. A path ending in a slash is a directory with all below it.
          - Without readable, writable and executable files, every file is allowed that is not denied. With any, only
            these are, and the libraries that every program needs.
        type: list
        elements: str
        default: []
      writable:
        description: Files that may be read, written, locked, linked and removed.
        type: list
        elements: str
        default: []
      executable:
        description: Programs that may be run, under the same profile.
        type: list
        elements: str
        default: []
      denied:
        description: Files that may not be touched, whatever else is allowed.
        type: list
        elements: str
        default: []
      network:
        description: Kinds of sockets that may be opened, as AppArmor names them.
        type: list
        elements: str
        default: [inet stream, inet dgram, inet6 stream, inet6 dgram, unix]
      capabilities:
        description: Capabilities that may be used, if the container has them.
        type: list
        elements: str
        default: []
      rules:
        description: Rules in AppArmor's own language, each with its comma.
        type: list
        elements: str
        default: []
attributes:
  check_mode:
    support: full
    description: Predicts. The profiles are compiled where the parser is installed.
  diff_mode:
    support: full
    description: Shows the profiles' text.
  idempotent:
    support: full
    description: Changes nothing when the profiles are loaded in their modes.
notes:
  - Runs as root. Where the kernel has no AppArmor nothing is done, and RV(supported) and RV(reason) say so.
"""

EXAMPLES = r"""
- name: Let a web server write its logs and cache only, and open no raw socket
  breakwater.docker.docker_apparmor_profiles:
    profiles:
      - name: web
        readable: [/etc/nginx/, /usr/share/nginx/]
        writable: [/var/cache/nginx/, /var/log/nginx/, /run/nginx.pid]
        executable: [/usr/sbin/nginx]
        capabilities: [NET_BIND_SERVICE, SETUID, SETGID]
"""

RETURN = r"""
supported:
  description: Whether the kernel confines processes by AppArmor.
  type: bool
  returned: success
reason:
  description: Why it does not; empty where it does.
  type: str
  returned: success
  sample: ""
docker_default:
  description: Mode in which the engine's own profile is loaded; null where it is not, as before the engine's start.
  type: str
  returned: success
  sample: enforce
unconfined:
  description: Names of running containers that the kernel does not confine.
  type: list
  elements: str
  returned: success
  sample: []
kept:
  description: Profiles that are no longer listed, but that containers have, or can have where no engine answers.
  type: list
  elements: str
  returned: success
  sample: []
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.host import (
    DEFAULT_PROFILE,
    ProfileHost,
    containers,
)
from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.profile import COMPLAIN, ENFORCE, parse
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan

_STRINGS: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
_SOCKETS = ["inet stream", "inet dgram", "inet6 stream", "inet6 dgram", "unix"]
_PROFILE = {
    "name": {"type": "str", "required": True},
    "mode": {"type": "str", "choices": [ENFORCE, COMPLAIN], "default": ENFORCE},
    **dict.fromkeys(("readable", "writable", "executable", "denied", "capabilities", "rules"), _STRINGS),
    "network": {**_STRINGS, "default": _SOCKETS},
}


def run(module: AnsibleModule, host: ProfileHost) -> dict[str, Any]:
    """Bring the profiles about; BreakwaterError when they can't be."""
    profiles = [parse(item) for item in module.params["profiles"]]
    reason = host.obstacle()
    if reason:
        return {
            "changed": False,
            "supported": False,
            "reason": reason,
            "docker_default": None,
            "unconfined": [],
            "kept": [],
        }
    processes = scan(LocalFileSystem()).containers
    labels = host.labels(pid for members in processes.values() for pid, _name in members)
    with EngineApi(DEFAULT_SOCKET) as engine:
        known = containers(engine)
    needed = host.ours() if known is None else [item.profile for item in known.values()]
    plan = host.plan(profiles, [*labels.values(), *needed])
    if host.can_compile():
        host.check(plan.texts)
    elif plan.texts and not module.check_mode:
        raise BreakwaterError("apparmor_parser is not installed: install the package apparmor. Nothing was changed.")
    before = host.ours()
    if not module.check_mode:
        host.apply(plan)
    for name in plan.kept:
        if known is None:
            module.warn(f"No engine tells whose the profile {name} is, so it stays: start the engine and run again.")
        else:
            module.warn(f"Containers have the profile {name}, so it stays: remove them, or make them anew without it.")
    after = {name: text for name, text in before.items() if name not in plan.removed}
    return {
        "changed": bool(plan.texts or plan.removed),
        "supported": True,
        "reason": "",
        "docker_default": host.loaded().get(DEFAULT_PROFILE),
        "unconfined": sorted(
            item.name
            for container, item in (known or {}).items()
            if any(labels.get(pid) == "unconfined" for pid, _name in processes.get(container, ()))
        ),
        "kept": list(plan.kept),
        "diff": {"before": _shown(before), "after": _shown({**after, **plan.texts})},
    }


def _shown(texts: dict[str, str]) -> str:
    return "\n".join(text for _name, text in sorted(texts.items()))


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"profiles": {"type": "list", "elements": "dict", "default": [], "options": _PROFILE}},
        supports_check_mode=True,
    )
    try:
        result = run(module, ProfileHost(SubprocessRunner()))
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
