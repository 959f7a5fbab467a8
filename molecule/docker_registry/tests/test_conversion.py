# A configuration of version 2 that somebody has written, as version 3 wants it.

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import bed
import testinfra

NAME = "breakwater-registry-12"
SECRET = "planted-in-a-configuration"
FOREIGN = f"""\
version: 0.1
loglevel: warn
storage:
    s3: {{accesskey: AKIAEXAMPLE, secretkey: {SECRET}, region: eu-west-1, bucket: images}}
compatibility:
    schema1:
        enabled: true
http:
    addr: :5000
    secret: {SECRET}
redis:
    addr: redis.example.org:6379
    password: '{SECRET}'
    pool: {{maxactive: 64}}
"""
PLAY = """\
- hosts: breakwater-registry-12
  gather_facts: false
  tasks:
    - breakwater.docker.docker_registry_conversion: {src: /root/v2.yml, dest: /root/v3.yml}
"""


def test_foreign_configuration_is_converted(tmp_path: Path) -> None:
    machine = testinfra.get_host(f"docker://{NAME}")
    machine.check_output(f"umask 077; cat >/root/v2.yml <<'END'\n{FOREIGN}END")
    play = tmp_path / "convert.yml"
    play.write_text(PLAY, encoding="utf-8")
    check = bed.play(str(play), "--check", "--diff")
    assert not machine.file("/root/v3.yml").exists
    done = bed.play(str(play), "--diff")
    again = bed.play(str(play))
    assert ["changed=1" in run.stdout for run in (check, done, again)] == [True, True, False]
    assert not any(SECRET in run.stdout + run.stderr for run in (check, done, again))
    assert all(word in done.stdout for word in ("compatibility", "schema 1", "redis.addrs", "redis.poolsize"))
    written = machine.file("/root/v3.yml")
    assert written.mode == 0o600
    document: dict[str, Any] = json.loads(written.content_string)
    assert document["redis"] == {"addrs": ["redis.example.org:6379"], "password": SECRET, "poolsize": 64}
    assert document["log"] == {"level": "warn"}
    assert {"loglevel", "compatibility"}.isdisjoint(document)
    machine.check_output("rm /root/v2.yml /root/v3.yml")
