# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# This is a virtual module: the action plugin of the same name does the work on the controller.

from __future__ import annotations

DOCUMENTATION = r"""
---
module: docker_report
short_description: Writes the compliance reports of a fleet
version_added: 1.0.0
description:
  - Merges the reports that M(breakwater.docker.docker_compliance_info) left for each host into reports of the fleet.
  - Prints a short summary, the worst hosts and findings first.
  - A host that should have been assessed but was not is listed as not assessed, and never counts as passing.
  - All files are written on the controller with mode V(0640), and new directories with mode V(0750), since they tell
    an attacker where to look. A file is replaced as a whole or not at all.
options:
  report_dir:
    description:
      - Directory of the reports on the controller.
      - The hosts' reports are in its directory C(hosts), one JSON file for each host.
    type: path
    required: true
  hosts:
    description:
      - The hosts that this run should have assessed.
      - One whose file is missing, or is of another run of C(ansible-playbook), is not assessed; so an old result never
        passes for a new one.
      - Without this option every host that has a file is in the report, whatever run it is of.
    type: list
    elements: str
  sources:
    description:
      - Report directories to merge, for fleets that several controllers audit; by default O(report_dir) alone.
      - A host that is in more than one of them counts once, with its newest result. Where one of its files is damaged,
        nobody knows which is the newest, and the host is not assessed.
      - A directory without any host's file is refused, lest a part of the fleet be left out unseen.
      - Mutually exclusive with O(hosts).
    type: list
    elements: path
  previous:
    description:
      - An earlier C(report.json). The reports then say which failures are new, fixed, and still there.
      - It may be the file that this run replaces.
      - It has to exist, lest a wrong path hide new failures. Leave it out on a first run.
    type: path
  formats:
    description:
      - The reports to write.
      - V(json) is C(report.json), complete, in a stable schema.
      - V(html) is C(report.html), a single page for people that needs no network.
      - V(sarif) is C(report.sarif) for code scanning, SARIF 2.1.0.
      - V(junit) is C(report.junit.xml) for CI systems.
      - V(metrics) is C(report.prom) for the textfile collector of Prometheus.
    type: list
    elements: str
    choices: [json, html, sarif, junit, metrics]
    default: [json, html, sarif, junit, metrics]
  fail_on:
    description:
      - The task fails, after it has written the reports, when a finding of this severity or a worse one fails or can't
        be decided, or when a host was not assessed.
      - With V(none) it fails only for a host that gave no result, because it was unreachable or its audit failed.
    type: str
    choices: [none, low, medium, high, critical]
    default: none
  fail_on_new:
    description:
      - The same for findings that the report O(previous) did not have.
    type: str
    choices: [none, low, medium, high, critical]
    default: none
attributes:
  action:
    description: Runs on the controller and needs no connection to a host.
    support: full
  check_mode:
    description: Writes the reports in check mode as well, since they are no state of a host.
    support: full
  diff_mode:
    description: Shows what a task would change.
    support: none
author:
  - Breakwater maintainers (@breakwater)
seealso:
  - module: breakwater.docker.docker_compliance_info
"""

EXAMPLES = r"""
- name: Write the reports of this run
  breakwater.docker.docker_report:
    report_dir: reports
    hosts: "{{ groups['docker_hosts'] }}"

- name: Compare with the report of last night and fail on what is new and critical
  breakwater.docker.docker_report:
    report_dir: reports
    hosts: "{{ groups['docker_hosts'] }}"
    previous: archive/report.json
    fail_on_new: critical

- name: Merge the reports of two controllers
  breakwater.docker.docker_report:
    report_dir: merged
    sources: [reports-east, reports-west]
    formats: [json, html]
"""

RETURN = r"""
files:
  description: Path of each report by format.
  type: dict
  returned: success
  sample: {json: reports/report.json, html: reports/report.html}
hosts:
  description: Number of hosts in the report.
  type: int
  returned: success
  sample: 4
not_assessed:
  description: Names of the hosts about which nothing is known.
  type: list
  elements: str
  returned: success
  sample: [gone.example.net]
summary:
  description: Number of findings by status.
  type: dict
  returned: success
  sample: {fail: 12, error: 0, waived: 1, manual: 4, not_applicable: 30, pass: 210}
score:
  description:
    - Percentage of the decided controls that pass, mean of the hosts, rounded down.
    - None where no host has a score.
  type: int
  returned: success
  sample: 87
failures:
  description: Number of findings that fail or can't be decided, by severity.
  type: dict
  returned: success
  sample: {critical: 0, high: 3, medium: 6, low: 3}
drift:
  description: Number of changes since the earlier report.
  type: dict
  returned: when O(previous) is given
  contains:
    previous:
      description: When the earlier report was made, UTC.
      type: str
      sample: "2026-11-23T02:00:07Z"
    new:
      description: Failures that the earlier report did not have.
      type: int
      sample: 1
    new_by_severity:
      description: The same by severity.
      type: dict
      sample: {critical: 0, high: 1, medium: 0, low: 0}
    fixed:
      description: Earlier failures that pass, no longer apply, or whose object is gone.
      type: int
      sample: 5
    still_failing:
      description: Earlier failures that are still there, waived ones included.
      type: int
      sample: 11
    undecided:
      description:
        - Earlier failures that this run did not look at, because it leaves out their control or scan.
        - So are those that only a person can judge now.
      type: int
      sample: 0
"""
