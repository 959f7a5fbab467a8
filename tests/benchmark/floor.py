# The least that an audit of N containers can cost: a fresh process lists them and inspects each over one connection.

from __future__ import annotations

import http.client
import json
import socket


class EngineConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect("/var/run/docker.sock")


connection = EngineConnection("localhost")


def get(path: str) -> list[dict[str, str]]:
    connection.request("GET", path)
    return json.loads(connection.getresponse().read())


for container in get("/containers/json?all=1"):
    get(f"/containers/{container['Id']}/json")
