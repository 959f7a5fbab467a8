#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_rootless_engine
short_description: Runs an engine without root for a user
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Gives the account subordinate ids and a systemd that runs from boot on, and its engine a unit and a configuration,
    C(/etc/docker/rootless.json), which belong to root. The configuration is merged, judged and taken back as
    M(breakwater.docker.docker_daemon_config) does it.
  - Such an engine can't keep containers over a restart, so a change that takes one is refused while any runs, and so is
    C(live-restore), which would only leave them to be killed.
  - Refuses an account with a unit of its own for an engine, as C(dockerd-rootless-setuptool.sh) makes it, or with an
    engine that runs by another configuration.
options:
  user:
    description: The account. There can be one such engine on a host.
    type: str
    required: true
  config:
    description: The user's settings by the keys of C(daemon.json); a null removes the key.
    type: dict
    default: {}
  defaults:
    description: A profile's settings, which O(config) overrides.
    type: dict
    default: {}
  candidate_version:
    description: The version to assume where no dockerd is installed yet, to predict in check mode.
    type: str
  only:
    description:
      - Stops root's engine and keeps it from starting. Its containers are not removed.
      - It is refused while any of them runs, unless O(allow_interruption) is set.
    type: bool
    default: false
  allow_interruption:
    description: Allows what stops running containers.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for the engine.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Predicts everything, also for an account that does not exist yet.
  diff_mode:
    support: full
    description: Shows the account's needs, the unit and the settings, secrets hidden.
  idempotent:
    support: full
    description: Changes nothing when all is there and the engine runs.
notes:
  - Runs as root, on a host with systemd. Needs nothing but Python's standard library there.
"""

EXAMPLES = r"""
- name: Run an engine for the account that builds images
  breakwater.docker.docker_rootless_engine:
    user: builder
    config:
      log-driver: local
"""

RETURN = r"""
socket:
  description: Where the engine listens; null for an account that does not exist yet.
  type: str
  returned: success
  sample: unix:///run/user/1500/docker.sock
changed_keys:
  description: The top-level keys of the configuration that differ.
  type: list
  elements: str
  returned: success
  sample: [icc]
"""

import contextlib
import os
import pwd
import tempfile
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.apply import (
    Consent,
    Transaction,
    UnitSettings,
    check_consent,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET, EngineHost
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import (
    ConfigFile,
    locked,
    parse,
    render,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import (
    EngineState,
    Plan,
    make_plan,
    secrets,
)
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.rootless_engine import (
    CONFIG_FILE,
    UNIT_FILE,
    Preparation,
    UserCommands,
    check_live_restore,
    engine_socket,
    own_engines,
    own_units,
    prepare,
    prepare_plan,
    roots_units,
    stop_roots_engine,
)

DROP_INS = f"{UNIT_FILE}.d"


def account_of(module: AnsibleModule) -> pwd.struct_passwd | None:
    """Return the account, in check mode None where it is yet to be created."""
    try:
        return pwd.getpwnam(module.params["user"])
    except KeyError:
        if module.check_mode:
            return None
    raise InputError(f"There is no user {module.params['user']}: create the account. Nothing was changed.")


def refuse_own(account: pwd.struct_passwd, files: LocalFileSystem, commands: UserCommands) -> None:
    """Raise InputError where the account has an engine of its own, which would not run by root's configuration."""
    name = account.pw_name
    units = own_units(account.pw_dir, files, commands)
    if units:
        raise InputError(
            f"{', '.join(units)}: a unit of {name}'s own comes before root's, so the engine would run without"
            f" {CONFIG_FILE}. Stop its containers, run `dockerd-rootless-setuptool.sh uninstall` as {name} and remove"
            f" what that leaves; settings of a drop-in belong in {DROP_INS}. Nothing was changed."
        )
    processes = own_engines(account.pw_uid, files)
    if processes:
        raise InputError(
            f"{name}'s dockerd (process {processes[0]}) runs without {CONFIG_FILE}: stop its containers and the engine,"
            " and run again. Nothing was changed."
        )


def validate(host: EngineHost, plan: Plan, state: EngineState) -> None:
    """Let dockerd judge the planned file."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as candidate:
        candidate.write(render(plan.document))
        candidate.flush()
        os.chmod(candidate.name, 0o644)
        host.validate(candidate.name, state.version, plan.document)


def check_restart(prepared: Preparation, state: EngineState, allowed: bool) -> None:
    """Raise InputError when a new unit would stop containers."""
    if prepared.unit_changed and state.containers and not allowed:
        raise InputError(
            f"{UNIT_FILE} changes, which stops the {state.containers} running containers. Stop them first or set"
            " allow_interruption: true; nothing was changed."
        )


def roots_engine(module: AnsibleModule, commands: SubprocessRunner) -> list[str]:
    """Return the units of root's engine that are to be stopped; InputError while its containers run."""
    units = roots_units(commands) if module.params["only"] else []
    if units and not module.params["allow_interruption"]:
        host = EngineHost(LocalFileSystem(), commands, lambda path: EngineApi(path, timeout=5))
        containers = host.state(DEFAULT_SOCKET, None, {}).containers
        if containers:
            raise InputError(
                f"Root's engine has {containers} running containers, which nobody would look after when it is stopped."
                " Stop them first, or set allow_interruption: true; nothing was changed."
            )
    return units


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan the change and, outside check mode, make it; BreakwaterError when it can't or must not be."""
    params = module.params
    account = account_of(module)
    uid = account.pw_uid if account else None
    number = -1 if uid is None else uid
    files, root_commands = LocalFileSystem(), SubprocessRunner()
    commands = UserCommands(root_commands, params["user"], number)

    def examine() -> EngineHost:
        return EngineHost(files, commands, lambda path: EngineApi(engine_socket(path, number), timeout=5))

    unwanted = roots_engine(module, root_commands)
    prepared = prepare_plan(params["user"], uid, files)
    if account:
        refuse_own(account, files, commands)
    file = ConfigFile(CONFIG_FILE)
    current = parse(file.read() or "", file.path)
    unfinished = file.unfinished()
    running = current if unfinished is None else parse(unfinished, file.path)
    module.no_log_values = secrets([current, running, params["config"], params["defaults"]])
    host = examine()
    state = host.state(DEFAULT_SOCKET, params["candidate_version"], running)
    plan = make_plan(current, running, params["defaults"], params["config"], state)
    check_live_restore(plan.document)
    check_consent(plan, state, Consent(interruption=params["allow_interruption"]))
    check_restart(prepared, state, params["allow_interruption"])
    validate(host, plan, state)
    config_changed = plan.action != "none" or current != plan.document
    if not module.check_mode:
        if unwanted:
            stop_roots_engine(unwanted, root_commands)
        prepare(prepared, number, root_commands, commands)
        host = examine()
        settings = UnitSettings(ConfigFile(f"{DROP_INS}/breakwater.conf"), "", "")
        hosts = ConfigFile(f"{DROP_INS}/zz-breakwater-hosts.conf")
        transaction = Transaction(host, file, hosts, settings, running, state, plan, params["timeout"])
        if config_changed:
            transaction.apply()
        if prepared.unit_changed or not host.answers(DEFAULT_SOCKET):
            host.restart(params["timeout"])
            host.wait_until(DEFAULT_SOCKET, plan.document, params["timeout"])
        if own_engines(number, files):
            raise BreakwaterError(
                f"The engine does not run by {CONFIG_FILE}: see `systemctl --user cat docker.service`."
            )
    for warning in plan.warnings:
        module.warn(warning)
    return {
        "changed": bool(unwanted) or prepared.needed or config_changed or not state.running,
        "socket": None if uid is None else f"unix://{engine_socket(DEFAULT_SOCKET, uid)}",
        "changed_keys": list(plan.changed),
        "diff": [
            {
                "before_header": "root's engine",
                "before": "",
                "after": "".join(f"{unit} stopped\n" for unit in unwanted),
            },
            {"before_header": params["user"], "before": "", "after": prepared.words()},
            {"before_header": UNIT_FILE, "before": prepared.unit_before, "after": prepared.unit_after},
            {"before_header": CONFIG_FILE, "before": render(running), "after": render(plan.document)},
        ],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            # no_log keeps both out of the host's log of module calls; below it is narrowed to the secrets in them, or
            # every message would lack each number and word that is a value of some key.
            "config": {"type": "dict", "default": {}, "no_log": True},
            "defaults": {"type": "dict", "default": {}, "no_log": True},
            "candidate_version": {"type": "str"},
            "only": {"type": "bool", "default": False},
            "allow_interruption": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    module.no_log_values = secrets([module.params["config"], module.params["defaults"]])
    turn = contextlib.nullcontext() if module.check_mode else locked(CONFIG_FILE, module.params["timeout"])
    try:
        with turn:
            result = run(module)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
