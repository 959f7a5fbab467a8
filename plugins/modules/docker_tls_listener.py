#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_tls_listener
short_description: Opens the engine's port for TLS, and lets dockerd load renewed certificates without refusing a client
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Lets systemd hold the port and hand it to dockerd, by a socket unit C(docker-tls.socket) and a drop-in of
    C(docker.service). The port is open only while C(/etc/docker/daemon.json) has C(tlsverify) and opens no port itself.
  - dockerd loads certificates only when it starts. When they are newer than the running dockerd, it is restarted.
    Clients that connect meanwhile wait for a second or two; running containers are kept by live-restore.
  - When the port is closed although it should be open, say because its address came later than dockerd, dockerd is
    restarted too.
  - Before a restart dockerd judges its configuration, and a restart that would stop containers or other units is
    refused.
  - An engine that does not use the certificates yet is left alone; it opens the port when it is told to use them, by
    C(hosts=[fd://]), C(tlsverify), C(tlscacert), C(tlscert) and C(tlskey) in C(daemon.json).
options:
  directory:
    description: Directory of the certificates, with C(ca.pem), C(cert.pem) and C(key.pem).
    type: path
    default: /etc/docker/tls
  address:
    description: The address of the host on which clients reach the engine; an empty one is every address.
    type: str
    default: ""
  port:
    description: The port on which clients reach the engine.
    type: int
    default: 2376
  replaced:
    description: Tells, in check mode, that the certificates would have been replaced.
    type: bool
    default: false
  allow_interruption:
    description:
      - Allows a restart that stops running containers, because live-restore is off, or restarts active units, because
        they require C(docker.service).
    type: bool
    default: false
  timeout:
    description: Seconds to wait for the engine.
    type: int
    default: 60
attributes:
  check_mode:
    support: full
    description: Predicts the units and the restart.
  diff_mode:
    support: full
    description: Shows the units, and why the engine is restarted.
  idempotent:
    support: full
    description: Changes nothing when the units are right, the port is open and the engine has loaded the certificates.
notes:
  - Runs as root. Needs nothing but Python's standard library on the host.
"""

EXAMPLES = r"""
- name: Open the engine's port on the management network
  breakwater.docker.docker_tls_listener:
    address: 192.0.2.10
"""

RETURN = r"""
restarted:
  description: Why the engine was restarted, as clauses; empty when it was not.
  type: list
  elements: str
  returned: success
  sample: [its certificates are newer than itself]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils import tls_listener
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET, EngineHost
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile, parse
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner

DAEMON_JSON = "/etc/docker/daemon.json"


def run(module: AnsibleModule) -> dict[str, Any]:
    """Plan and, outside check mode, carry out; BreakwaterError when it can't or must not be done."""
    params = module.params
    files, commands = LocalFileSystem(), SubprocessRunner()
    host = EngineHost(files, commands, lambda socket: EngineApi(socket, timeout=5))
    endpoint = tls_listener.Endpoint(params["address"], params["port"])
    certificates = tls_listener.certificate_paths(params["directory"])
    replaced = params["replaced"] and module.check_mode
    plan = tls_listener.make_plan(files, commands, endpoint, certificates, replaced)
    if plan.reasons:
        document = parse(ConfigFile(DAEMON_JSON).read() or "", DAEMON_JSON)
        state = host.state(DEFAULT_SOCKET, None, document)
        tls_listener.check(plan, host, state, document, params["allow_interruption"])
        # what dockerd refuses to start with must not make it stop
        host.validate(DAEMON_JSON, state.version, document)
    if not module.check_mode:
        tls_listener.apply(plan, host, commands, endpoint, params["timeout"])
    units = [
        {"before_header": path, "after_header": path, "before": plan.before[path], "after": plan.after[path]}
        for path in plan.changed_units
    ]
    restart = {"before": "", "after": "".join(f"The engine is restarted: {reason}\n" for reason in plan.reasons)}
    return {
        "changed": bool(plan.changed_units or plan.reasons),
        "restarted": plan.reasons,
        "diff": [*units, restart],
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "default": "/etc/docker/tls"},
            "address": {"type": "str", "default": ""},
            "port": {"type": "int", "default": 2376},
            "replaced": {"type": "bool", "default": False},
            "allow_interruption": {"type": "bool", "default": False},
            "timeout": {"type": "int", "default": 60},
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
