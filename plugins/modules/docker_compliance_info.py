#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_compliance_info
short_description: Audits a Docker host
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Collects what is true of a Docker host, its daemon, files, images, containers, networks and registries. It changes
    nothing, and runs nothing in a container; it GETs documents from the socket of the engine, and reads C(/proc) and
    files.
  - Values of environment variables, labels and command lines stay on the host; only names, and whether a value looks
    like a secret, leave it.
  - The controller judges what was collected by the controls of the collection's catalogue and by rules of your own.
  - The engine's own TCP ports are asked once for C(/_ping) without a certificate, to see whether they want one. dockerd
    logs the refusal. A registry's port is asked for C(/v2/) without credentials, and whether it speaks old TLS.
options:
  docker_host:
    description:
      - Address of the engine's socket. For a rootless engine this is V(unix:///run/user/UID/docker.sock).
      - V(tcp://HOST:2376) is an engine on another machine, which is audited from where the task runs, usually from the
        controller. Its host, its files and its kernel can't be seen and are not applicable; what only its daemon's
        arguments and files tell can't be decided; and paths that containers mount are judged by their names.
    type: str
    default: unix:///var/run/docker.sock
  tls:
    description: Files for an engine on another machine, on the host that the task runs on. Needed with V(tcp://).
    type: dict
    suboptions:
      ca_path:
        description: The CA that signed the engine's certificate, which has to name the host of O(docker_host).
        type: path
        required: true
      client_cert:
        description: Certificate that the engine lets in.
        type: path
        required: true
      client_key:
        description: Its key, without a passphrase.
        type: path
        required: true
  timeout:
    description:
      - Seconds to wait for each document of the engine; all of them may take ten times as long.
      - Without O(deep_scan) everything else is waited for twenty times as long, a file system that does not answer for
        example.
    type: int
    default: 30
  deep_scan:
    description:
      - Looks for programs with setuid or setgid bits and for secrets in the layers of the images, which takes long.
      - In containerd's image store this needs a running container of the image.
    type: bool
    default: false
  profile:
    description: Which controls are judged; V(strict) adds those that an ordinary host can't be expected to meet.
    type: str
    choices: [baseline, strict]
    default: baseline
  controls:
    description:
      - Judge these only. An entry is a control's id, a CIS number (V(5.10), V(cis_5_10), V(cis_1_8:5.10)), a CIS
        section (V(5)), a scope, a severity or a threat (V(T4)). One that names nothing is refused.
      - CIS numbers need quotes, since YAML reads V(5.10) as V(5.1).
    type: list
    elements: str
    default: []
  rules:
    description: Files on the controller with controls of your own.
    type: list
    elements: path
    default: []
  waivers:
    description: Files on the controller with accepted failures.
    type: list
    elements: path
    default: []
  policy:
    description: What the rules can't know of your estate, by the names in the collection's page on evidence.
    type: dict
    default: {}
  report_dir:
    description:
      - Directory on the controller for the host's report, which is written to C(hosts/<host>.json) in it. The result
        has no findings then, which spares the memory of the controller.
    type: path
  keep_evidence:
    description: Also keeps the evidence, in the result or in C(evidence/<host>.json) of O(report_dir).
    type: bool
    default: false
  evidence_file:
    description: Judges this saved evidence on the controller; the host is not contacted.
    type: path
attributes:
  check_mode:
    support: full
    description: Does the same with and without check mode.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
notes:
  - Needs nothing but Python's standard library on the host.
  - Runs as any user that may use the socket; what this user can't read is named under C(unreadable) of its object.
"""

EXAMPLES = r"""
- name: Audit the host
  breakwater.docker.docker_compliance_info:
  become: true

- name: Judge what concerns the daemon's socket, into a directory of reports
  breakwater.docker.docker_compliance_info:
    controls: [T4]
    report_dir: reports
  become: true

- name: Audit a user's rootless engine
  breakwater.docker.docker_compliance_info:
    docker_host: unix:///run/user/1000/docker.sock
  become: true
  become_user: deploy

- name: Audit an engine elsewhere, from the controller
  breakwater.docker.docker_compliance_info:
    docker_host: tcp://engine.example.net:2376
    tls:
      ca_path: ~/.docker/ca.pem
      client_cert: ~/.docker/cert.pem
      client_key: ~/.docker/key.pem
  delegate_to: localhost
"""

RETURN = r"""
assessed:
  description: Whether the host could be examined. A host without Docker could; what applies to it is about registries.
  type: bool
  returned: success
  sample: true
reason:
  description: Why the host could not be examined, else null.
  type: str
  returned: success
  sample: dockerd does not run.
engine:
  description: The engine's facts.
  type: dict
  returned: success
  sample: {status: ok, version: 26.1.5+dfsg1}
summary:
  description: Number of findings by status.
  type: dict
  returned: success
  sample: {fail: 4, error: 0, waived: 1, manual: 7, not_applicable: 47, pass: 110}
score:
  description: Percentage of the decided controls that pass; null when none was decided.
  type: int
  returned: success
  sample: 95
failures:
  description: Number of findings that are fail or error, by severity.
  type: dict
  returned: success
  sample: {critical: 0, high: 1, medium: 2, low: 1}
unused_waivers:
  description: Waivers that name this host and cover no failure of it.
  type: list
  elements: dict
  returned: success
  sample: []
findings:
  description: One finding for each control and object, as in C(report.json).
  type: list
  elements: dict
  returned: when O(report_dir) is not given
evidence:
  description:
    - The evidence document, schema 1. Where the engine can't be examined only C(engine) says something.
    - Each object has C(unreadable), reasons by the names of fields that could not be read and are null.
  type: dict
  returned: when O(keep_evidence) is true and O(report_dir) is not given
  contains:
    schema:
      description: Version of the document's schema.
      type: int
    collected_at:
      description: When the evidence was collected, in UTC.
      type: str
    engine:
      description: Whether the engine can be examined (C(status), C(reason)), and what it is.
      type: dict
    host:
      description: The host.
      type: dict
    daemon:
      description: The daemon's effective settings.
      type: dict
    files:
      description: Files that belong to Docker.
      type: list
      elements: dict
    images:
      description: The images that are tagged or in use.
      type: list
      elements: dict
    containers:
      description: All containers, stopped ones included.
      type: list
      elements: dict
    networks:
      description: All networks but C(host) and C(none).
      type: list
      elements: dict
    registries:
      description: The registries that run on the host, also where it has no engine.
      type: list
      elements: dict
    swarm:
      description: The swarm that the engine is part of.
      type: dict
  sample: {schema: 1, collected_at: "2026-11-24T23:00:00Z", engine: {status: absent, reason: There is no socket.}}
"""

import json
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.zip_imports import compile_once

compile_once()

from ansible_collections.breakwater.docker.plugins.module_utils.ahead import Ahead
from ansible_collections.breakwater.docker.plugins.module_utils.collector import collect
from ansible_collections.breakwater.docker.plugins.module_utils.compliance_options import (
    COLLECTOR_OPTIONS,
    JUDGEMENT_OPTIONS,
)
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi, socket_path_of
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner

#: How many times as long as one document of the engine everything may take.
_TIMEOUTS = 20


def _collect(docker_host: str, tls: dict[str, str] | None, timeout: int, deep_scan: bool) -> dict[str, Any]:
    if not docker_host.startswith("tcp://"):
        path = socket_path_of(docker_host)
        with EngineApi(path, timeout) as reader:
            return collect(reader, LocalFileSystem(), SubprocessRunner(), path, deep_scan)
    from ansible_collections.breakwater.docker.plugins.module_utils import remote_engine  # noqa: PLC0415 (imports ssl)

    with EngineApi(docker_host, timeout, connect=remote_engine.connector(docker_host, tls or {})) as reader:
        return collect(reader, remote_engine.NoFiles(), remote_engine.NoCommands(), docker_host, deep_scan)


def main() -> None:
    """Run the module."""
    # the options for judging are the action plugin's, which keeps them on the controller
    module = AnsibleModule(argument_spec={**COLLECTOR_OPTIONS, **JUDGEMENT_OPTIONS}, supports_check_mode=True)
    options = {name: module.params[name] for name in COLLECTOR_OPTIONS}
    limit = None if options["deep_scan"] else _TIMEOUTS * options["timeout"]
    try:
        evidence = Ahead(lambda: _collect(**options))(limit)
    except TimeoutError:  # whoever waits for a file system in vain can't be woken, only left behind
        module.fail_json(
            msg=f"The evidence could not be collected within {limit} seconds: a file system of this host may not "
            "answer, such as that of a server that is gone. Look at its mounts, or raise timeout."
        )
    except BreakwaterError as error:
        module.fail_json(msg=str(error))
    # As text: Ansible walks through every value of a result, here and again on the controller.
    module.exit_json(changed=False, evidence=json.dumps(evidence))


if __name__ == "__main__":
    main()
