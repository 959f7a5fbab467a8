# What a registry takes from whom, what is left of it after garbage was collected, and what it gives away.

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import bed
import pytest
import testinfra

CONVERGE = str(Path(os.environ["MOLECULE_SCENARIO_DIRECTORY"]) / "converge.yml")
NATIVE, CONTAINER = "breakwater-registry-12", "breakwater-registry-13"
REGISTRIES = pytest.mark.parametrize("registry", [NATIVE, CONTAINER])
PASSWORD = "quite-a-secret"
#: Pushes images of random content, each until it is taken, at most 100 times.
PUSH = """set -e
for i in $(seq {first} {last}); do
    head -c 20000 /dev/urandom >/tmp/blob
    tar -cC /tmp blob | docker import - {name}:$i >/dev/null
    tries=0
    until docker push -q {name}:$i 2>>/tmp/refused; do
        tries=$((tries+1)); [ $tries -lt 100 ] || exit 1
        sleep 0.3
    done
done"""


def host(name: str) -> Any:
    return testinfra.get_host(f"docker://{name}")


CLIENT = host("breakwater-registry-client")


def play(**variables: Any) -> subprocess.CompletedProcess[str]:
    return bed.play(CONVERGE, **variables)


def changed(done: subprocess.CompletedProcess[str], name: str) -> int:
    [line] = [line for line in done.stdout.splitlines() if line.startswith(f"{name} ") and "changed=" in line]
    return int(line.split("changed=")[1].split()[0])


def ca(registry: str) -> str:
    return f"/etc/docker/certs.d/{registry}:5000/ca.crt"


def get(registry: str, path: str = "/v2/", options: str = "") -> str:
    """Return the status of an answer to the client host."""
    command = f"curl -s -o /dev/null -w '%{{http_code}}' -m 20 --cacert {ca(registry)} {options}"
    return CLIENT.run(f"{command} https://{registry}:5000{path}").stdout


def log_in(registry: str) -> None:
    CLIENT.check_output(f"echo {PASSWORD} | docker login -u alice --password-stdin {registry}:5000")


def push(name: str, first: int = 1, last: int = 1) -> None:
    """Push images of random content by tags that are numbers, each until it is taken."""
    CLIENT.check_output(PUSH.format(name=name, first=first, last=last))


def pull(name: str) -> str:
    """Return the id of a pulled image, which is a checksum of all that is in it."""
    CLIENT.check_output(f"docker pull -q {name}")
    return CLIENT.check_output(f"docker image inspect -f '{{{{.Id}}}}' {name}")


def pushed(name: str, first: int = 1, last: int = 1) -> dict[str, str]:
    """Return the ids of the pushed images by name, and remove them from the client."""
    names = [f"{name}:{number}" for number in range(first, last + 1)]
    found = CLIENT.check_output(f"docker image inspect -f '{{{{.Id}}}}' {' '.join(names)}").split()
    CLIENT.check_output(f"docker rmi -f {' '.join(names)}")
    return dict(zip(names, found))


def process(registry: str) -> str:
    return host(registry).check_output("pgrep -x docker-registry").split()[0]


@REGISTRIES
class TestAccess:
    def test_what_was_pushed_is_pulled(self, registry: str) -> None:
        log_in(registry)
        push(f"{registry}:5000/team/app")
        for name, identity in pushed(f"{registry}:5000/team/app").items():
            assert pull(name) == identity

    def test_nobody_gets_in_without_the_password(self, registry: str) -> None:
        assert get(registry) == "401"
        assert get(registry, "/v2/_catalog") == "401"
        assert get(registry, options="-u alice:wrong") == "401"
        assert get(registry, options=f"-u alice:{PASSWORD}") == "200"

    def test_unknown_ca_is_refused(self, registry: str) -> None:
        assert CLIENT.run(f"curl -sS https://{registry}:5000/v2/").rc == 60
        CLIENT.check_output(f"mv {ca(registry)} /root/ca.crt")
        try:
            refused = CLIENT.run(f"docker pull {registry}:5000/team/app:1")
        finally:
            CLIENT.check_output(f"mv /root/ca.crt {ca(registry)}")
        assert refused.rc != 0
        assert "certificate signed by unknown authority" in refused.stderr

    def test_clear_text_is_refused(self, registry: str) -> None:
        answer = CLIENT.run(f"curl -s -o /dev/null -w '%{{http_code}}' -u alice:{PASSWORD} http://{registry}:5000/v2/")
        assert answer.stdout == "400"

    @pytest.mark.parametrize("version", ["1.0", "1.1"])
    def test_old_tls_is_refused(self, registry: str, version: str) -> None:
        old = f"--tls-max {version} --ciphers DEFAULT@SECLEVEL=0"
        answer = CLIENT.run(f"curl -sS --cacert {ca(registry)} {old} https://{registry}:5000/v2/")
        assert answer.rc == 35
        assert "protocol version" in answer.stderr

    def test_metrics_are_for_the_host_only(self, registry: str) -> None:
        assert "registry_" in host(registry).check_output("curl -s http://127.0.0.1:5001/metrics")
        assert "{}" in host(registry).check_output("curl -s http://127.0.0.1:5001/debug/health")
        assert CLIENT.run(f"curl -s -m 5 http://{registry}:5001/metrics").rc != 0


@REGISTRIES
class TestConfinement:
    def test_process_has_no_rights(self, registry: str) -> None:
        status = host(registry).check_output(f"cat /proc/{process(registry)}/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert "0" not in fields["Uid"].split()
        assert {int(fields[name], 16) for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {0}
        assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")

    def test_files_are_the_registrys_only(self, registry: str) -> None:
        directory = host(registry).file("/etc/docker/registry")
        assert directory.mode == 0o700
        owner = host(registry).check_output(f"stat -c %u /proc/{process(registry)}")
        for name in ("config.yml", "readonly.yml", "htpasswd", "http.secret", "tls.crt", "tls.key"):
            file = host(registry).file(f"/etc/docker/registry/{name}")
            assert (file.mode, str(file.uid)) == (0o400 if name == "tls.key" else 0o600, owner)

    def test_secrets_are_in_no_list_and_no_log(self, registry: str) -> None:
        machine = host(registry)
        secret = machine.file("/etc/docker/registry/http.secret").content_string
        assert len(secret) == 64
        told = machine.check_output(
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; systemctl show docker-registry.service;"
            " journalctl --no-pager; docker inspect docker-registry 2>/dev/null; docker logs docker-registry 2>&1; true"
        )
        assert secret not in told
        assert PASSWORD not in told


def test_native_service_is_sandboxed() -> None:
    judged = host(NATIVE).check_output("systemd-analyze security --no-pager docker-registry.service | tail -n 1")
    assert float(re.findall(r"\d+\.\d", judged)[0]) < 2


def test_container_is_hardened() -> None:
    for name in ("docker-registry", "docker-registry-readonly", "docker-registry-gc"):
        form = (
            "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.Privileged}} {{.HostConfig.CapDrop}} {{.HostConfig.Memory}}"
        )
        assert host(CONTAINER).check_output(f"docker inspect -f '{form}' {name}") == f"true false [ALL] {1 << 30}"
    logs = host(CONTAINER).check_output("docker inspect -f '{{json .HostConfig.LogConfig}}' docker-registry")
    assert json.loads(logs) == {"Type": "local", "Config": {"max-file": "5", "max-size": "10m"}}
    networks = host(CONTAINER).check_output("docker inspect -f '{{json .NetworkSettings.Networks}}' docker-registry")
    assert re.findall(r'"([^"]+)":\{"IPAMConfig', networks) == ["docker-registry"]


def test_engine_speaks_https_only() -> None:
    insecure = CLIENT.check_output(
        "docker info -f '{{range $name, $c := .RegistryConfig.IndexConfigs}}{{$name}} {{end}}'"
    )
    assert "other.example.org" in insecure
    assert "breakwater-registry" not in insecure


@REGISTRIES
def test_no_push_is_lost_while_garbage_is_collected(registry: str) -> None:
    log_in(registry)
    name = f"{registry}:5000/team/busy"
    push(f"{registry}:5000/team/old")
    identity = f"curl -sS --cacert {ca(registry)} -u alice:{PASSWORD}"
    manifest = f"https://{registry}:5000/v2/team/old/manifests"
    accept = "-H 'Accept: application/vnd.docker.distribution.manifest.v2+json'"
    digest = CLIENT.check_output(
        f"{identity} -I {accept} {manifest}/1 | tr -d '\\r' | sed -n 's/^[Dd]ocker-.ontent-.igest: //p'"
    )
    layer = re.findall(r"sha256:[0-9a-f]{64}", CLIENT.check_output(f"{identity} {accept} {manifest}/1"))[-1]
    CLIENT.check_output(f"{identity} -X DELETE {manifest}/{digest}")
    stored = f"/srv/registry/docker/registry/v2/blobs/sha256/{layer[7:9]}/{layer[7:]}/data"
    assert host(registry).file(stored).exists

    pushes = ["docker", "exec", "breakwater-registry-client", "sh", "-ec", PUSH.format(name=name, first=1, last=8)]
    with subprocess.Popen(pushes) as running:
        for _time in range(2):
            host(registry).check_output("systemctl start docker-registry-gc.service")
        assert running.wait(timeout=120) == 0

    assert not host(registry).file(stored).exists
    for image, identity in pushed(name, 1, 8).items():
        assert pull(image) == identity


@REGISTRIES
def test_garbage_is_collected_of_a_registry_that_takes_no_pushes(registry: str) -> None:
    """The twin is stopped before the registry starts, also where the collection fails."""
    machine = host(registry)
    machine.check_output("chmod 000 /srv/registry/docker/registry/v2/repositories")
    try:
        failed = machine.run("systemctl start docker-registry-gc.service")
    finally:
        machine.check_output("chmod 750 /srv/registry/docker/registry/v2/repositories")
    assert failed.rc != 0
    bed.wait_for_registry(machine)
    assert len(machine.check_output("pgrep -x docker-registry").split()) == 1
    push(f"{registry}:5000/team/after")


def test_collection_is_of_this_host_whatever_roots_context_is() -> None:
    machine = host(CONTAINER)
    machine.check_output("docker context create elsewhere --docker host=tcp://127.0.0.1:9")
    machine.check_output("docker context use elsewhere")
    try:
        assert machine.run("docker version").rc != 0
        machine.check_output("systemctl start docker-registry-gc.service")
    finally:
        machine.check_output("docker context use default; docker context rm elsewhere")
    bed.wait_for_registry(machine)
    assert "eligible for deletion" in machine.check_output("docker logs --tail 100 docker-registry-gc 2>&1")


def test_a_collection_without_its_containers_leaves_the_registry_alone() -> None:
    """They are stopped in between, so `docker container prune` removes them."""
    machine, helpers = host(CONTAINER), "docker-registry-readonly docker-registry-gc"
    before = process(CONTAINER)
    machine.check_output(f"docker rm {helpers}")
    machine.check_output("systemctl start docker-registry-gc.service")
    assert process(CONTAINER) == before
    assert get(CONTAINER, options=f"-u alice:{PASSWORD}") == "200"
    said = machine.check_output("journalctl --unit docker-registry-gc.service --lines 20 --priority err --output cat")
    assert f"No garbage is collected without the containers {helpers}: the role docker_registry makes" in said
    assert changed(play(), CONTAINER) == 1
    machine.check_output(f"docker container inspect {helpers}")
    assert process(CONTAINER) == before


@REGISTRIES
def test_backup_is_complete_and_can_be_restored(registry: str) -> None:
    machine = host(registry)
    push(f"{registry}:5000/team/app", 2, 3)
    images = pushed(f"{registry}:5000/team/app", 2, 3)
    for _time in range(3):
        machine.check_output("systemctl start docker-registry-backup.service; sleep 1")
    copies = machine.check_output("ls -d /srv/backup/*").split()
    assert len(copies) == 2
    assert {machine.file(copy).mode for copy in copies} == {0o600}
    control = "docker {} docker-registry" if registry == CONTAINER else "systemctl {} docker-registry"
    machine.check_output(control.format("stop"))
    machine.check_output(f"umask 027; rm -rf /srv/registry/docker && tar -xpf {copies[-1]} -C /srv/registry")
    machine.check_output(control.format("start"))
    bed.wait_for_registry(machine)
    for image, identity in images.items():
        assert pull(image) == identity


@REGISTRIES
def test_full_storage_fails_a_unit(registry: str) -> None:
    machine = host(registry)
    measure = "systemctl start docker-registry-quota.service"
    machine.check_output(measure)
    machine.check_output("fallocate -l 1100M /srv/registry/filler")
    try:
        assert machine.run(measure).rc != 0
    finally:
        machine.check_output("rm /srv/registry/filler")
    alarm = machine.check_output("journalctl --sync; journalctl --no-pager -p crit -u docker-registry-quota.service")
    assert "more than the quota of 1048576 KiB" in alarm


@REGISTRIES
def test_abandoned_uploads_are_going_to_be_purged(registry: str) -> None:
    """The registry purges within an hour of its start, which nobody waits for here, and then once a day."""
    journal = "journalctl --sync; journalctl --no-pager -u docker-registry"
    logs = "docker logs docker-registry 2>&1" if registry == CONTAINER else journal
    assert "Starting upload purge in" in host(registry).check_output(logs)


def test_interrupted_run_is_made_up_for() -> None:
    """Files are newer than the registry where a run was killed between writing them and restarting it."""
    before = {registry: process(registry) for registry in (NATIVE, CONTAINER)}
    for registry in before:
        host(registry).check_output("touch /etc/docker/registry/tls.crt")
    play()
    assert not any(process(registry) == number for registry, number in before.items())


def test_second_run_changes_nothing_and_tells_no_secret() -> None:
    again = play()
    for name in (NATIVE, CONTAINER, "breakwater-registry-client"):
        assert changed(again, name) == 0
        secret = host(name).run("cat /etc/docker/registry/http.secret").stdout
        assert not secret or secret not in again.stdout + again.stderr
    assert PASSWORD not in again.stdout + again.stderr


def test_contradictions_are_refused_before_anything_changes() -> None:
    listing = "find /etc /srv/registry -xdev -type f -print0 | sort -z | xargs -0 sha256sum"
    before = {name: host(name).check_output(listing) for name in (NATIVE, CONTAINER)}
    with pytest.raises(RuntimeError, match=r"(?s)everybody could push.*is not private"):
        play(docker_registry_users=[], docker_registry_metrics_address="0.0.0.0:5001", docker_registry_delete=False)
    assert {name: host(name).check_output(listing) for name in (NATIVE, CONTAINER)} == before


def test_check_of_a_bare_host_predicts_and_writes_nothing(tmp_path: Path) -> None:
    bare = host("breakwater-registry-bare")
    listing = "find /etc /usr /var/lib /srv -xdev -type f -print0 | sort -z | xargs -0 sha256sum; cat /etc/passwd"
    before = bare.check_output(listing)
    check = bed.play(
        "breakwater.docker.registry",
        "--check",
        "--diff",
        docker_registry_hosts="bare",
        docker_hosts="bare",
        docker_registry_ca_dir=str(tmp_path / "ca"),
    )
    assert changed(check, "breakwater-registry-bare") > 3
    assert PASSWORD not in check.stdout + check.stderr
    assert bare.check_output(listing) == before
    assert not (tmp_path / "ca").exists()


def test_removed_registry_leaves_its_images() -> None:
    for registry in (NATIVE, CONTAINER):
        log_in(registry)
        push(f"{registry}:5000/team/kept")
    images = {**pushed(f"{NATIVE}:5000/team/kept"), **pushed(f"{CONTAINER}:5000/team/kept")}
    gone = play(docker_registry_state="absent")
    assert min(changed(gone, NATIVE), changed(gone, CONTAINER)) > 1
    for registry in (NATIVE, CONTAINER):
        machine = host(registry)
        assert not machine.socket("tcp://5000").is_listening
        assert machine.run("ls /etc/docker/registry/config.yml /etc/docker/registry-tls/key.pem").stdout == ""
        assert machine.check_output("systemctl list-units --all --plain --no-legend 'docker-registry*'") == ""
    assert (
        host(CONTAINER).check_output("docker ps -aq --filter name=docker-registry; docker network ls -qf name=registry")
        == ""
    )
    play()
    for image, identity in images.items():
        assert pull(image) == identity
