# A host that was in use before it was hardened, and that then met every fault of side_effect.yml.

from __future__ import annotations

import json
from typing import Any

import bed

testinfra_hosts = bed.hosts("busy")
FILE = "/etc/docker/daemon.json"


def config(host: Any, suffix: str = "") -> dict[str, Any]:
    return json.loads(host.file(FILE + suffix).content_string)


def test_containers_are_the_processes_that_they_were(host: Any) -> None:
    now = host.check_output("docker inspect -f '{{.Name}} {{.State.Pid}} {{.State.StartedAt}}' idle published")
    assert now == host.file("/root/processes").content_string.strip()
    assert host.run("curl -s -m 3 -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/").stdout == "404"


def test_what_the_owner_configured_is_kept(host: Any) -> None:
    assert config(host)["labels"] == ["owner=kept"]
    assert config(host)["log-opts"] == {"max-size": "50m", "max-file": "3", "tag": "{{.Name}}"}
    assert config(host)["log-level"] == "info"
    assert config(host, ".breakwater-previous")["labels"] == ["owner=kept"]


def test_the_file_that_nobody_could_read_is_kept(host: Any) -> None:
    invalid = host.file(f"{FILE}.breakwater-invalid")
    assert invalid.content_string == '{"labels": ["owner=kept"]'
