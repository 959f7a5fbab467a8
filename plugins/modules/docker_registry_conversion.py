#!/usr/bin/python
# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

DOCUMENTATION = r"""
module: docker_registry_conversion
short_description: Converts a registry's configuration of version 2 to version 3
version_added: 1.0.0
author: Breakwater maintainers (@breakwater)
description:
  - Writes a configuration file that distribution's registry of version 3 understands, made from one of version 2 that
    you have written. The role C(docker_registry) needs it not; it writes the configuration of both versions itself.
  - Version 3 passes over entries that it does not know without a word. Those that have another name are renamed, those
    that are gone are dropped and told.
  - What version 3 can't do is refused; these are the storage drivers C(swift) and C(oss), and TLS with redis without a
    certificate. Nothing is written then.
  - Comments are lost, since the file is written as JSON, which is YAML as well.
options:
  src:
    description: The configuration of version 2, a file on the host. It is left as it is.
    type: path
    required: true
  dest:
    description:
      - The file for version 3, whose image looks for C(/etc/distribution/config.yml). It gets the owner of O(src) and
        the mode 0600.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Converts and tells, and writes nothing.
  diff_mode:
    support: full
    description: Shows both files, secrets hidden.
  idempotent:
    support: full
    description: Changes nothing when the file is there with that content and those rights.
notes:
  - Needs nothing but Python's standard library on the host. YAML with anchors, tags or block scalars is refused.
  - Variables like C(REGISTRY_REDIS_ADDR) in the registry's environment are not looked at; rename them by what is told.
  - Version 3 sends traces to a collector on its own host, unless its environment has C(OTEL_TRACES_EXPORTER=none).
"""

EXAMPLES = r"""
- name: Have the configuration that version 3 wants
  breakwater.docker.docker_registry_conversion:
    src: /etc/docker/registry/config.yml
    dest: /etc/distribution/config.yml
  register: converted

- name: Show what version 3 does without
  ansible.builtin.debug:
    var: converted.dropped
"""

RETURN = r"""
renamed:
  description: The entries with another name in version 3.
  type: list
  elements: dict
  returned: success
  sample: [{from: redis.addr, to: redis.addrs}]
dropped:
  description: The entries that version 3 does not have, and why.
  type: list
  elements: dict
  returned: success
  sample: [{entry: compatibility, reason: version 3 has no manifests of schema 1}]
"""

import stat
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.breakwater.docker.plugins.module_utils import plain_yaml
from ansible_collections.breakwater.docker.plugins.module_utils.documents import UnreadableError
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install, text_of
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.registry import config
from ansible_collections.breakwater.docker.plugins.module_utils.registry.conversion import convert
from ansible_collections.breakwater.docker.plugins.module_utils.registry.effective import secrets

_MODE = 0o600


def read(files: LocalFileSystem, path: str) -> dict[str, Any]:
    """Return the configuration in a file; InputError for what is none, without its text."""
    try:
        document = plain_yaml.parse(files.read_text(path))
    except ValueError as error:
        raise InputError(f"{path} can't be converted: {error}. Nothing was written.") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} is no configuration of a registry. Nothing was written.")
    return document


def is_as_it_should_be(files: LocalFileSystem, path: str, text: str, owner: tuple[int, int]) -> bool:
    """Tell whether the file is there with that text and for its owner only."""
    if text_of(files, path) != text:
        return False
    status = files.lstat(path)
    return (stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)) == (_MODE, owner)


def run(module: AnsibleModule) -> dict[str, Any]:
    """Convert and, outside check mode, write; BreakwaterError, UnreadableError or OSError when it can't be done."""
    source, target = module.params["src"], module.params["dest"]
    if source == target:
        raise InputError("src and dest are the same file: keep the one of version 2. Nothing was written.")
    files = LocalFileSystem()
    document = read(files, source)
    module.no_log_values = set(secrets(document))
    converted = convert(source, document)
    text = config.text_of(converted.document)
    status = files.stat(source)
    owner = (status.st_uid, status.st_gid)
    changed = not is_as_it_should_be(files, target, text, owner)
    before = config.shown(text_of(files, target))
    if changed and not module.check_mode:
        install(target, text, _MODE, owner)
    return {
        "changed": changed,
        "renamed": [{"from": old, "to": new} for old, new in converted.renamed],
        "dropped": [{"entry": entry, "reason": reason} for entry, reason in converted.dropped],
        "diff": {"before_header": target, "after_header": target, "before": before, "after": config.shown(text)},
    }


def main() -> None:
    """Run the module."""
    paths = {"src": {"type": "path", "required": True}, "dest": {"type": "path", "required": True}}
    module = AnsibleModule(argument_spec=paths, supports_check_mode=True)
    try:
        result = run(module)
    except (BreakwaterError, UnreadableError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
