# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What only a running Ansible knows.

from __future__ import annotations

import json
import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Sequence

import yaml
from ansible import constants

if TYPE_CHECKING:
    from ansible.plugins.action import ActionBase

_COLLECTION = Path(__file__).resolve().parents[2]


def run_id() -> str:
    """Return what all plays, hosts and workers of one ansible-playbook process share and no other process has.

    That is the process's own temporary directory, made by Ansible before it starts a worker; hashed, since a report
    need not show a path.
    """
    return sha256(constants.DEFAULT_LOCAL_TMP.encode()).hexdigest()[:16]


def user_files(action: ActionBase, names: Sequence[str]) -> list[Path]:
    """Find the user's files as `copy` does, beside the role or the playbook, and then from where Ansible was started.

    Beside the collection's own playbooks a user has no files.

    AnsibleFileNotFound, with all these places, for a file that is in none of them.
    """
    places = [*action._task.get_search_path(), os.getcwd()]
    return [Path(action._loader.path_dwim_relative_stack(places, "files", name)) for name in names]


def collection() -> str:
    """Return this collection's name and version: from the manifest where it is installed, else from its sources."""
    manifest = _COLLECTION / "MANIFEST.json"
    if manifest.exists():
        version = json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"]
    else:
        version = yaml.safe_load((_COLLECTION / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    return f"breakwater.docker {version}"
