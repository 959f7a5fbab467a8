#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_daemon_config
short_description: Changes dockerd's configuration without an outage
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Merges settings into C(daemon.json), lets dockerd judge the result, writes it atomically and makes it effective by
    a reload or a restart. When the engine does not come up again, the former file is put back and the engine started
    by it.
  - Before a restart it turns on V(live-restore) by a reload where the result has it, so running containers stay the
    same processes even when the engine is configured for the first time.
  - When C(hosts) is set and the unit passes C(-H fd://), a drop-in of C(docker.service) takes the option away, since
    dockerd refuses both.
  - The former file stays at C(daemon.json.breakwater-previous). A run that is killed, or that may not restart the
    engine, leaves C(daemon.json.breakwater-pending) with what the engine runs by, and a later run finishes its work.
options:
  config:
    description:
      - The user's settings by the keys of C(daemon.json). Mappings are merged into what the file has, anything else
        replaces it, and a null removes the key.
      - Unknown keys, wrong types, keys of other engine versions and contradictions are refused before anything changes.
    type: dict
    default: {}
  defaults:
    description:
      - A profile's settings. They override the file, and O(config) overrides them. Of C(log-driver), C(log-opts) and
        C(default-ulimits) they only supply what the file does not have.
      - Those that this engine or host can't have are left out and listed in RV(skipped_keys).
    type: dict
    default: {}
  path:
    description: The file that dockerd reads.
    type: path
    default: /etc/docker/daemon.json
  candidate_version:
    description: The version to assume where no dockerd is installed yet, to predict in check mode.
    type: str
  assumed:
    description:
      - In check mode, what an earlier task of the same run would have made of the file, by its RV(predicted). It counts
        instead of what the file says and the engine runs by.
    type: dict
  allow_data_move:
    description:
      - Allows changing C(userns-remap), C(data-root), C(storage-driver) or the containerd image store, after which the
        engine does not see its present images, containers and volumes.
    type: bool
    default: false
  allow_interruption:
    description:
      - Allows a change that stops running containers, because live-restore can't keep them, or restarts active units,
        because they require C(docker.service). Needless where O(restart=never), since nothing is stopped then.
    type: bool
    default: false
  restart:
    description:
      - When dockerd may be restarted for a change that a reload does not make effective, V(auto) at once, V(window) in
        O(restart_window) only, V(never) not at all. One that is down is started anyway.
      - Otherwise the file is written, the part that can be reloaded takes effect, and the rest does when dockerd starts
        anew, by a later run that may restart it or for another reason. A warning and RV(deferred_keys) tell of it.
      - What moves data and C(authorization-plugins) can't be left open and are refused then.
    type: str
    choices: [auto, never, window]
    default: auto
  restart_window:
    description: Time of day like V(22:00-05:00), in the host's local time, over midnight too. Its end is excluded.
    type: str
  unit:
    description:
      - Settings of C([Service]) for a drop-in of C(docker.service), a list as several lines. A null leaves one to the
        unit, an empty mapping removes the drop-in; without this option it stays as it is.
      - They take effect when dockerd is next started, and that is not done for them alone.
      - Without systemd, none are set.
    type: dict
  replace_invalid:
    description:
      - Writes a new file where the present one can't be parsed; it is kept at C(daemon.json.breakwater-invalid).
      - By default such a file is refused.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for the engine, and for another run that is changing the same file.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Predicts the change. A user named in C(userns-remap) is not looked up, since dockerd would create it.
  diff_mode:
    support: full
    description: Shows the settings before and after, secrets hidden.
  idempotent:
    support: full
    description:
      - Changes nothing when the file has the settings already, however it is formatted, and nothing that the engine
        tells contradicts them. Where somebody wrote them into the file and left it at that, they are made effective.
notes:
  - Runs as root. Needs nothing but Python's standard library on the host.
  - Without systemd only changes that a reload makes effective are applied to a running engine.
"""

EXAMPLES = r"""
- name: Turn off new privileges, and restart the engine at night only
  breakwater.docker.docker_daemon_config:
    config:
      no-new-privileges: true
    restart: window
    restart_window: 22:00-05:00

- name: Rotate logs and keep containers running over restarts of the engine
  breakwater.docker.docker_daemon_config:
    config:
      live-restore: true
      log-driver: local
      log-opts: {max-size: 10m, max-file: "5"}

- name: Give user namespaces to a host that has no containers yet
  breakwater.docker.docker_daemon_config:
    config:
      userns-remap: default
    allow_data_move: true
"""

RETURN = r"""
action:
  description: What the change takes to become effective, V(none), V(reload), V(restart) or V(data_move).
  type: str
  returned: success
  sample: restart
changed_keys:
  description: The top-level keys that differ.
  type: list
  elements: str
  returned: success
  sample: [icc, log-opts]
skipped_keys:
  description: Keys of O(defaults) that were left out.
  type: list
  elements: dict
  returned: success
  contains:
    key:
      description: The key.
      type: str
    reason:
      description: Why it was left out.
      type: str
  sample: [{key: live-restore, reason: an engine in a swarm can't restore containers live}]
unknown_keys:
  description: Keys in the file that engines of this version don't know. They are kept.
  type: list
  elements: str
  returned: success
  sample: []
pending_keys:
  description:
    - Keys of the default network that dockerd does not apply while a container runs, even when it is restarted. They
      take effect when it starts without one, and a later run restarts it as soon as none runs.
  type: list
  elements: str
  returned: success
  sample: [icc]
deferred_keys:
  description: Keys that take effect when dockerd is next restarted, which O(restart) does not allow now.
  type: list
  elements: str
  returned: success
  sample: []
predicted:
  description: What the file would say, without keys that have secrets, for O(assumed) of later tasks.
  type: dict
  returned: in check mode
  sample: {live-restore: true}
restart_allowed:
  description:
    - Whether dockerd may be restarted now, since O(restart) allows it and no container and no other unit would be
      stopped without O(allow_interruption).
  type: bool
  returned: success
  sample: true
unit_changed:
  description: Whether the drop-in with O(unit) was changed.
  type: bool
  returned: success
  sample: false
engine_version:
  description: The version that the keys were checked against; null when it is not known.
  type: str
  returned: success
  sample: 26.1.5+dfsg1
"""

import contextlib
import os
import tempfile
import time
from dataclasses import replace
from typing import Any, Sequence

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.apply import (
    Consent,
    Transaction,
    UnitSettings,
    check_consent,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.conflicts import local_socket
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.documents import (
    read_documents,
    started_since,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import (
    DEFAULT_SOCKET,
    EngineHost,
    config_file_of,
)
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, locked, render
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import Plan, make_plan, secrets
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.restart_window import may_restart
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.unit import (
    render_settings,
    secret_settings,
)
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner

TLS_FILES = ("tlscacert", "tlscert", "tlskey")
DROP_INS = "/etc/systemd/system/docker.service.d"


def unit_settings(module: AnsibleModule, host: EngineHost) -> UnitSettings:
    """Return the unit's settings as they are and as they shall be."""
    file = ConfigFile(f"{DROP_INS}/breakwater.conf")
    before = file.read() or ""
    wanted = module.params["unit"]
    return UnitSettings(file, before, before if wanted is None or not host.systemd else render_settings(wanted))


def validate(module: AnsibleModule, host: EngineHost, plan: Plan, version: Any) -> None:
    """Let dockerd judge the planned file."""
    document = dict(plan.document)
    if module.check_mode:
        document.pop("userns-remap", None)  # dockerd creates the user dockremap even when it only validates
        if not all(os.path.exists(document.get(key, "/")) for key in TLS_FILES):
            # The role docker_tls would have made them before.
            document = {key: value for key, value in document.items() if not key.startswith("tls")}
    handle, candidate = tempfile.mkstemp(suffix=".json")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(render(document))
        host.validate(candidate, version, document)
    except InputError as error:
        hint = ""
        if "specified both as a flag" in str(error):
            hint = " Remove the option from the unit or its environment file, or set the key to null."
        elif plan.unknown:
            hint = f" Set {' and '.join(plan.unknown)} to null to remove it from the file."
        raise InputError(f"{error}{hint}") from None
    finally:
        os.unlink(candidate)


def warn(module: AnsibleModule, plan: Plan, deferred: Sequence[str]) -> None:
    """Tell what the user has to know though the run succeeds; `deferred` keys wait for a restart."""
    for warning in plan.warnings:
        module.warn(warning)
    if plan.pending:
        module.warn(
            f"{', '.join(plan.pending)}: dockerd leaves its default network alone while a container runs."
            " Stop the containers and run again, or wait for the next reboot."
        )
    if deferred:
        module.warn(
            f"{', '.join(deferred)}: dockerd takes notice when it is next restarted, which restart:"
            f" {module.params['restart']} does not allow now. Run again when it may be restarted."
        )


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan the change and, outside check mode, make it; BreakwaterError when it can't or must not be."""
    params = module.params
    file = ConfigFile(params["path"])
    host = EngineHost(LocalFileSystem(), SubprocessRunner(), lambda socket: EngineApi(socket, timeout=5))
    in_use = config_file_of(host.unit.arguments(False))
    if in_use not in (None, params["path"]):
        raise InputError(f"dockerd reads {in_use}, not {params['path']}: set path to it. Nothing was changed.")
    restart_allowed = may_restart(params["restart"], params["restart_window"], time.localtime())
    settings = unit_settings(module, host)
    assumed = params["assumed"] if module.check_mode else None
    current, running = read_documents(file, host.unit, params["replace_invalid"] or assumed is not None)
    # From here on no message and no diff can show a secret, whether it came from the file or from the task.
    module.no_log_values = secrets([current, running, params["config"], params["defaults"]])
    module.no_log_values |= secret_settings(settings.before) | secret_settings(settings.text)
    state = host.state(local_socket(running or {}) or DEFAULT_SOCKET, params["candidate_version"], running or {})
    if assumed is not None:
        current = running = assumed
        state = replace(state, network={}, shown={}, data_root=None)  # the earlier task has told what comes into force
    elif current is None:
        module.warn(
            f"{file.path} can't be parsed: a new one replaces it; it is kept as {file.path}.breakwater-invalid."
        )
    plan = make_plan(current or {}, running, params["defaults"], params["config"], state)
    consent = Consent(params["allow_data_move"], params["allow_interruption"], restart=params["restart"] != "never")
    check_consent(plan, state, consent)
    hosts = ConfigFile(f"{DROP_INS}/zz-breakwater-hosts.conf")
    transaction = Transaction(
        host, file, hosts, settings, running or {}, state, plan, params["timeout"], restart_allowed
    )
    transaction.check()
    validate(module, host, plan, state.version)
    outstanding = bool(plan.reloaded) if transaction.deferred else plan.action != "none"
    config_changed = outstanding or current != plan.document
    unit_changed = settings.text != settings.before
    addresses = {"before": hosts.read() or "", "after": transaction.drop_in_text()}
    if not module.check_mode:
        if started_since(file, host.unit):
            file.commit()
        if config_changed and current is None:
            file.set_aside(".breakwater-invalid")
        if config_changed:
            transaction.apply()
        elif unit_changed:
            transaction.write_settings(settings.text)
    deferred = [key for key in plan.changed if key not in plan.reloaded] if transaction.deferred else []
    warn(module, plan, deferred)
    stops = state.dependents or (state.containers and not plan.document.get("live-restore"))
    predicted = {key: value for key, value in plan.document.items() if not secrets(value, key)}
    return {
        "changed": config_changed or unit_changed,
        "action": plan.action,
        "changed_keys": list(plan.changed),
        "skipped_keys": [{"key": key, "reason": reason} for key, reason in plan.skipped],
        "unknown_keys": list(plan.unknown),
        "pending_keys": list(plan.pending),
        "deferred_keys": deferred,
        "restart_allowed": restart_allowed and (params["allow_interruption"] or not stops),
        "unit_changed": unit_changed,
        "engine_version": state.version,
        **({"predicted": predicted} if module.check_mode else {}),
        "diff": [
            {
                "before_header": file.path,
                "after_header": f"{file.path} ({'restart later' if transaction.deferred else plan.action})",
                "before": render(running or {}),
                "after": render(plan.document),
            },
            {
                "before_header": settings.file.path,
                "after_header": f"{settings.file.path} (next start)",
                "before": settings.before,
                "after": settings.text,
            },
            {"before_header": hosts.path, "after_header": hosts.path, **addresses},
        ],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            # no_log keeps them out of the host's log of module calls; below it is narrowed to the secrets in them, or
            # every message would lack each number and word that is a value of some key.
            "config": {"type": "dict", "default": {}, "no_log": True},
            "defaults": {"type": "dict", "default": {}, "no_log": True},
            "path": {"type": "path", "default": "/etc/docker/daemon.json"},
            "candidate_version": {"type": "str"},
            "assumed": {"type": "dict"},
            "allow_data_move": {"type": "bool", "default": False},
            "allow_interruption": {"type": "bool", "default": False},
            "restart": {"choices": ["auto", "never", "window"], "default": "auto"},
            "restart_window": {"type": "str"},
            "unit": {"type": "dict", "no_log": True},
            "replace_invalid": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    module.no_log_values = secrets([module.params["config"], module.params["defaults"]])
    turn = contextlib.nullcontext() if module.check_mode else locked(module.params["path"], module.params["timeout"])
    try:
        with turn:
            result = run(module)
    except (BreakwaterError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
