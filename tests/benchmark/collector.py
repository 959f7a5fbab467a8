# The collector in a process of its own, without Ansible's wrapper around it: what bench.py compares with floor.py.

from __future__ import annotations

import json

from ansible_collections.breakwater.docker.plugins.module_utils.zip_imports import compile_once

compile_once()

from ansible_collections.breakwater.docker.plugins.module_utils.collector import collect
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem, SubprocessRunner

SOCKET = "/var/run/docker.sock"

with EngineApi(SOCKET, 30) as reader:
    print(json.dumps(collect(reader, LocalFileSystem(), SubprocessRunner(), SOCKET)))
