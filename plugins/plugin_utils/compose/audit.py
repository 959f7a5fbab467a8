# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Judges the services and networks of a compose file by the controls of the audit.

from __future__ import annotations

from typing import Any, Iterable, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.compose import mounts
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.project import Project
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.service import described
from ansible_collections.breakwater.docker.plugins.plugin_utils.controls import CompiledControl
from ansible_collections.breakwater.docker.plugins.plugin_utils.described import judge
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding


def audit(project: Project, controls: Iterable[CompiledControl], policy: Mapping[str, Any]) -> list[Finding]:
    """Return a finding for each control and each service or network; InputError for what can't be understood."""
    services = [described(project, name) for name in project.services]
    options = mounts.volume_options(project)
    return judge(controls, services, _networks(project), policy, options)


def _networks(project: Project) -> list[dict[str, Any]]:
    """Return the networks that Compose would make; others are judged where they are."""
    listed = {"default": {}, **project.networks}
    return [
        {
            "Name": project.full_name(project.networks, name),
            "Driver": str(item.get("driver") or "bridge"),
            "Internal": item.get("internal") is True,
            "Options": {str(key): str(value) for key, value in (item.get("driver_opts") or {}).items()},
            "Labels": {},
        }
        for name, item in listed.items()
        if not item.get("external")
    ]
