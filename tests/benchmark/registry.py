# `make bench-registry`: concurrent pushes and pulls through the role's registry, with TLS, certificates and sandbox,
# and through a bare one of the same program beside it, which has none of them. Rounds alternate between the two.

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "breakwater-host:debian13-docker"
PREFIX = f"breakwater-bench-registry-{os.getpid()}"
SERVER, CLIENT = f"{PREFIX}-server", f"{PREFIX}-client"
PASSWORD = "quite-a-secret"
#: The share of the bare registry's speed that is to be reached.
LIMIT = 0.9
BARE = (
    "version: 0.1\nstorage: {filesystem: {rootdirectory: /srv/bare}, delete: {enabled: true},"
    ' cache: {blobdescriptor: inmemory}}\nhttp: {addr: ":5001"}\n'
)
INVENTORY = f"""\
[registry]
{SERVER}
[clients]
{CLIENT}
[all:vars]
ansible_connection=community.docker.docker
ansible_python_interpreter=/usr/bin/python3
"""
#: Runs docker for each of the images at once.
AT_ONCE = """set -e
pids=
for number in $(seq {images}); do
    docker {verb} -q {registry}/bench/image:$number >/dev/null & pids="$pids $!"
done
for pid in $pids; do wait $pid; done"""


def run(*command: str) -> str:
    """Run a command in the checkout and return its output; SystemExit with what it printed when it fails."""
    environment = {**os.environ, "ANSIBLE_PIPELINING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        sys.exit(f"bench-registry: `{' '.join(command)[:300]}` failed:\n{done.stdout[-3000:]}{done.stderr[-2000:]}")
    return done.stdout


def on(name: str, script: str) -> str:
    """Run a shell's script on a host."""
    return run("docker", "exec", name, "sh", "-ec", script)


def set_up(directory: Path, passwords: bool) -> None:
    """Start a host with both registries and one with an engine that uses them."""
    run("docker", "network", "create", PREFIX)
    for name in (SERVER, CLIENT):
        options = ("--hostname", name, "--network", PREFIX, "--privileged", "--cgroupns=private")
        run("docker", "run", "-d", "--name", name, *options, IMAGE)
    for name in (SERVER, CLIENT):
        on(name, "for i in $(seq 60); do docker info >/dev/null 2>&1 && exit; sleep 1; done; exit 1")
    on(
        CLIENT,
        f"""echo '{{"insecure-registries": ["{SERVER}:5001"]}}' >/etc/docker/daemon.json; systemctl reload docker""",
    )
    (directory / "hosts.ini").write_text(INVENTORY)
    variables = {
        "docker_hosts": "clients",
        **{f"{role}_ca_dir": f"{directory}/ca" for role in ("docker_registry", "docker_registry_client")},
        **{f"{role}_ca_passphrase": "battery-staple" for role in ("docker_registry", "docker_registry_client")},
        "docker_registry_client_registries": [{"address": f"{SERVER}:5000", "client_certificate": not passwords}],
    }
    if passwords:
        variables["docker_registry_users"] = [{"name": "bench", "password": PASSWORD}]
    else:
        variables["docker_registry_client_certificates"] = "required"
    inventory = str(directory / "hosts.ini")
    run("ansible-playbook", "breakwater.docker.registry", "-i", inventory, "-e", json.dumps(variables))
    on(SERVER, f"printf '%s' '{BARE}' >/root/bare.yml; systemd-run -q --unit bare docker-registry serve /root/bare.yml")
    if passwords:
        on(CLIENT, f"echo {PASSWORD} | docker login -u bench --password-stdin {SERVER}:5000")


def prepare(images: int, megabytes: int) -> None:
    """Make images of content that does not compress."""
    for number in range(1, images + 1):
        names = " ".join(f"{SERVER}:{port}/bench/image:{number}" for port in (5000, 5001))
        on(
            CLIENT,
            f"head -c {megabytes << 20} /dev/urandom >/tmp/blob; tar -cC /tmp blob | docker import - made >/dev/null;"
            f" for name in {names}; do docker tag made $name; done; docker rmi made >/dev/null",
        )


def measure(port: int, images: int) -> tuple[float, float]:
    """Return the seconds that all pushes and then all pulls take; nothing is left of either on both sides."""
    registry = f"{SERVER}:{port}"
    seconds = []
    for verb in ("push", "pull"):
        started = time.monotonic()
        on(CLIENT, AT_ONCE.format(images=images, verb=verb, registry=registry))
        seconds.append(time.monotonic() - started)
        on(CLIENT, f"docker images -q '{registry}/bench/image' | xargs docker rmi -f >/dev/null")
    return seconds[0], seconds[1]


def processor_seconds(unit: str) -> float:
    """Return how long a registry has used a processor since its start, which says more on a busy machine."""
    fields = on(SERVER, f"cat /proc/$(systemctl show -P MainPID {unit})/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> int:
    """Measure, print a table and tell whether the limit is kept."""
    parser = argparse.ArgumentParser(description="Load of the role's registry beside a bare one")
    parser.add_argument("--images", type=int, default=4, help="images at once")
    parser.add_argument("--megabytes", type=int, default=32, help="size of each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--passwords", action="store_true", help="ask for passwords in place of certificates")
    options = parser.parse_args()
    times: dict[int, list[tuple[float, float]]] = {5000: [], 5001: []}
    try:
        with tempfile.TemporaryDirectory() as directory:
            set_up(Path(directory), options.passwords)
            for turn in range(options.rounds):
                # who goes first alternates, and every round has images of its own
                for port in sorted(times, reverse=bool(turn % 2)):
                    prepare(options.images, options.megabytes)
                    times[port].append(measure(port, options.images))
            used = [processor_seconds(unit) / options.rounds for unit in ("bare", "docker-registry")]
    finally:
        for name in (SERVER, CLIENT):
            subprocess.run(["docker", "rm", "-fv", name], capture_output=True, check=False)
        subprocess.run(["docker", "network", "rm", PREFIX], capture_output=True, check=False)
    total = options.images * options.megabytes
    print(f"{options.images} images of {options.megabytes} MiB at once, fastest of {options.rounds} rounds, MiB/s")
    print(f"{'':6}{'bare':>8}{'role':>8}{'share':>8}")
    kept = True
    for index, verb in enumerate(("push", "pull")):
        # what else the machine does only ever slows a round down, so the fastest one tells most
        bare, role = (total / min(each[index] for each in times[port]) for port in (5001, 5000))
        kept = kept and role / bare >= LIMIT
        print(f"{verb:6}{bare:8.1f}{role:8.1f}{role / bare:8.2f}")
    print(f"processor seconds of the registry a round: bare {used[0]:.2f}, role {used[1]:.2f}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
