# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.evidence import registry
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema
from ansible_collections.breakwater.docker.tests.unit.fakes.clock import in_time
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import process, write
from ansible_collections.breakwater.docker.tests.unit.fakes.server import serving

ID = "c" * 64
SECRET = "planted-9f2b"
CONFIG = f"""\
version: 0.1
storage:
  s3: {{region: eu, bucket: images, accesskey: AKIA, secretkey: {SECRET}, skipverify: true}}
  delete: {{enabled: true}}
http:
  addr: :PORT
  secret: {SECRET}
  debug: {{addr: ":5001"}}
auth:
  htpasswd: {{realm: registry, path: /etc/htpasswd}}
"""
ANSWER = b"HTTP/1.0 401 Unauthorized\r\n\r\n"
Put = Callable[..., Path]


def run(
    root: Path, config: str = CONFIG, environment: str = "", port: int = 5000, address: str = "00000000", **status: str
) -> None:
    """Start a registry of the host, or with `cgroup` one of a container."""
    gid = os.getgid()
    directory = process(root, 800, "registry", **{"Gid": f"{gid}\t{gid}", **status})
    write(root, "/proc/800/cmdline", "/bin/registry\0serve\0/etc/config.yml\0")
    write(root, "/proc/800/environ", environment)
    write(root, "/proc/800/root/etc/config.yml", config.replace("PORT", str(port))).chmod(0o600)
    write(root, "/proc/800/root/etc/htpasswd", "a:b\n").chmod(0o600)
    write(root, "/proc/800/mountinfo", "22 1 8:1 / / ro - ext4 /dev/sda1 rw\n")
    row = "   {n}: {address}:{port:04X} 00000000:0000 0A 0:0 00:0 0 0 0 {inode} 1\n"
    rows = [row.format(n=n, address=address, port=each, inode=900 + n) for n, each in enumerate((port, 5001))]
    write(root, "/proc/800/net/tcp", "head\n" + "".join(rows))
    (directory / "fd").mkdir()
    for number in range(2):
        (directory / "fd" / str(number)).symlink_to(f"socket:[{900 + number}]")


def container(**changes: Any) -> dict[str, Any]:
    return {
        "Id": ID,
        "Name": "/registry",
        "Args": ["serve", "/etc/config.yml"],
        "Config": {"Labels": {}},
        "HostConfig": {"NetworkMode": "net"},
        "NetworkSettings": {"Ports": {}, "Networks": {"net": {"IPAddress": "127.0.0.1"}}},
        **changes,
    }


def collect(root: Path, *containers: dict[str, Any], driver: str = "bridge") -> dict[str, Any]:
    files = LocalFileSystem(str(root))
    [found] = registry.collect(files, scan(files), containers, [{"Name": "net", "Driver": driver}])
    return found


def test_native_registry(tmp_path: Path) -> None:
    with serving(ANSWER) as port:
        run(tmp_path, port=port, cgroup="/system.slice/docker-registry.service", address="0100007F")
        found = collect(tmp_path)
    assert found.pop("capabilities")
    assert found == {
        **{"id": "docker-registry.service", "name": "docker-registry.service", "kind": "native"},
        **{"config_file": "/etc/config.yml", "address": f":{port}", "exposed": False},
        **{"tls": False, "old_tls": False, "anonymous": False, "authentication": "htpasswd"},
        **{"http_secret": True, "debug_address": ":5001", "debug_exposed": False},
        **{"storage": "s3", "storage_weaknesses": ["skipverify: true trusts any server"]},
        **{"delete_enabled": True, "pull_through_cache": False, "garbage_collected": False, "exposed_files": []},
        **{"user_is_root": True, "no_new_privileges": False, "seccomp": "filter", "root_read_only": True},
        "unreadable": {},
    }
    assert SECRET not in json.dumps(found)
    assert {*found, "capabilities"} == {*scope_schema("registry").fields, "unreadable"}


def test_every_address_is_exposed(tmp_path: Path) -> None:
    with serving(ANSWER) as port:
        run(tmp_path, port=port)
        found = collect(tmp_path)
    assert (found["exposed"], found["debug_exposed"], found["name"]) == (True, True, "registry")


@pytest.mark.parametrize(
    ("host_address", "driver", "labels", "exposed"),
    [
        *[("0.0.0.0", "bridge", {}, True), ("127.0.0.1", "bridge", {}, False), (None, "bridge", {}, False)],
        *[(None, "macvlan", {}, True), (None, "overlay", {"com.docker.swarm.service.id": "x"}, True)],
    ],
)
def test_container_is_exposed_by_what_is_published(
    tmp_path: Path, host_address: str | None, driver: str, labels: dict[str, str], exposed: bool
) -> None:
    with serving(ANSWER) as port:
        run(tmp_path, port=port, cgroup=f"/docker/{ID}", NSpid="800\t1")
        networks = {"net": {"IPAddress": "192.0.2.2" if driver == "macvlan" else "127.0.0.1"}}
        ports = {f"{port}/tcp": [{"HostIp": host_address, "HostPort": str(port)}]} if host_address else {}
        document = container(NetworkSettings={"Ports": ports, "Networks": networks}, Config={"Labels": labels})
        found = collect(tmp_path, document, driver=driver)
    assert (found["kind"], found["name"], found["exposed"]) == ("container", "registry", exposed)
    # the debug listener's port is published nowhere, and an address of a private segment is private
    assert found["debug_exposed"] is (driver == "overlay")


def test_registry_of_another_engine_is_left_out(tmp_path: Path) -> None:
    run(tmp_path, cgroup=f"/docker/{ID}", NSpid="800\t1")
    files = LocalFileSystem(str(tmp_path))
    assert registry.collect(files, scan(files)) == []


def test_environment_goes_before_the_file(tmp_path: Path) -> None:
    variables = {
        **{"REGISTRY_HTTP_ADDR": "127.0.0.1:7000", "REGISTRY_HTTP_SECRET": "''", "REGISTRY_STORAGE": "filesystem"},
        **{"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/x", "REGISTRY_AUTH": "silly", "HOME": "/root"},
        **{"REGISTRY_AUTH_SILLY_REALM": "r", "REGISTRY_STORAGE_DELETE_ENABLED": "false"},
        "REGISTRY_PROXY_REMOTEURL": f"https://u:{SECRET}@hub.example.org",
    }
    run(tmp_path, environment="".join(f"{name}={value}\0" for name, value in variables.items()))
    found = collect(tmp_path)
    shown = ("address", "http_secret", "storage", "authentication", "delete_enabled", "pull_through_cache")
    assert [found[name] for name in shown] == ["127.0.0.1:7000", False, "filesystem", "silly", False, True]
    assert SECRET not in json.dumps(found)


@pytest.mark.parametrize(
    ("path", "mode", "exposed"),
    [
        *[("config.yml", 0o644, True), ("config.yml", 0o640, False), ("htpasswd", 0o604, True)],
        *[("htpasswd", 0o660, True), ("htpasswd", 0o400, False)],
    ],
)
def test_files_with_secrets(tmp_path: Path, path: str, mode: int, exposed: bool) -> None:
    run(tmp_path)
    (tmp_path / "proc/800/root/etc" / path).chmod(mode)
    assert collect(tmp_path)["exposed_files"] == ([f"/etc/{path}"] if exposed else [])


def test_file_of_another_group_may_not_be_read_by_it(tmp_path: Path) -> None:
    run(tmp_path, Gid="4242\t4242")
    (tmp_path / "proc/800/root/etc/config.yml").chmod(0o640)
    assert collect(tmp_path)["exposed_files"] == ["/etc/config.yml"]


def test_configuration_without_secrets_may_be_read(tmp_path: Path) -> None:
    config = "version: 0.1\nstorage: {filesystem: {rootdirectory: /x}}\nhttp: {addr: ':5000'}\n"
    run(tmp_path, config)
    (tmp_path / "proc/800/root/etc/config.yml").chmod(0o644)
    assert collect(tmp_path)["exposed_files"] == []


@pytest.mark.parametrize("config", ["a: |\n  x\n", "- a\n", "storage: [", "http: x\nstorage: {a: {}, b: {}}\n"])
def test_configuration_that_is_not_understood_decides_nothing(tmp_path: Path, config: str) -> None:
    run(tmp_path, config)
    found = collect(tmp_path)
    assert {"storage", "http_secret", "exposed", "tls", "anonymous", "exposed_files"} <= found["unreadable"].keys()


@pytest.mark.parametrize("target", ["{host}/secret.yml", "../../../../secret.yml", "loop"])
def test_link_in_a_container_leads_to_no_file_of_the_host(tmp_path: Path, target: str) -> None:
    run(tmp_path, cgroup=f"/docker/{ID}", NSpid="800\t1")
    write(tmp_path, "/secret.yml", CONFIG)
    written = tmp_path / "proc/800/root/etc/config.yml"
    written.unlink()
    written.symlink_to(target.format(host=tmp_path))
    if target == "loop":
        (written.parent / "loop").symlink_to("loop")
    assert {"storage", "http_secret", "exposed_files"} <= collect(tmp_path, container())["unreadable"].keys()


def test_link_that_takes_the_last_of_the_steps_leads_to_no_file_of_the_host(tmp_path: Path) -> None:
    run(tmp_path, cgroup=f"/docker/{ID}", NSpid="800\t1")
    written = write(tmp_path, "/proc/800/root/etc/config.yml", "")
    written.unlink()
    names = ["config.yml", *(f"step{number}" for number in range(39)), "last"]
    for name, following in zip(names, names[1:]):
        (written.parent / name).symlink_to(following)
    (written.parent / "last").symlink_to(write(tmp_path, "/secret.yml", CONFIG))
    reason = collect(tmp_path, container())["unreadable"]["storage"]
    assert "Too many levels of symbolic links" in reason


def test_link_in_a_container_leads_where_the_container_sees_it(tmp_path: Path) -> None:
    run(tmp_path, cgroup=f"/docker/{ID}", NSpid="800\t1")
    etc = tmp_path / "proc/800/root/etc"
    (etc / "config.yml").rename(etc / "real.yml")
    (etc / "config.yml").symlink_to("/etc/real.yml")
    assert collect(tmp_path, container())["storage"] == "s3"


def test_relative_configuration_is_below_the_working_directory(tmp_path: Path) -> None:
    run(tmp_path)
    write(tmp_path, "/proc/800/cmdline", "/bin/registry\0serve\0config.yml\0")
    (tmp_path / "proc/800/cwd").symlink_to("/etc")
    assert collect(tmp_path)["storage"] == "s3"


def test_pipe_instead_of_a_configuration_does_not_stop_the_audit(tmp_path: Path) -> None:
    run(tmp_path)
    written = tmp_path / "proc/800/root/etc/config.yml"
    written.unlink()
    os.mkfifo(written)
    with in_time():
        assert "regular file" in collect(tmp_path)["unreadable"]["storage"]


def test_volume_of_a_collector_leads_to_no_file_of_the_host(tmp_path: Path, put: Put) -> None:
    documents = contained(tmp_path, put)
    (tmp_path / "srv/etc/config.yml").rename(tmp_path / "srv/outside.yml")
    (tmp_path / "srv/etc/config.yml").symlink_to(tmp_path / "srv/outside.yml")
    timer(put, "/usr/bin/docker start registry-gc")
    assert collect(tmp_path, *documents)["garbage_collected"] is False


def test_port_that_is_none_is_not_knocked_at(tmp_path: Path) -> None:
    run(tmp_path, CONFIG.replace("PORT", "70000"), cgroup=f"/docker/{ID}", NSpid="800\t1")
    assert collect(tmp_path, container())["unreadable"]["tls"] == "the registry's configuration names no port"


def test_of_too_many_registries_only_the_names_are_told(tmp_path: Path) -> None:
    for pid in range(900, 952):
        process(tmp_path, pid, "registry")
        write(tmp_path, f"/proc/{pid}/cmdline", "registry\0serve\0/etc/config.yml\0")
        write(tmp_path, f"/proc/{pid}/environ", "")
    files = LocalFileSystem(str(tmp_path))
    found = registry.collect(files, scan(files))
    assert [item["name"] for item in found] == ["registry"] * 52
    examined = [item["unreadable"]["tls"].startswith("only 50 registries") for item in found]
    assert examined == [False] * 50 + [True] * 2
    assert {*found[-1]} == {*scope_schema("registry").fields, "unreadable"}


@pytest.mark.parametrize(
    ("config", "environment"),
    [
        ('{"a":' * 10_000, ""),
        ("".join(f"{' ' * depth}a:\n" for depth in range(1200)), ""),
        (CONFIG, "REGISTRY" + "_A" * 20_000 + "=x\0"),
        ("a: " + " " * 500_000 + "b", ""),
    ],
)
def test_configuration_that_nobody_has_stops_no_audit(tmp_path: Path, config: str, environment: str) -> None:
    run(tmp_path, config, environment, cgroup=f"/docker/{ID}", NSpid="800\t1")
    with in_time(2):
        assert {"storage", "exposed", "exposed_files"} <= collect(tmp_path, container())["unreadable"].keys()


def test_table_of_a_user_costs_little_time(tmp_path: Path, put: Put) -> None:
    native(tmp_path, put)
    put("/var/spool/cron/crontabs/mallory", "\n" * 200_000 + "* * * * * true")
    with in_time(2):
        assert collect(tmp_path)["garbage_collected"] is False


def test_many_commands_that_look_as_if_they_collected_garbage(tmp_path: Path, put: Put) -> None:
    native(tmp_path, put)
    lines = [f"* * * * * registry garbage-collect /etc/{number}.yml\n" for number in range(101)]
    put("/var/spool/cron/crontabs/mallory", "".join(lines[:100] * 2))
    assert collect(tmp_path)["garbage_collected"] is False
    put("/var/spool/cron/crontabs/mallory", "".join(lines))
    assert "more than 100" in collect(tmp_path)["unreadable"]["garbage_collected"]


IMAGES = (
    "version: 0.1\nstorage: {filesystem: {rootdirectory: /images}, delete: {enabled: true}}\nhttp: {addr: ':5000'}\n"
)
Documents = list[dict[str, Any]]


def timer(put: Put, command: str, unit: str = "", service: str = "") -> None:
    put("/etc/systemd/system/timers.target.wants/gc.timer", f"[Timer]\nOnCalendar=daily\n{unit}")
    put(
        f"/etc/systemd/system/{'other' if unit else 'gc'}.service",
        f"[Service]\n{service}# {command}x\nExecStart={command}\n",
    )


def native(root: Path, put: Put) -> None:
    """Start a registry of the host, beside another registry's configuration, and a second one for the same images."""
    run(root, IMAGES)
    (root / "proc/800/root/images").mkdir()
    (root / "other-images").mkdir()
    (root / "images").symlink_to(root / "proc/800/root/images")
    (root / "var/lib").mkdir(parents=True)
    (root / "var/lib/registry").symlink_to(
        root / "images"
    )  # where a driver without that parameter may not be looked for
    put("/etc/c.yml", IMAGES)
    put("/etc/twin.yml", IMAGES + "log: {level: debug}\n")
    put("/etc/other.yml", IMAGES.replace("/images", "/other-images"))
    put("/etc/s3.yml", CONFIG)


@pytest.mark.parametrize(
    ("command", "collected"),
    [
        ("/usr/bin/docker-registry garbage-collect /etc/c.yml", True),
        ("-/usr/bin/flock /srv/docker /usr/bin/docker-registry garbage-collect -m /etc/twin.yml", True),
        ("registry garbage-collect /etc/other.yml", False),
        ("registry garbage-collect /etc/s3.yml", False),
        ("registry garbage-collect /etc/nothing.yml", False),
        ("registry garbage-collect --dry-run /etc/c.yml", False),
        ("/usr/bin/docker exec registry /bin/registry garbage-collect /etc/c.yml", False),
        ("/usr/bin/docker run -v /images:/images registry:2 garbage-collect /etc/c.yml", False),
    ],
)
def test_timer_collects_the_garbage_of_a_registry_of_the_host(
    tmp_path: Path, put: Put, command: str, collected: bool
) -> None:
    native(tmp_path, put)
    timer(put, command)
    assert collect(tmp_path)["garbage_collected"] is collected


@pytest.mark.parametrize(
    ("arrange", "collected"),
    [
        (lambda put: timer(put, "registry garbage-collect c.yml", service="WorkingDirectory=/etc\n"), True),
        (lambda put: timer(put, "registry garbage-collect c.yml"), False),
        (lambda put: timer(put, "registry garbage-collect /etc/c.yml", unit="Unit=other.service\n"), True),
        (lambda put: timer(put, "registry \\\n  garbage-collect \\\n  /etc/c.yml"), True),
        (lambda put: put("/etc/systemd/system/gc.service", "ExecStart=registry garbage-collect /etc/c.yml"), False),
        (lambda put: put("/etc/cron.d/gc", "0 3 * * 0 root registry garbage-collect /etc/c.yml >/dev/null 2>&1"), True),
        (lambda put: put("/etc/cron.d/gc", "#0 3 * * 0 root registry garbage-collect /etc/c.yml"), False),
        (
            lambda put: put("/etc/cron.weekly/gc", "#!/bin/sh\ntrue && exec registry garbage-collect '/etc/c.yml'\n"),
            True,
        ),
        (lambda put: put("/etc/crontab", "0 3 * * 0 root sh -c 'registry garbage-collect /etc/other.yml'"), False),
        (lambda put: None, False),
    ],
)
def test_what_runs_at_set_times(tmp_path: Path, put: Put, arrange: Callable[[Put], Any], collected: bool) -> None:
    native(tmp_path, put)
    arrange(put)
    assert collect(tmp_path)["garbage_collected"] is collected


def test_other_storage_is_told_by_its_options(tmp_path: Path, put: Put) -> None:
    run(tmp_path)
    put("/etc/same.yml", CONFIG.replace(SECRET, "another-key"))
    put("/etc/other.yml", CONFIG.replace("bucket: images", "bucket: others"))
    timer(put, "registry garbage-collect /etc/other.yml")
    assert collect(tmp_path)["garbage_collected"] is False
    timer(put, "registry garbage-collect /etc/same.yml")
    assert collect(tmp_path)["garbage_collected"] is True


def test_configuration_that_the_timer_names_and_nobody_understands(tmp_path: Path, put: Put) -> None:
    native(tmp_path, put)
    put("/etc/c.yml", "- a\n")
    timer(put, "registry garbage-collect /etc/c.yml")
    found = collect(tmp_path)
    assert found["garbage_collected"] is None
    assert found["unreadable"]["garbage_collected"] == "/etc/c.yml is no configuration of a registry"


def contained(root: Path, put: Put) -> Documents:
    """Start a registry in a container that Compose made; return it and containers that collect garbage."""
    run(root, IMAGES, cgroup=f"/docker/{ID}", NSpid="800\t1")
    for name in ("proc/800/root/images", "srv/reg2", "srv/etc", "srv/etc2"):
        (root / name).mkdir(parents=True)
    (root / "srv/reg").symlink_to(root / "proc/800/root/images")
    put("/srv/etc/config.yml", IMAGES)
    put("/srv/etc2/config.yml", IMAGES)
    labels = {"service": "store", "project": "hub", "project.working_dir": "/opt/hub"}

    def made(name: str, images: str = "", etc: str = "", **changes: Any) -> dict[str, Any]:
        mounts = [(images, "/images"), (etc, "/etc/distribution")]
        told = {
            **{"Id": name[0] * 64, "Name": f"/{name}", "Image": "sha256:1", "Args": ["garbage-collect", "config.yml"]},
            "Config": {"Labels": {}, "Env": [], "WorkingDir": "/etc/distribution"},
            "Mounts": [{"Source": source, "Destination": target} for source, target in mounts if source],
        }
        return {**told, **changes}

    registry_container = container(
        Image="sha256:1",
        Config={"Labels": {f"com.docker.compose.{key}": value for key, value in labels.items()}, "Env": []},
        Mounts=[{"Name": "reg", "Source": "/srv/reg", "Destination": "/images"}],
    )
    other = {"Labels": {}, "Env": ["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=/elsewhere"], "WorkingDir": "/"}
    built_in = {"Labels": {}, "Env": [], "WorkingDir": "/etc"}
    return [
        registry_container,
        made("registry-gc", "/srv/reg", "/srv/etc"),
        made("gc-of-other", "/srv/reg2", "/srv/etc2"),
        made(
            "gc-elsewhere",
            "/srv/reg",
            "/srv/etc",
            Config=other,
            Args=["garbage-collect", "/etc/distribution/config.yml"],
        ),
        made("gc-dry", "/srv/reg", "/srv/etc", Args=["garbage-collect", "-d", "config.yml"]),
        made("image-gc", "/srv/reg", Config=built_in),
        made("other-image-gc", "/srv/reg", Config=built_in, Image="sha256:2"),
        made("no-volume-gc", etc="/srv/etc"),
    ]


@pytest.mark.parametrize(
    ("command", "collected"),
    [
        *[("start --attach registry-gc", True), (f"start {'r' * 12}", True), ("start registry-gc-other", False)],
        *[("start gc-of-other", False), ("start gc-elsewhere", False), ("start gc-dry", False)],
        *[("start image-gc", True), ("start other-image-gc", False), ("start no-volume-gc", False)],
        ("exec registry /bin/registry garbage-collect /etc/config.yml", True),
        (f"exec -i {ID[:12]} registry garbage-collect --delete-untagged=true /etc/config.yml", True),
        ("exec $(docker ps -qf name=registry) registry garbage-collect /etc/config.yml", True),
        ("exec other registry garbage-collect /etc/config.yml", False),
        ("exec registry registry garbage-collect /etc/nothing.yml", False),
        ("run --rm --volumes-from registry registry:2 garbage-collect /etc/config.yml", True),
        ("run --rm --volumes-from=registry registry:2 garbage-collect /etc/config.yml", True),
        ("run --rm --volumes-from other registry:2 garbage-collect /etc/config.yml", False),
        ("run --rm -v /srv/reg:/images:rw registry:2 garbage-collect /etc/config.yml", True),
        ("run --rm --mount type=volume,src=reg,dst=/x registry:2 garbage-collect /etc/config.yml", True),
        ("run --rm -v /srv/reg2:/images registry:2 registry garbage-collect /etc/config.yml", False),
        ("compose -p hub exec store registry garbage-collect /etc/config.yml", True),
        ("compose -p hub exec other registry garbage-collect /etc/config.yml", False),
        ("compose -p other exec store registry garbage-collect /etc/config.yml", False),
        ("compose --project-directory=/opt/hub run --rm store garbage-collect /etc/config.yml", True),
    ],
)
def test_timer_collects_the_garbage_of_a_container(tmp_path: Path, put: Put, command: str, collected: bool) -> None:
    timer(put, f"/usr/bin/docker {command}")
    assert collect(tmp_path, *contained(tmp_path, put))["garbage_collected"] is collected


def test_a_registry_of_the_host_is_not_collected_by_the_container_of_another(tmp_path: Path, put: Put) -> None:
    _registry, *others = contained(tmp_path, put)
    run_as_native = tmp_path / "proc/800"
    (run_as_native / "cgroup").write_text("0::/system.slice/registry.service\n", encoding="utf-8")
    status = (run_as_native / "status").read_text(encoding="utf-8").replace("800\t1", "800")
    (run_as_native / "status").write_text(status, encoding="utf-8")
    timer(put, "/usr/bin/docker start gc-of-other")
    assert collect(tmp_path, *others)["garbage_collected"] is False
