# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This is a virtual module: the action plugin of the same name does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_compose_audit_info
short_description: Audits a compose file before anything of it runs
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Judges the services and networks of a compose file by the controls that the audit has for containers and networks,
    as an engine without a configuration of its own would run them.
  - What the file does not tell, such as the user of an image, can't be decided and counts as an error, never as a pass.
  - Runs on the controller. Neither an engine nor Compose is needed, and nothing is started.
options:
  path:
    description:
      - The compose file on the controller, searched like those of M(ansible.builtin.copy), and then from where Ansible
        was started.
    type: path
    required: true
  variables:
    description:
      - Values of the variables in the file, before those of C(.env) beside it. Others count as given at run time.
    type: dict
    default: {}
  profile:
    description: The controls to judge by.
    type: str
    choices: [baseline, strict]
    default: baseline
  controls:
    description: Ids, CIS numbers, sections, scopes, severities or threats of the controls to judge by.
    type: list
    elements: str
    default: [container, network]
  rules:
    description: Files with rules of your own.
    type: list
    elements: path
    default: []
  policy:
    description: What the rules can't know, as for M(breakwater.docker.docker_compliance_info).
    type: dict
    default: {}
  fail_on:
    description: The task fails when a control of this severity or a worse one fails or can't be decided.
    type: str
    choices: [none, low, medium, high, critical]
    default: none
attributes:
  check_mode:
    support: full
    description: Changes nothing in either mode.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
notes:
  - C(extends) and C(include) are not followed. Give what C(docker compose config) prints for such files.
"""

EXAMPLES = r"""
- name: Refuse a compose file with grave findings
  breakwater.docker.docker_compose_audit_info:
    path: files/compose.yaml
    profile: strict
    fail_on: high
  delegate_to: localhost
"""

RETURN = r"""
summary:
  description: How many findings there are of each status.
  type: dict
  returned: success
  sample: {fail: 3, error: 1, waived: 0, manual: 1, not_applicable: 4, pass: 21}
findings:
  description:
    - What fails or can't be decided, in the form of the audit's report. The object's name is the service's.
    - C(suggestion) has the lines to add to the service; it is empty where lines have to be changed or removed, as
      C(remediation) says.
  type: list
  elements: dict
  returned: success
override:
  description: A second compose file with all lines that can be added, for C(docker compose -f FIRST -f SECOND).
  type: str
  returned: success
"""
