# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a compose service mounts, as the engine would list it.

from __future__ import annotations

import os
from typing import Any, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.project import Project

_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")


def of(project: Project, service: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the mounts of a service: volumes, paths of the host, and the files of secrets and configs."""
    found = [
        _long(project, item) if isinstance(item, dict) else _short(project, str(item))
        for item in service.get("volumes") or []
    ]
    return [*(mount for mount in found if mount), *_files(project, service)]


def volume_options(project: Project) -> dict[str, dict[str, str]]:
    """Return the driver's options of the project's volumes, by which one can be a directory of the host."""
    return {
        project.full_name(project.volumes, name): {str(key): str(value) for key, value in options.items()}
        for name, described in project.volumes.items()
        for options in [described.get("driver_opts") or {}]
    }


def _short(project: Project, text: str) -> dict[str, Any] | None:
    parts = text.split(":")
    if len(parts) == 1:
        return None  # a volume without a name
    source, target, *rest = parts
    options = rest[0].split(",") if rest else []
    propagation = next((option for option in options if option in _PROPAGATIONS), "")
    named = not source.startswith(("/", ".", "~"))
    how = {"Destination": target, "RW": "ro" not in options}
    return _volume(project, source, how) if named else _bind(project, source, {**how, "Propagation": propagation})


def _long(project: Project, item: Mapping[str, Any]) -> dict[str, Any] | None:
    if item.get("type") not in ("bind", "volume") or not item.get("source"):
        return None
    how = {"Destination": str(item["target"]), "RW": item.get("read_only") is not True}
    if item["type"] == "volume":
        return _volume(project, str(item["source"]), how)
    propagation = str((item.get("bind") or {}).get("propagation") or "")
    return _bind(project, str(item["source"]), {**how, "Propagation": propagation})


def _volume(project: Project, name: str, how: Mapping[str, Any]) -> dict[str, Any]:
    return {"Type": "volume", "Name": project.full_name(project.volumes, name), **how}


def _bind(project: Project, source: str, how: Mapping[str, Any]) -> dict[str, Any]:
    return {"Source": _path(project, source), **how}


def _path(project: Project, source: str) -> str:
    return os.path.normpath(os.path.join(project.directory, os.path.expanduser(source)))


def _files(project: Project, service: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, listed in (("secrets", project.secrets), ("configs", project.configs)):
        for item in service.get(kind) or []:
            name = str(item["source"] if isinstance(item, dict) else item)
            file = (listed.get(name) or {}).get("file")
            if file:
                yield _bind(project, str(file), {"Destination": f"/run/{kind}/{name}", "RW": False})
