# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The options of docker_workload, which its parts on the controller and on the host read alike.

from __future__ import annotations

from typing import Any, Mapping, Sequence

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import secrets

_NAME: dict[str, Any] = {"type": "str", "required": True}
_LIST: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
_DICT: dict[str, Any] = {"type": "dict", "default": {}}
_PORT = {
    "container_port": _NAME,
    "host_address": {"type": "str", "default": "127.0.0.1"},
    "host_port": _NAME,
}
_MOUNT = {
    "volume": {"type": "str"},
    "host_path": {"type": "str"},
    "target": _NAME,
    "read_only": {"type": "bool", "default": False},
}
_SECRET = {
    "name": _NAME,
    "content": {"type": "str", "required": True, "no_log": True},
    "group_readable": {"type": "bool", "default": False},
}
_HEALTH = {
    "test": _LIST,
    "image": {"type": "bool", "default": False},
    "interval": {"type": "int", "default": 10},
    "timeout": {"type": "int", "default": 5},
    "retries": {"type": "int", "default": 3},
    "start_period": {"type": "int", "default": 30},
}
_CONTAINER = {
    "name": _NAME,
    "owner": _NAME,
    "image": _NAME,
    "entrypoint": _LIST,
    "command": _LIST,
    "user": {"type": "str", "default": ""},
    "environment": {**_DICT, "no_log": True},
    "secrets": {"type": "list", "elements": "dict", "default": [], "options": _SECRET, "no_log": False},
    "ports": {"type": "list", "elements": "dict", "default": [], "options": _PORT},
    "networks": _LIST,
    "volumes": {"type": "list", "elements": "dict", "default": [], "options": _MOUNT},
    "tmpfs": {"type": "dict", "default": {"/tmp": "64m"}},  # noqa: S108 (a place in the container)
    "read_only": {"type": "bool", "default": True},
    "memory": {"type": "str", "default": "256m"},
    "cpus": {"type": "float", "default": 1.0},
    "pids": {"type": "int", "default": 100},
    "ulimits": {"type": "dict", "default": {"nofile": "1024:16384"}},
    "cap_add": _LIST,
    "devices": _LIST,
    "privileged": {"type": "bool", "default": False},
    "seccomp": {"type": "str", "default": ""},
    "apparmor": {"type": "str", "default": ""},
    "selinux": _LIST,
    "restart": {"type": "str", "default": "on-failure:5"},
    "health": {"type": "dict", "options": _HEALTH},
    "init": {"type": "bool", "default": False},
    "labels": _DICT,
    "stop_timeout": {"type": "int", "default": 10},
    "start_timeout": {"type": "int", "default": 60},
    "adopt": {"type": "bool", "default": False},
    "reasons": _DICT,
}
_NETWORK = {
    "name": _NAME,
    "owner": _NAME,
    "shared_with": _LIST,
    "icc": {"type": "bool", "default": False},
    "internal": {"type": "bool", "default": False},
    "subnet": {"type": "str", "default": ""},
    "reasons": _DICT,
}
_VOLUME = {"name": _NAME, "owner": _NAME, "shared_with": _LIST}
_TENANT = {
    "name": _NAME,
    "containers": {"type": "int"},
    "memory": {"type": "str"},
    "cpus": {"type": "float"},
    "pids": {"type": "int"},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "containers": {"type": "list", "elements": "dict", "default": [], "options": _CONTAINER},
    "networks": {"type": "list", "elements": "dict", "default": [], "options": _NETWORK},
    "volumes": {"type": "list", "elements": "dict", "default": [], "options": _VOLUME},
    "tenants": {"type": "list", "elements": "dict", "default": [], "options": _TENANT},
    "absent": _LIST,
    "profile": {"type": "str", "choices": ["baseline", "strict"], "default": "baseline"},
    "allow_interruption": {"type": "bool", "default": False},
}


def hidden(containers: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the strings in the options of containers that nobody may see."""
    contents = {secret["content"] for container in containers for secret in container["secrets"]}
    return (contents | secrets(list(containers))) - {""}
