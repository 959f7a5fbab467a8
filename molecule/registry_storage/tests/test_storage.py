# Images in object storages, after restarts and collections, and what a pull-through cache serves to whom.

from __future__ import annotations

import re
from typing import Any, Iterator

import bed
import pytest
import testinfra

S3, SWIFT, CACHE = "breakwater-storage-s3", "breakwater-storage-swift", "breakwater-storage-cache"
HUB = "breakwater-storage-objects"
STORES = pytest.mark.parametrize("registry", [S3, SWIFT])
PASSWORD = "quite-a-secret"
#: An image of two layers, one of which is larger than the parts in which the drivers upload.
PUSH = """set -e
head -c 12000000 /dev/urandom >/tmp/large
head -c 1000 /dev/urandom >/tmp/small
mkdir -p /tmp/build
mv /tmp/large /tmp/small /tmp/build
printf 'FROM scratch\\nCOPY large /\\nCOPY small /\\n' >/tmp/build/Dockerfile
DOCKER_BUILDKIT=0 docker build -q -t {name} /tmp/build 2>/dev/null >&2
docker push -q {name}"""


def host(name: str) -> Any:
    return testinfra.get_host(f"docker://{name}")


CLIENT = host("breakwater-storage-client")


@pytest.fixture(autouse=True, scope="module")
def _logged_in() -> Iterator[None]:
    for registry in (S3, SWIFT):
        CLIENT.check_output(f"echo {PASSWORD} | docker login -u alice --password-stdin {registry}:5000")
    yield
    CLIENT.check_output("docker image prune -af")


def push(name: str) -> str:
    """Push an image of random content and return its id, which is a checksum of all that is in it."""
    CLIENT.check_output(PUSH.format(name=name))
    return CLIENT.check_output(f"docker image inspect -f '{{{{.Id}}}}' {name}")


def pull(name: str) -> str:
    CLIENT.run(f"docker rmi -f {name}")
    CLIENT.check_output(f"docker pull -q {name}")
    return CLIENT.check_output(f"docker image inspect -f '{{{{.Id}}}}' {name}")


def curl(registry: str, path: str, options: str = "") -> str:
    ca = f"/etc/docker/certs.d/{registry}:5000/ca.crt"
    return CLIENT.check_output(f"curl -sS --cacert {ca} -u alice:{PASSWORD} {options} https://{registry}:5000{path}")


def ask_cache(path: str, options: str = "") -> Any:
    # curl takes what follows a colon in a certificate's path for a password
    return CLIENT.run(
        f"cd /etc/docker/certs.d/{CACHE}:5000; curl -sS --cacert ca.crt {options} https://{CACHE}:5000{path}"
    )


@STORES
def test_images_are_the_same_after_restart_and_collection(registry: str) -> None:
    kept, gone = f"{registry}:5000/team/kept:1", f"{registry}:5000/team/gone:1"
    identity = push(kept)
    push(gone)
    assert pull(kept) == identity
    machine = host(registry)
    machine.check_output("systemctl restart docker-registry.service")
    bed.wait_for_registry(machine)
    assert pull(kept) == identity

    manifest = "-H 'Accept: application/vnd.docker.distribution.manifest.v2+json'"
    head = curl(registry, "/v2/team/gone/manifests/1", f"-I {manifest}")
    digest = re.findall(r"(?i)docker-content-digest: (\S+)", head)[0]
    layer = re.findall(r"sha256:[0-9a-f]{64}", curl(registry, "/v2/team/gone/manifests/1", manifest))[-1]
    curl(registry, f"/v2/team/gone/manifests/{digest}", "-X DELETE")
    machine.check_output("systemctl start docker-registry-gc.service")
    collected = machine.check_output("journalctl --sync; journalctl --no-pager -o cat -u docker-registry-gc.service")
    assert f"blob eligible for deletion: {layer}" in collected
    CLIENT.check_output("docker image prune -af")
    bed.wait_for_registry(machine)
    assert pull(kept) == identity
    assert CLIENT.run(f"docker pull {gone}").rc != 0


@STORES
def test_images_are_in_the_object_storage_only(registry: str) -> None:
    objects = {
        S3: "curl -s 'http://127.0.0.1:5555/images?list-type=2'",
        SWIFT: "token=$(curl -si -H 'X-Auth-User: test:tester' -H 'X-Auth-Key: testing' http://127.0.0.1:8080/auth/v1.0"
        " | tr -d '\\r' | sed -n 's/^X-Auth-Token: //p');"
        ' curl -s -H "X-Auth-Token: $token" http://127.0.0.1:8080/v1/AUTH_test/images',
    }
    assert "docker/registry/v2/blobs/sha256" in host(HUB).check_output(objects[registry])
    assert host(registry).run("find / -xdev -path '*docker/registry/v2*' | head -n 1").stdout == ""


def test_secrets_of_the_storage_are_in_no_list_and_no_log() -> None:
    for registry, secret in ((S3, "quite-a-secret-key"), (SWIFT, "testing")):
        config = host(registry).file("/etc/docker/registry/config.yml")
        assert (config.mode, secret in config.content_string) == (0o600, True)
        told = host(registry).check_output(
            "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ | tr '\\0' '\\n'; systemctl show docker-registry.service;"
            " journalctl --no-pager"
        )
        assert secret not in told


class TestCache:
    def test_mirror_serves_who_shows_a_certificate(self) -> None:
        identity = push(f"{HUB}:5000/library/mirrored:1")
        CLIENT.check_output(f"docker rmi -f {HUB}:5000/library/mirrored:1")
        CLIENT.check_output("docker image prune -af")
        CLIENT.check_output("docker pull -q mirrored:1")
        assert CLIENT.check_output("docker image inspect -f '{{.Id}}' mirrored:1") == identity
        assert host(CACHE).check_output(
            "find /var/lib/docker-registry -path '*repositories/library/mirrored*' | head -n 1"
        )

    def test_it_serves_on_when_its_source_is_gone(self) -> None:
        host(HUB).check_output("systemctl stop docker-registry.service")
        try:
            CLIENT.check_output("docker rmi -f mirrored:1; docker image prune -af; docker pull -q mirrored:1")
        finally:
            host(HUB).check_output("systemctl start docker-registry.service")
            bed.wait_for_registry(host(HUB))

    def test_others_are_refused(self) -> None:
        assert ask_cache("/v2/library/mirrored/tags/list", "--cert cert.pem --key key.pem -f").rc == 0
        refused = ask_cache("/v2/library/mirrored/tags/list")
        assert refused.rc != 0
        assert "certificate required" in refused.stderr

    def test_it_takes_no_pushes(self) -> None:
        status = "-o /dev/null -w '%{http_code}' -X POST"
        assert ask_cache("/v2/team/app/blobs/uploads/", f"--cert cert.pem --key key.pem {status}").stdout == "405"

    def test_nothing_collects_its_garbage(self) -> None:
        assert host(CACHE).run("systemctl cat docker-registry-gc.timer").rc != 0

    def test_clients_key_is_theirs(self) -> None:
        key = CLIENT.file(f"/etc/docker/certs.d/{CACHE}:5000/key.pem")
        assert (key.mode, key.user) == (0o400, "root")
