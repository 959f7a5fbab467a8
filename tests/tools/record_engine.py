# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""record_engine.py IMAGE NAME: records what the engine of a container host answers.

It becomes tests/unit/fixtures/engines/NAME.json; a NAME that ends in -rootless records a rootless engine. Three
containers run or wait there, whose names say what they are.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ansible_collections.breakwater.docker.tests.integration import container_host
from ansible_collections.breakwater.docker.tests.integration.test_rootless_engine import PREPARE, SOCKET, START

ENGINES = Path(__file__).parents[1] / "unit/fixtures/engines"
ROOTFUL_SOCKET = "unix:///run/docker.sock"
HOST = "breakwater-recorded"
CONTAINERS = """
mount --make-rshared /
docker load -qi /usr/share/breakwater/busybox.tar
docker volume create -o type=none -o o=bind -o device=/etc etc
docker network create --subnet 172.20.0.0/16 -o com.docker.network.bridge.enable_icc=false net
docker run -d --name hardened --network net --user 1000 --read-only --cap-drop all \
    --security-opt no-new-privileges=true --memory 32m --memory-swap 64m $CPUS --pids-limit 20 --restart on-failure:5 \
    --health-cmd true --log-opt max-size=10m -p 127.0.0.1:8098:80 -e POSTGRES_PASSWORD_FILE=/run/secrets/pw \
    busybox:local sleep 100000
docker create --name stopped --cap-add SYS_ADMIN --cap-add cap_net_raw --security-opt seccomp=unconfined \
    --security-opt systempaths=unconfined --security-opt no-new-privileges=false -v etc:/vol -p 80:80 \
    busybox:local sh -c 'sleep 1'
docker run -d --name risky --privileged --network host --pid host --ipc host --uts host --restart always \
    -v /var/run/docker.sock:/var/run/docker.sock -v /:/host -v etc:/vol --device /dev/null \
    --security-opt label=disable --ulimit nofile=100:200 -e DB_PASSWORD=hunter2 -e GREETING=hello \
    busybox:local sleep 100000
"""


def answers(host: container_host.ContainerHost, socket: str) -> dict[str, Any]:
    """Return what the engine says of itself and its objects, by path."""

    def get(path: str) -> Any:
        return json.loads(host.run(f"curl -s --unix-socket {socket.removeprefix('unix://')} 'http://engine{path}'"))

    found = {path: get(path) for path in ("/version", "/info", "/networks", "/volumes", "/images/json")}
    found["/containers/json?all=1"] = get("/containers/json?all=1")
    paths = [f"/containers/{entry['Id']}/json" for entry in found["/containers/json?all=1"]]
    for entry in found["/images/json"]:
        paths += [f"/images/{entry['Id']}/json", f"/images/{entry['Id']}/history"]
    return {**found, **{path: get(path) for path in paths}}


def neutral(documents: dict[str, Any]) -> str:
    """Return the documents as text; what is the machine's and not the engine's is what tests of other engines know."""
    info = documents["/info"]
    info["ID"] = "6b2c9f0e-5c1f-4a53-9d0e-0d8f6a1b2c3d"
    listed = [documents[f"/containers/{entry['Id']}/json"] for entry in documents["/containers/json?all=1"]]
    running = [document["State"] for document in listed if document["State"]["Running"]]
    for pid, state in enumerate(running, start=2001):
        state["Pid"] = pid
    text = json.dumps(documents, indent=1, sort_keys=True) + "\n"
    return text.replace(info["KernelVersion"], info["KernelVersion"].partition("-")[0]).replace(HOST, "host1")


def main(image: str, name: str) -> None:
    rootless = name.endswith("-rootless")
    with container_host.started(HOST, image) as host:
        socket = ROOTFUL_SOCKET
        if rootless:
            host.run(PREPARE, timeout=300)
            host.run(f"su captain -s /bin/sh -c '{START}'")
            host.wait_for(f"docker -H {SOCKET} info")
            socket = SOCKET
        # refused where there are no control groups
        cpus = "" if rootless else "--cpus 0.5"
        host.run(f"export DOCKER_HOST={socket} CPUS='{cpus}'\n{CONTAINERS}")
        (ENGINES / f"{name}.json").write_text(neutral(answers(host, socket)), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
