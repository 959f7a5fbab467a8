# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.selinux.policy import FILES, Label
from ansible_collections.breakwater.docker.plugins.module_utils.workload import secrets
from ansible_collections.breakwater.docker.plugins.modules import docker_selinux_policy

NOTHING: dict[str, Any] = {
    **{key: [] for key in ("volumes", "ports", "types")},
    **{key: {} for key in ("booleans", "modules")},
    **dict.fromkeys(("secrets", "deny_af_alg", "allow_network_credentials"), False),
    "data_root": docker_selinux_policy.DATA_ROOT,
}


def test_secrets_are_labelled_as_docker_workload_labels_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = secrets.DIRECTORY
    monkeypatch.setattr(secrets, "DIRECTORY", str(tmp_path))
    store, secret = secrets.SecretStore(str(tmp_path)), secrets.Secret("hunter2", os.getuid(), os.getgid())
    paths = [store.path(container, "token", secret) for container in ("shop", "web")]
    for path in paths:
        store.put(path, secret)
    params = {**NOTHING, "secrets": True}
    assert docker_selinux_policy.labels(params) == [Label(path, "container_ro_file_t", "s0") for path in paths]
    specification = docker_selinux_policy.SECRETS
    assert docker_selinux_policy.wanted(params) == {(FILES, specification): "container_ro_file_t:s0"}
    path = paths[0].replace(str(tmp_path), directory)
    assert re.fullmatch(specification, path)
    assert not re.fullmatch(specification, os.path.dirname(path))
    assert not re.fullmatch(specification, f"{directory}/.key")


def test_nothing_is_wanted_by_default() -> None:
    assert docker_selinux_policy.wanted(NOTHING) == {}
    assert docker_selinux_policy.labels(NOTHING) == []
