#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_scan
short_description: Scans a host, its images and containers for known flaws
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Runs OpenSCAP, Trivy, Grype or Clair on the host, reads what they write on the controller, and brings it into one
    form, that of the audit's findings. Reports of other scanners are imported.
  - Images are examined as files, which the engine writes like C(docker save); no container is made or started.
  - What a scanner says of an image is kept by the image's id and by what it was compared with, so that an unchanged
    image costs nothing. Everything unpacked is removed, that of a run that was killed by the next one.
  - Nothing is fetched from a network. Data that is too old is a finding.
options:
  scanners:
    description: The scanners to run. Each has to be installed on the host.
    type: list
    elements: str
    choices: [openscap, trivy, grype, clair]
    default: [openscap]
  host:
    description: Whether to scan the host itself, by OpenSCAP.
    type: bool
    default: true
  guide:
    description:
      - Path on the host of the security guide, an XCCDF document or a SCAP data stream.
      - With V(auto), the SCAP Security Guide of the host's platform and release, where it is installed; that it is not
        is a finding. With V(none), none.
    type: str
    default: auto
  profile:
    description: The guide's profile, by its id or the end of it.
    type: str
    default: standard
  definitions:
    description: Paths on the host of OVAL definitions, with which OpenSCAP compares the host, images and containers.
    type: list
    elements: str
    default: []
  images:
    description: Shell patterns of the names, digests or ids of images.
    type: list
    elements: str
    default: ["*"]
  unused_images:
    description: Whether to scan images without a container too.
    type: bool
    default: false
  containers:
    description:
      - Shell patterns of the names or ids of running containers, whose own files OpenSCAP then examines. Nothing is
        kept of these, since they change.
    type: list
    elements: str
    default: []
  sbom:
    description:
      - The bill of materials that Trivy makes of each image; it is kept in C(sbom) in O(report_dir), by the image's id.
    type: str
    choices: [none, cyclonedx, spdx]
    default: none
  clair_server:
    description: Address of the server of Clair, which fetches images from their registry by digest.
    type: str
    default: ""
  state_dir:
    description: Directory on the host, for root only, for what is kept and unpacked.
    type: str
    default: /var/lib/breakwater-scan
  timeout:
    description: Seconds that each step of a scan may take.
    type: int
    default: 900
  imports:
    description: Reports of scanners that run elsewhere, from files on the controller.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: The file, searched like those of M(ansible.builtin.copy), and then from where Ansible was started.
        type: path
        required: true
      name:
        description: Name of the image, container or host that the report is about.
        type: str
        required: true
      type:
        description: What it is.
        type: str
        choices: [host, image, container]
        default: image
      format:
        description: The report's format; with V(auto), the one that it looks like.
        type: str
        choices: [auto, xccdf, oval, trivy, grype, clair, blackduck, cyclonedx, spdx]
        default: auto
  max_data_age_days:
    description: How old vulnerability data may be, in days.
    type: int
    default: 7
  waivers:
    description: Files on the controller with accepted failures, the same as those of the audit.
    type: list
    elements: path
    default: []
  report_dir:
    description:
      - Directory on the controller for the reports; the host's part goes into C(hosts), into its audit's where the same
        run has made one. Without it the findings are in the result.
    type: path
attributes:
  check_mode:
    support: full
    description: Scans nothing and writes nothing, and tells what would be scanned.
  diff_mode:
    support: none
    description: Nothing is changed.
  idempotent:
    support: full
    description: Changes nothing but what it keeps for itself.
notes:
  - Runs as root.
seealso:
  - module: breakwater.docker.docker_report
  - module: breakwater.docker.docker_compliance_info
"""

EXAMPLES = r"""
- name: Compare the host and the images in use with Debian's OVAL
  breakwater.docker.docker_scan:
    definitions: [/var/lib/breakwater-scan/definitions/oval-definitions-trixie.xml]
    report_dir: reports

- name: Import what a hosted scanner said of an image
  breakwater.docker.docker_scan:
    host: false
    images: []
    imports:
      - {path: blackduck-web.json, name: "registry.example.org/web:1"}
    report_dir: reports
"""

RETURN = r"""
scanned:
  description: What each scanner was to examine, whether its result was kept from an earlier run, and why there is none.
  type: list
  elements: dict
  returned: success
  sample: [{type: image, id: "sha256:4c1f…", name: "web:1", scanner: openscap, cached: true, reason: ""}]
would_scan:
  description: What would be scanned.
  type: list
  elements: str
  returned: in check mode
  sample: [host, "image web:1"]
summary:
  description: Number of findings by status.
  type: dict
  returned: success
  sample: {fail: 12, error: 0, waived: 1, manual: 4, not_applicable: 30, pass: 210}
failures:
  description: Number of findings that fail or can't be decided, by severity.
  type: dict
  returned: success
  sample: {critical: 0, high: 3, medium: 6, low: 3}
unused_waivers:
  description: Waivers of what scanners find that cover nothing on this host.
  type: list
  elements: dict
  returned: success
  sample: []
findings:
  description: The findings, in the form of C(report.json).
  type: list
  elements: dict
  returned: without O(report_dir)
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.engine import DEFAULT_SOCKET
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.host_state import os_release
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner
from ansible_collections.breakwater.docker.plugins.module_utils.scan.host_scan import HostScan, guide_of
from ansible_collections.breakwater.docker.plugins.module_utils.scan.options import CONTROLLER_OPTIONS, HOST_OPTIONS
from ansible_collections.breakwater.docker.plugins.module_utils.scan.state import ScanState
from ansible_collections.breakwater.docker.plugins.module_utils.scan.subjects import (
    HOST,
    Options,
    Subject,
    subjects,
)


def chosen(options: Options) -> list[Subject]:
    """Return what is to be scanned; where no engine is installed, that is the host alone."""
    try:
        with EngineApi(DEFAULT_SOCKET) as engine:
            return subjects(options, engine)
    except EngineError as error:
        if error.status != "absent":
            raise
        return [HOST] if options.host and "openscap" in options.scanners else []


def run(module: AnsibleModule) -> dict[str, Any]:
    """Scan; BreakwaterError when that is impossible as a whole."""
    options = Options(**{name: module.params[name] for name in HOST_OPTIONS if name != "state_dir"})
    found = chosen(options)
    if module.check_mode:
        return {"would_scan": [f"{subject.type} {subject.name}".rstrip() for subject in found]}
    files = LocalFileSystem()
    release = os_release(files)
    guide: str | None = options.guide
    if guide == "auto":
        guide = guide_of(files, release.get("ID", ""), release.get("VERSION_ID", ""))
    with ScanState(module.params["state_dir"]) as state:
        return {"scans": HostScan(options, SubprocessRunner(), DEFAULT_SOCKET, state, guide).run(found)}


def main() -> None:
    """Run the module."""
    # the options for reading are the action plugin's, which keeps them on the controller
    module = AnsibleModule(argument_spec={**HOST_OPTIONS, **CONTROLLER_OPTIONS}, supports_check_mode=True)
    try:
        result = run(module)
    except (BreakwaterError, UnreadableError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
