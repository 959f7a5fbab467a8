#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_seccomp
short_description: Makes seccomp profiles of what containers may call
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Builds profiles from the engine's own one, a preset or a file, with system calls allowed and denied, and puts them
    into files that everybody can read and nobody write.
  - The engine's own profile is read from the engine, since it depends on its version, the kernel, the architecture and
    the container's capabilities. For that a container of a few bytes is started without network or privileges, and
    removed. The result is kept at C(/var/lib/breakwater/seccomp-engine-default.json) until the engine or the kernel
    has another version.
  - Before a changed profile is written, such a container proves that programs start under it.
options:
  profiles:
    description: The profiles.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description:
          - Name of the file, without C(.json). A file of that name that this module did not write is refused.
        type: str
        required: true
      base:
        description:
          - What the profile starts from. V(engine) is the engine's own profile.
          - Each of the presets V(runtime), V(minimal), V(worker) and V(web) allows what the one before does and more.
            V(runtime) is what a runtime needs to start a program and the program to end, V(minimal) adds computing and
            reading files, V(worker) writing files and calling other services, V(web) serving them. Under a preset only
            programs for the host's own architecture run.
          - No more is left of a preset than the engine's own profile allows with these O(profiles[].capabilities), so
            what a newer version refuses is refused under the presets as well. Without an engine, and with one before
            23.0 that hides its own profile since another one is its default, a preset is what it lists.
          - The path of a file on the host is a profile in the form of Docker or of the OCI runtime specification.
        type: str
        default: engine
      capabilities:
        description:
          - The capabilities that the containers have, or names of sets, V(none), V(web), V(give_up_root) and
            V(docker). The engine's own profile, and a file of Docker's form, allow more system calls with some of them.
        type: list
        elements: str
        default: [docker]
      allow:
        description: System calls to allow with any arguments.
        type: list
        elements: str
        default: []
      deny:
        description: System calls to deny. A denial beats everything that allows.
        type: list
        elements: str
        default: []
      arguments:
        description: System calls to allow or deny with certain arguments.
        type: list
        elements: dict
        default: []
        suboptions:
          syscalls:
            description: The system calls.
            type: list
            elements: str
            required: true
          action:
            description: Whether these calls are allowed or denied.
            type: str
            choices: [allow, deny]
            required: true
          when:
            description: Conditions that have to hold together.
            type: list
            elements: dict
            required: true
            suboptions:
              argument:
                description: Position of the argument, from 0.
                type: int
                required: true
              op:
                description: The comparison; V(has) and V(lacks) are about all the bits of the value.
                type: str
                choices: [eq, ne, lt, le, gt, ge, has, lacks]
                required: true
              value:
                description: A number, in C(0x) form too, or a name like V(AF_ALG) or V(CLONE_NEWUSER).
                type: str
                required: true
      action:
        description:
          - What becomes of other calls. They fail with EPERM (or with ENOSYS, where the C library knows another call to
            make then), are let through and logged, or end the process.
        type: str
        choices: [errno, log, kill]
        default: errno
  absent:
    description:
      - Names of profiles to remove. It is refused for one that the daemon or a running container uses. Files that this
        module did not write stay, with a warning.
    type: list
    elements: str
    default: []
  daemon_profile:
    description:
      - Name of the profile that is to be the daemon's default. It is written a second time, to a file whose name has a
        checksum of the content, which RV(daemon_path) tells; M(breakwater.docker.docker_daemon_config) sets it.
    type: str
  daemon_path:
    description:
      - What C(seccomp-profile) in O(daemon_config) will be, an empty text for nothing. In check mode this counts
        instead of what the file says.
    type: str
  daemon_config:
    description: The file that dockerd reads.
    type: path
    default: /etc/docker/daemon.json
  directory:
    description: Where the profiles are.
    type: path
    default: /etc/docker/seccomp
attributes:
  check_mode:
    support: full
    description:
      - Starts no container. A profile made from the engine's own, or a preset, is predicted by what was read before;
        where nothing was, it is listed in RV(unpredictable).
  diff_mode:
    support: full
    description: Shows what the profiles allow, a line for each system call.
  idempotent:
    support: full
    description: Changes nothing when the files are as they must be.
notes:
  - Runs as root. Needs nothing but Python's standard library and, for the engine's own profile, the command C(docker).
"""

EXAMPLES = r"""
- name: Let containers of a web server do what web servers do
  breakwater.docker.docker_seccomp:
    profiles:
      - name: shop
        base: web
        capabilities: [web]
        deny: [mknod, mknodat]

- name: Take the kernel's crypto sockets from what the engine allows
  breakwater.docker.docker_seccomp:
    profiles:
      - name: default
        arguments:
          - syscalls: [socket, socketpair]
            action: deny
            when:
              - {argument: 0, op: eq, value: AF_ALG}
"""

RETURN = r"""
profiles:
  description: The profiles, without those that can't be predicted.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name.
      type: str
    path:
      description: The file.
      type: str
    allowed:
      description: How many system calls are allowed, be it with certain arguments only.
      type: int
    options:
      description: Options of C(docker run) for a container under the profile with its capabilities.
      type: list
      elements: str
  sample:
    - name: shop
      path: /etc/docker/seccomp/shop.json
      allowed: 238
      options: [--security-opt=seccomp=/etc/docker/seccomp/shop.json, --cap-drop=ALL, --cap-add=NET_BIND_SERVICE]
daemon_path:
  description:
    - The file for the daemon's default; null where none is asked for. Where check mode can't predict its content, it
      has C(unknown) for the checksum.
  type: str
  returned: success
  sample: /etc/docker/seccomp/default.5f1c0f7e1b2a.json
unpredictable:
  description: In check mode, profiles that depend on an engine, as presets do too, whose own profile was not read yet.
  type: list
  elements: str
  returned: success
  sample: []
changed_files:
  description: Files that were written or removed.
  type: list
  elements: str
  returned: success
  sample: [/etc/docker/seccomp/shop.json]
"""

import os
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils import protected_files
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.docker_command import Docker
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import documents, presets, probe, store
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.profile import ACTIONS, document
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.resolve import (
    OPERATORS,
    Resolver,
    UnpredictableError,
)
from ansible_collections.breakwater.docker.plugins.module_utils.stopped_engine import refuse_to_start


def build(resolver: Resolver, entries: list[dict[str, Any]]) -> tuple[dict[str, str], list[str], list[dict[str, Any]]]:
    """Return the files by profile, the names of profiles that can't be predicted, and what is told of the others."""
    contents: dict[str, str] = {}
    unpredictable: list[str] = []
    told: list[dict[str, Any]] = []
    for entry in entries:
        if entry["name"] in [*contents, *unpredictable]:
            raise InputError(f"Two profiles are called {entry['name']}: rename one. Nothing was changed.")
        try:
            made = resolver.resolve(entry)
        except UnpredictableError:
            unpredictable.append(entry["name"])
            continue
        contents[entry["name"]] = store.content(entry["name"], document(made, entry["action"]))
        told.append({"name": entry["name"], "allowed": len(made.allowed)})
    return contents, unpredictable, told


def require_startable(resolver: Resolver, contents: dict[str, str], changes: list[protected_files.Change]) -> None:
    """Prove that containers start under the profiles that change."""
    written = {change.after for change in changes}
    for name, content in contents.items():
        if content in written and resolver.docker.version() is not None:
            resolver.need_image()
            with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
                file.write(content)
                file.flush()
                probe.require_startable(resolver.docker, file.name, name)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan the files and, outside check mode, write them; BreakwaterError when they can't or must not be."""
    params = module.params
    directory, default = os.path.normpath(params["directory"]), params["daemon_profile"]
    target = documents.Target(os.uname().machine, probe.kernel())
    docker = Docker(SubprocessRunner())
    if not module.check_mode:
        refuse_to_start()  # nothing would tell what the engine's own profile refuses
    store.require_free(directory, [entry["name"] for entry in params["profiles"]])
    with Resolver(docker, LocalFileSystem(), target, not module.check_mode) as resolver:
        contents, unpredictable, told = build(resolver, params["profiles"])
        if default and default not in [*contents, *unpredictable]:
            raise InputError(f"daemon_profile is {default}, which is not in profiles: add it. Nothing was changed.")
        wanted = {f"{name}.json": content for name, content in contents.items()}
        daemon_path = None
        if default in contents:
            versioned = store.versioned(default, contents[default])
            wanted[versioned] = contents[default]
            daemon_path = f"{directory}/{versioned}"
        elif default in unpredictable:
            daemon_path = f"{directory}/{default}.unknown.json"
        if module.check_mode and params["daemon_path"] is not None:
            uses = {params["daemon_path"]: params["daemon_config"]}
        else:
            uses = store.daemon_uses(params["daemon_config"])
        with EngineApi(DEFAULT_SOCKET) as engine:
            uses.update(store.container_uses(engine, directory) if params["absent"] else {})
        changes = protected_files.writes(directory, wanted) + store.removals(directory, params["absent"], wanted, uses)
        if changes and not module.check_mode:
            require_startable(resolver, contents, changes)
            protected_files.apply(changes)
    if unpredictable:
        module.warn(
            f"{', '.join(unpredictable)}: what the engine's own profile is can't be told before it was read once."
        )
    for path in store.foreign(directory, params["absent"]):
        module.warn(f"{path} was not written by docker_seccomp, so it stays: remove it yourself, if nobody needs it.")
    by_name = {entry["name"]: entry for entry in params["profiles"]}
    for item in told:
        item["path"] = f"{directory}/{item['name']}.json"
        added = presets.capabilities(by_name[item["name"]]["capabilities"], item["name"])
        item["options"] = [f"--security-opt=seccomp={item['path']}", "--cap-drop=ALL"]
        item["options"] += [f"--cap-add={name}" for name in added]
    return {
        "changed": bool(changes or unpredictable),
        "profiles": told,
        "daemon_path": daemon_path,
        "unpredictable": unpredictable,
        "changed_files": [change.path for change in changes],
        "diff": [
            {
                "before_header": change.path,
                "after_header": change.path,
                "before": documents.readable(change.before, target),
                "after": documents.readable(change.after, target),
            }
            for change in changes
        ],
    }


def main() -> None:
    """Run the module."""
    names = {"type": "list", "elements": "str", "default": []}
    condition = {
        "argument": {"type": "int", "required": True},
        "op": {"type": "str", "choices": list(OPERATORS), "required": True},
        "value": {"type": "str", "required": True},
    }
    rule = {
        "syscalls": {"type": "list", "elements": "str", "required": True},
        "action": {"type": "str", "choices": ["allow", "deny"], "required": True},
        "when": {"type": "list", "elements": "dict", "required": True, "options": condition},
    }
    profile = {
        "name": {"type": "str", "required": True},
        "base": {"type": "str", "default": "engine"},
        "capabilities": {"type": "list", "elements": "str", "default": ["docker"]},
        "allow": names,
        "deny": names,
        "arguments": {"type": "list", "elements": "dict", "default": [], "options": rule},
        "action": {"type": "str", "choices": list(ACTIONS), "default": "errno"},
    }
    module = AnsibleModule(
        argument_spec={
            "profiles": {"type": "list", "elements": "dict", "default": [], "options": profile},
            "absent": names,
            "daemon_profile": {"type": "str"},
            "daemon_path": {"type": "str"},
            "daemon_config": {"type": "path", "default": "/etc/docker/daemon.json"},
            "directory": {"type": "path", "default": "/etc/docker/seccomp"},
        },
        supports_check_mode=True,
    )
    try:
        result = run(module)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
