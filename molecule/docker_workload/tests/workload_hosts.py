# The scenario's hosts and containers, for its tests.

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import testinfra
import yaml

SCENARIO = Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"])
HOSTS = ("breakwater-workload-12", "breakwater-workload-13")
BUSY = HOSTS[1]
NAMES = ("web", "db", "ledger")
VARIABLES = SCENARIO / "files/workload.yml"


def host(name: str = BUSY) -> Any:
    return testinfra.get_host(f"docker://{name}")


def containers() -> list[dict[str, Any]]:
    """Return the scenario's containers."""
    listed = yaml.safe_load(VARIABLES.read_text())["docker_workload_containers"]
    image = subprocess.check_output(["docker", "image", "ls", "--no-trunc", "--quiet", "busybox:local"], text=True)
    return [{**item, "image": image.strip()} for item in listed]


def changed(name: str, **options: Any) -> list[dict[str, Any]]:
    """Return the scenario's containers with other options for one of them."""
    return [{**item, **options} if item["name"] == name else item for item in containers()]


def ansible(*argv: str, **variables: Any) -> subprocess.CompletedProcess[str]:
    given = ["-i", os.environ["MOLECULE_INVENTORY_FILE"], "-e", json.dumps(variables)]
    environment = {**os.environ, "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
    return subprocess.run([*argv, *given], capture_output=True, text=True, timeout=600, check=False, env=environment)


def state(*names: str) -> str:
    """Return which processes the containers are."""
    return host().check_output("docker inspect -f '{{.Name}} {{.Id}} {{.State.Pid}}' " + " ".join(names))


def everything() -> str:
    listed = "docker ps -a --no-trunc --format '{{.ID}} {{.Names}} {{.State}}' | sort"
    return host().check_output(f"{listed}; docker network ls -q | sort; docker volume ls; ls -lR /var/lib/breakwater")
