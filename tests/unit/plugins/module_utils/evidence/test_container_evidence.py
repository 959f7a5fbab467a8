# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import copy
import errno
from pathlib import Path
from typing import Any, Iterable, Mapping, NoReturn

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.evidence import container
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.confinement import DANGEROUS_CAPABILITIES
from ansible_collections.breakwater.docker.plugins.module_utils.evidence.engine import EngineDocuments
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.processes import scan
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import recorded
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import process, write

DAEMON = {
    "no_new_privileges": True,
    "seccomp_profile": "builtin",
    "seccomp_dangerous_calls": [],
    "security_options": ["seccomp"],
    "data_root": "/var/lib/docker",
    "default_ulimits": [],
}
ALL_CAPABILITIES = "000001ffffffffff"


def inspected(name: str, engine: str = "26.1-rootful") -> dict[str, Any]:
    """Return the recorded inspection of a container by its name."""
    documents = recorded(engine)
    return next(doc for path, doc in documents.items() if path.startswith("/containers/") and _named(doc, name))


def _named(doc: Any, name: str) -> bool:
    return isinstance(doc, dict) and doc.get("Name") == f"/{name}"


def collect(
    root: Path,
    *containers: dict[str, Any],
    info: Mapping[str, Any] | None = None,
    volumes: Iterable[dict[str, Any]] = (),
    networks: Iterable[dict[str, Any]] | None = None,
    **daemon: Any,
) -> list[dict[str, Any]]:
    recording = recorded("26.1-rootful")
    documents = EngineDocuments(
        version=recording["/version"],
        info={**recording["/info"], **(info or {})},
        containers=list(containers),
        images=recording["/images/json"],
        networks=list(recording["/networks"] if networks is None else networks),
        volumes=[*recording["/volumes"]["Volumes"], *volumes],
    )
    files = LocalFileSystem(str(root))
    return container.collect(documents, files, scan(files), {**DAEMON, **daemon}, ["/var/run/docker.sock"])


def evidence(
    root: Path, changes: dict[str, Any] | None = None, name: str = "hardened", **daemon: Any
) -> dict[str, Any]:
    """Return the evidence of a recorded container with changes at dotted paths."""
    doc = copy.deepcopy(inspected(name))
    for path, value in (changes or {}).items():
        *parents, last = path.split(".")
        place = doc
        for key in parents:
            place = place[key]
        place[last] = value
    if doc["State"]["Running"] and not (root / "proc/2002").exists():
        run(root, doc)
    return collect(root, doc, **daemon)[0]


def run(root: Path, doc: dict[str, Any], command: str = "sleep", **status: str) -> None:
    """Give the container a process that the kernel confines as it is configured."""
    defaults = {"CapBnd": "0", "NoNewPrivs": "1", "Uid": "1000\t1000\t1000\t1000"}
    process(root, doc["State"]["Pid"], command, cgroup=f"/docker/{doc['Id']}", **{**defaults, **status})


def test_hardened_container(tmp_path: Path) -> None:
    found = evidence(tmp_path)
    assert found["unreadable"] == {}
    expected = {
        "name": "hardened",
        "running": True,
        "image_current": True,
        "user_is_root": False,
        "cap_drop": ["ALL"],
        "dangerous_capabilities": [],
        "no_new_privileges": True,
        "seccomp_profile": "builtin",
        "read_only": True,
        "memory": 33554432,
        "cpu_limited": True,
        "pids_limit": 20,
        "restart_policy": "on-failure",
        "restart_retries": 5,
        "health_check": True,
        "log_bounded": True,
        "secret_variables": [],
        "published_ports": [
            {"container_port": "80/tcp", "host_address": "127.0.0.1", "host_port": 8098, "all_addresses": False}
        ],
        "kernel_seccomp": "filter",
        "kernel_no_new_privileges": True,
        "kernel_capabilities": [],
        "kernel_uid": 1000,
        "kernel_label": None,
        "kernel_deviations": [],
    }
    assert {name: found[name] for name in expected} == expected


def test_risky_container(tmp_path: Path) -> None:
    doc = inspected("risky")
    status = {"CapBnd": ALL_CAPABILITIES, "NoNewPrivs": "0", "Seccomp": "0", "Uid": "0\t0\t0\t0"}
    run(tmp_path, doc, "sshd", **status)
    [found] = collect(tmp_path, doc, no_new_privileges=False)
    assert found["unreadable"] == {}
    expected = {
        "privileged": True,
        "seccomp_profile": "unconfined",
        "apparmor_profile": "unconfined",
        "selinux_disabled": True,
        "system_paths_unmasked": True,
        "network_mode": "host",
        "pid_mode": "host",
        "socket_mounts": ["/", "/var/run/docker.sock"],
        "sensitive_mounts": ["/", "/etc"],
        "devices": ["/dev/null"],
        "ulimits": ["nofile=100:200"],
        "restart_policy": "always",
        "secret_variables": ["DB_PASSWORD"],
        "ssh_servers": ["sshd"],
        "kernel_seccomp": "disabled",
        "kernel_deviations": [],
    }
    assert {name: found[name] for name in expected} == expected
    assert "SYS_ADMIN" in found["dangerous_capabilities"]
    assert "hunter2" not in str(found)


def test_joined_namespaces_are_those_of_the_host_where_their_owner_has_these(tmp_path: Path) -> None:
    doc = inspected("stopped")
    modes = {f"{kind}Mode": f"container:{inspected('risky')['Id']}" for kind in ("Network", "Pid", "Ipc")}
    doc = {**doc, "HostConfig": {**doc["HostConfig"], **modes}, "NetworkSettings": {"Networks": {}, "Ports": {}}}
    found = collect(tmp_path, doc, inspected("risky"))[0]
    assert found["unreadable"] == {}
    fields = ("network_mode", "pid_mode", "networks", "joined_namespaces")
    joined = ["network of risky", "pid of risky", "ipc of risky"]
    assert [found[field] for field in fields] == ["host", "host", ["host"], joined]


@pytest.mark.parametrize(
    ("added", "dropped", "dangerous"),
    [
        (["NET_ADMIN"], ["ALL"], ["NET_ADMIN"]),
        (["NET_ADMIN"], ["NET_ADMIN"], ["NET_ADMIN"]),
        (["all"], ["ALL"], sorted(DANGEROUS_CAPABILITIES)),  # of which the engine takes nothing back
        (["ALL"], [], sorted(DANGEROUS_CAPABILITIES)),
        (["ALL", "BPF"], ["CAP_BPF"], sorted(DANGEROUS_CAPABILITIES - {"BPF"})),
        ([], ["ALL"], []),
    ],
)
def test_dangerous_capabilities_as_the_engine_counts(
    tmp_path: Path, added: list[str], dropped: list[str], dangerous: list[str]
) -> None:
    changes = {"HostConfig.CapAdd": added, "HostConfig.CapDrop": dropped, "State.Running": False}
    assert evidence(tmp_path, changes)["dangerous_capabilities"] == dangerous


def test_stopped_container_has_no_kernel_view(tmp_path: Path) -> None:
    [found] = collect(tmp_path, inspected("stopped"))
    assert found["unreadable"] == {}
    assert found["cap_add"] == ["NET_RAW", "SYS_ADMIN"]
    assert found["no_new_privileges"] is False
    assert found["system_paths_unmasked"] is True
    assert found["published_ports"][0]["all_addresses"] is True
    assert (found["kernel_seccomp"], found["ssh_servers"], found["kernel_deviations"]) == (None, [], [])


def test_container_between_two_starts_is_judged_as_a_stopped_one(tmp_path: Path) -> None:
    # what the engine says of one with `--restart always` that fails at once
    waiting = {"Status": "restarting", "Running": True, "Restarting": True, "Pid": 0}
    bindings = {"80/tcp": [{"HostIp": "", "HostPort": "81"}]}
    doc = inspected("hardened")
    doc["State"].update(waiting)
    doc["NetworkSettings"]["Ports"] = {}
    doc["HostConfig"]["PortBindings"] = bindings
    [found] = collect(tmp_path, doc)
    assert found["unreadable"] == {}
    assert [(port["host_port"], port["all_addresses"]) for port in found["published_ports"]] == [(81, True)]
    assert (found["state"], found["running"], found["kernel_uid"]) == ("restarting", False, None)
    assert (found["ssh_servers"], found["kernel_deviations"]) == ([], [])


@pytest.mark.parametrize(
    ("options", "default", "expected"),
    [
        (["no-new-privileges"], False, True),
        (["no-new-privileges=true"], False, True),
        (["no-new-privileges:true"], False, True),
        (["no-new-privileges=false"], True, False),
        (["no-new-privileges:false"], True, False),
        (["no-new-privileges=true", "no-new-privileges=false"], True, False),
        (["label=type:no-new-privileges"], False, False),
        (None, True, True),
        ([], False, False),
    ],
)
def test_no_new_privileges(tmp_path: Path, options: list[str] | None, default: bool, expected: bool) -> None:
    stopped = {"HostConfig.SecurityOpt": options, "State.Running": False}
    assert evidence(tmp_path, stopped, no_new_privileges=default)["no_new_privileges"] is expected


@pytest.mark.parametrize("default", [False, True])
def test_an_unseen_process_is_never_believed_to_have_the_daemons_default(tmp_path: Path, default: bool) -> None:
    doc = copy.deepcopy(inspected("hardened"))
    doc["HostConfig"]["SecurityOpt"] = None
    [found] = collect(tmp_path, doc, no_new_privileges=default)
    assert found["no_new_privileges"] is (None if default else False)
    assert ("no_new_privileges" in found["unreadable"]) is default


@pytest.mark.parametrize("kernel", [False, True])
def test_a_running_container_has_the_default_that_it_was_started_by(tmp_path: Path, kernel: bool) -> None:
    doc = copy.deepcopy(inspected("hardened"))
    doc["HostConfig"]["SecurityOpt"] = None
    run(tmp_path, doc, NoNewPrivs=str(int(kernel)))
    [found] = collect(tmp_path, doc, no_new_privileges=not kernel)
    assert found["no_new_privileges"] is kernel
    assert "no_new_privileges" not in found["kernel_deviations"]


@pytest.mark.parametrize(
    ("options", "privileged", "default", "expected"),
    [
        ([], False, "builtin", "builtin"),
        ([], False, "unconfined", "unconfined"),
        ([], False, "/etc/docker/seccomp.json", "custom"),
        ([], True, "builtin", "unconfined"),
        (["seccomp=unconfined"], False, "builtin", "unconfined"),
        (["seccomp:unconfined"], False, "builtin", "unconfined"),
        (['seccomp={"defaultAction":"SCMP_ACT_ERRNO"}'], True, "builtin", "custom"),
    ],
)
def test_seccomp_profile(tmp_path: Path, options: list[str], privileged: bool, default: str, expected: str) -> None:
    changes = {"HostConfig.SecurityOpt": options, "HostConfig.Privileged": privileged}
    assert evidence(tmp_path, changes, seccomp_profile=default)["seccomp_profile"] == expected


@pytest.mark.parametrize(
    ("options", "privileged", "expected"),
    [
        ([], False, ["bpf"]),  # the daemon's
        ([], True, "unconfined"),
        (["seccomp=builtin"], False, []),
        (["seccomp=unconfined"], False, "unconfined"),
        (['seccomp={"defaultAction":"SCMP_ACT_ERRNO"}'], True, []),
    ],
)
def test_seccomp_dangerous_calls(tmp_path: Path, options: list[str], privileged: bool, expected: Any) -> None:
    changes = {"HostConfig.SecurityOpt": options, "HostConfig.Privileged": privileged}
    found = evidence(tmp_path, changes, seccomp_dangerous_calls=["bpf"])["seccomp_dangerous_calls"]
    assert {"clone", "keyctl"} <= set(found) if expected == "unconfined" else found == expected


def test_unknown_daemon_defaults_are_unreadable(tmp_path: Path) -> None:
    stopped = {"HostConfig.SecurityOpt": None, "State.Running": False}
    found = evidence(tmp_path, stopped, no_new_privileges=None, seccomp_profile=None, seccomp_dangerous_calls=None)
    assert {"no_new_privileges", "seccomp_profile", "seccomp_dangerous_calls"} <= found["unreadable"].keys()


@pytest.mark.parametrize(
    ("path", "value", "field", "expected"),
    [
        ("HostConfig.PidsLimit", None, "pids_limit", 0),
        ("HostConfig.PidsLimit", -1, "pids_limit", -1),
        ("HostConfig.Memory", 0, "memory", 0),
        ("HostConfig.RestartPolicy", {"Name": "", "MaximumRetryCount": 0}, "restart_policy", "no"),
        ("HostConfig.CapAdd", ["cap_sys_admin", "Net_Raw"], "cap_add", ["NET_RAW", "SYS_ADMIN"]),
        ("HostConfig.OomKillDisable", None, "oom_kill_disabled", False),
        ("HostConfig.OomKillDisable", True, "oom_kill_disabled", True),
        ("HostConfig.OomScoreAdj", -1000, "oom_kill_disabled", True),
        ("HostConfig.OomScoreAdj", -999, "oom_kill_disabled", False),
        ("Config.User", "", "user_is_root", True),
        ("Config.User", "0:1000", "user_is_root", True),
        ("Config.User", "root:root", "user_is_root", True),
        ("Config.User", "1000:0", "user_is_root", False),
        ("Config.User", "rooty", "user_is_root", False),
        ("Config.User", "00", "user_is_root", True),
        ("Config.User", "+0", "user_is_root", True),
        ("Config.Healthcheck", None, "health_check", False),
        ("Config.Healthcheck", {"Test": ["NONE"]}, "health_check", False),
        ("Config.Healthcheck", {"Test": []}, "health_check", False),
        ("Config.Image", "busybox", "image_current", None),
        ("Config.Image", "host:5000/busybox", "image_current", None),
        ("Config.Image", "docker.io/library/busybox:local", "image_current", True),
        ("Config.Image", "index.docker.io/busybox:local", "image_current", True),
        ("Config.Image", "busybox:local@sha256:" + "0" * 64, "image_current", None),
        ("Config.Image", "sha256:" + "0" * 64, "image_current", None),
        ("Image", "sha256:older", "image_current", False),
        ("HostConfig.LogConfig", {"Type": "json-file", "Config": {}}, "log_bounded", False),
        ("HostConfig.LogConfig", {"Type": "json-file", "Config": {"max-size": "-1"}}, "log_bounded", False),
        ("HostConfig.LogConfig", {"Type": "local", "Config": {}}, "log_bounded", True),
        ("HostConfig.DeviceCgroupRules", ["b 8:* rwm"], "devices", ["b 8:* rwm"]),
        (
            "HostConfig.DeviceRequests",
            [{"Driver": "", "Count": -1, "DeviceIDs": None}],
            "devices",
            ["any driver: -1 devices"],
        ),
        (
            "HostConfig.DeviceRequests",
            [{"Driver": "cdi", "DeviceIDs": ["v.com/net=a"]}],
            "devices",
            ["cdi: v.com/net=a"],
        ),
        ("HostConfig.MaskedPaths", [], "system_paths_unmasked", True),
        ("HostConfig.MaskedPaths", ["/proc/acpi"], "system_paths_unmasked", True),
        ("HostConfig.ReadonlyPaths", ["/proc/bus"], "system_paths_unmasked", True),
        ("HostConfig.Privileged", False, "system_paths_unmasked", False),
        ("HostConfig.NanoCpus", 0, "cpu_limited", False),
        ("Config.Env", ["API_TOKEN=x", "A=b"], "secret_variables", ["API_TOKEN"]),
    ],
)
def test_values_as_the_engine_means_them(tmp_path: Path, path: str, value: Any, field: str, expected: Any) -> None:
    assert evidence(tmp_path, {path: value})[field] == expected


@pytest.mark.parametrize(
    ("bindings", "expected"),
    [
        ([{"HostIp": "", "HostPort": "80"}], [("", 80, True)]),
        ([{"HostIp": "0.0.0.0", "HostPort": "8080"}], [("0.0.0.0", 8080, True)]),
        ([{"HostIp": "::", "HostPort": "8080"}], [("::", 8080, True)]),
        ([{"HostIp": "::1", "HostPort": ""}], [("::1", 0, False)]),
        ([{"HostIp": "10.0.0.5", "HostPort": "1000-1010"}], [("10.0.0.5", 1000, False)]),
        (None, []),
    ],
)
def test_published_ports(tmp_path: Path, bindings: Any, expected: list[tuple[str, int, bool]]) -> None:
    found = evidence(tmp_path, {"NetworkSettings.Ports": {"80/tcp": bindings}})
    assert [(p["host_address"], p["host_port"], p["all_addresses"]) for p in found["published_ports"]] == expected


@pytest.mark.parametrize(
    ("address", "everywhere"),
    [("::0", True), ("0:0:0:0:0:0:0:0", True), ("::1", False), ("10.0.0.5", False), ("garbage", False)],
)
def test_all_addresses_have_many_names(tmp_path: Path, address: str, everywhere: bool) -> None:
    doc = inspected("stopped")
    doc["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostIp": address, "HostPort": "8080"}]}
    [port] = collect(tmp_path, doc)[0]["published_ports"]
    assert port["all_addresses"] is everywhere


@pytest.mark.parametrize(("publish_all", "expected"), [(True, ["80/tcp", "90/tcp"]), (False, ["80/tcp"])])
def test_ports_that_a_stopped_container_will_publish(tmp_path: Path, publish_all: bool, expected: list[str]) -> None:
    doc = inspected("stopped")
    doc["HostConfig"]["PortBindings"] = {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}]}
    doc["HostConfig"]["PublishAllPorts"] = publish_all
    doc["Config"]["ExposedPorts"] = {"80/tcp": {}, "90/tcp": {}}
    ports = collect(tmp_path, doc)[0]["published_ports"]
    assert [port["container_port"] for port in ports] == expected
    assert [port["host_port"] for port in ports if port["all_addresses"]] == [0] * publish_all


@pytest.mark.parametrize(
    ("mode", "address", "everywhere"),
    [
        ("default", "127.0.0.1", False),
        ("bridge", "127.0.0.1", False),
        ("net", "", True),
        ("gone", "", True),
    ],
)
def test_port_without_an_address_gets_its_networks(tmp_path: Path, mode: str, address: str, everywhere: bool) -> None:
    doc = inspected("stopped")
    doc["HostConfig"].update(NetworkMode=mode, PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "8080"}]})
    networks = recorded("26.1-rootful")["/networks"]
    for network in networks:
        if network["Name"] == "bridge":
            network["Options"]["com.docker.network.bridge.host_binding_ipv4"] = "127.0.0.1"
    [port] = collect(tmp_path, doc, networks=networks)[0]["published_ports"]
    assert (port["host_address"], port["all_addresses"]) == (address, everywhere)


@pytest.mark.parametrize("mode", ["host", "none"])
def test_ports_that_the_engine_will_discard_are_not_published(tmp_path: Path, mode: str) -> None:
    doc = inspected("stopped")
    doc["HostConfig"].update(NetworkMode=mode, PortBindings={"80/tcp": [{"HostIp": "", "HostPort": "80"}]})
    doc["HostConfig"]["PublishAllPorts"] = True
    assert collect(tmp_path, doc)[0]["published_ports"] == []


@pytest.mark.parametrize(
    ("source", "writable", "socket", "sensitive"),
    [
        ("/var/run/docker.sock", False, True, False),
        ("/run/docker.sock", True, True, False),
        ("/run/containerd/containerd.sock", True, True, True),
        ("/run/containerd", True, True, True),
        ("/run/containerd/s", False, False, True),
        ("/run/docker/plugins", True, False, True),
        ("/run/user/1000/docker.sock", True, True, False),
        ("/run/user/1000/podman", True, True, False),
        ("/run/user/1000", True, True, False),
        ("/run/user", True, True, False),
        ("/run/user/1000/pulse", True, False, False),
        ("/run/dbus/system_bus_socket", False, False, True),
        ("/run/systemd/private", False, False, True),
        ("/run", True, True, True),
        ("/var/run", True, True, True),
        ("/var", True, True, True),
        ("/", False, True, True),
        ("/etc", True, False, True),
        ("/etc/shadow", False, False, True),
        ("/etc/localtime", False, False, False),
        ("/etc/localtime", True, False, True),
        ("/usr/share/zoneinfo", False, False, False),
        ("/etc/ssl/certs/../../shadow", False, False, True),
        ("/etc/ssl/certs/link", False, False, True),
        ("/etc/ssl/certs/linked.pem", False, False, False),
        ("/proc", False, False, True),
        ("/root/.ssh", False, False, True),
        ("/var/lib/docker/volumes", True, False, True),
        ("/srv/link", True, False, True),
        ("/srv/data", True, False, False),
        ("/etcetera", True, False, False),
        ("/home/deploy/app", True, False, False),
    ],
)
def test_host_paths_by_what_they_are(
    tmp_path: Path, source: str, writable: bool, socket: bool, sensitive: bool
) -> None:
    write(tmp_path, "/run/docker.sock", "")
    (tmp_path / "var").mkdir()
    (tmp_path / "var/run").symlink_to("/run")
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/link").symlink_to("/etc")
    (tmp_path / "etc/ssl/certs").mkdir(parents=True)
    (tmp_path / "etc/ssl/certs/link").symlink_to("/etc/ssl/private")
    (tmp_path / "etc/ssl/certs/linked.pem").symlink_to("/usr/share/ca-certificates/linked.crt")
    mount = {"Type": "bind", "Source": source, "Destination": "/x", "RW": writable, "Propagation": "rprivate"}
    found = evidence(tmp_path, {"Mounts": [mount]})
    assert (found["socket_mounts"] != [], found["sensitive_mounts"] != []) == (socket, sensitive)


@pytest.mark.parametrize(
    ("data_root", "source", "sensitive"),
    [
        ("/srv/docker", "/srv/docker/volumes", True),
        ("/srv/docker", "/srv", True),  # with every other container's files in it
        ("/srv/docker/100000.100000", "/srv/docker", True),
        ("/srv/docker", "/srv/dock", False),
        ("/srv/docker", "/srv/data", False),
        ("/link/docker", "/srv/docker/overlay2", True),
        ("/link/docker", "/srv", True),
    ],
)
def test_the_engines_data_wherever_it_is(tmp_path: Path, data_root: str, source: str, sensitive: bool) -> None:
    (tmp_path / "link").symlink_to("/srv")
    mount = {"Type": "bind", "Source": source, "Destination": "/x", "RW": True, "Propagation": "rprivate"}
    found = evidence(tmp_path, {"Mounts": [mount]}, data_root=data_root)
    assert found["sensitive_mounts"] == [source] * sensitive


def test_host_path_that_may_not_be_followed_is_not_taken_for_harmless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_files: LocalFileSystem, path: str) -> NoReturn:
        kind = PermissionError if path.startswith("/srv/closed/") else FileNotFoundError
        raise kind(errno.EACCES, "Permission denied", path)

    for question in ("readlink", "lstat"):
        monkeypatch.setattr(LocalFileSystem, question, refuse)
    for source, sensitive in (("/srv/closed/link", None), ("/srv/open", []), ("/etc", ["/etc"])):
        mount = {"Type": "bind", "Source": source, "Destination": "/x", "RW": True, "Propagation": "rprivate"}
        found = evidence(tmp_path, {"Mounts": [mount]})
        assert found["sensitive_mounts"] == sensitive
        assert ("socket_mounts" in found["unreadable"]) == (sensitive is None)


def test_volumes_of_containers(tmp_path: Path) -> None:
    doc = inspected("stopped")
    data = {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data", "Propagation": ""}
    first = {**doc, "Id": "1" * 64, "Mounts": [{**data, "Destination": "/d", "RW": True}]}
    second = {**doc, "Id": "2" * 64, "Mounts": [{**data, "Destination": "/d", "RW": False}]}
    writer, reader = collect(tmp_path, first, second)
    assert (writer["shared_volumes"], reader["shared_volumes"]) == ([], ["data"])
    assert "does not tell where the volume data is" in writer["unreadable"]["sensitive_mounts"]
    [disguised] = collect(tmp_path, doc)
    assert disguised["sensitive_mounts"] == ["/etc"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (None, []),
        ({"type": "none", "o": "bind", "device": "/etc"}, ["/etc"]),
        ({"type": "none", "o": "rbind,ro", "device": "etc"}, ["/etc"]),
        ({"type": "ext4", "device": "/dev/sda1"}, ["/dev/sda1"]),
        ({"type": "ext4", "device": "//dev/sda1"}, ["//dev/sda1"]),
        ({"type": "ext4", "device": "/srv/disk"}, ["/srv/disk"]),  # a link to /dev/sda1
        ({"type": "overlay", "device": "overlay", "o": "lowerdir=/etc"}, ["/etc"]),
        ({"type": "overlay", "o": "ro,lowerdir=/srv/a:/root:usr,x=/boot"}, ["/root", "/usr"]),
        ({"type": "overlay", "o": "lowerdir=/srv/a,upperdir=/boot,workdir=/usr"}, ["/boot", "/usr"]),
        ({"type": "overlay", "o": "lowerdir=/srv/a,upperdir=/srv/b,workdir=/srv/c"}, []),
        ({"type": "proc", "device": "x"}, ["/proc"]),
        ({"type": "devtmpfs", "device": "/srv/x"}, ["/dev"]),
        ({"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}, []),
        ({"type": "nfs", "device": ":/etc", "o": "addr=10.0.0.9"}, []),
        ({"type": "cifs", "device": "//files/etc", "o": "username=x"}, []),
        ({"type": "none", "o": "bind", "device": "/srv/data"}, []),
    ],
)
def test_volumes_that_are_the_hosts_files(tmp_path: Path, options: Any, expected: list[str]) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/disk").symlink_to("/dev/sda1")
    doc = inspected("stopped")
    doc["Mounts"][0] = {**doc["Mounts"][0], "Type": "volume", "Name": "d", "Source": "/var/lib/docker/volumes/d/_data"}
    doc["Mounts"][1:] = []
    [found] = collect(tmp_path, doc, volumes=[{"Name": "d", "Driver": "local", "Options": options}])
    assert found["unreadable"] == {}
    assert (found["sensitive_mounts"], found["socket_mounts"]) == (expected, [])


@pytest.mark.parametrize(
    ("driver", "place", "expected"),
    [
        ("local", "/etc/volumes/d/_data", []),  # the engine's own directory
        ("local-persist", "/etc", ["/etc"]),
        ("local-persist", "/srv/data", []),
        ("netshare", "/var/lib/docker-volumes/netshare/nfs/d", []),
        ("vieux/sshfs:latest", f"/var/lib/docker/plugins/{'1a' * 32}/propagated-mount/d", []),
        ("rexray", "", []),
    ],
)
def test_volumes_of_other_drivers_by_where_they_are(
    tmp_path: Path, driver: str, place: str, expected: list[str]
) -> None:
    doc = inspected("stopped")
    doc["Mounts"] = [{**doc["Mounts"][0], "Type": "volume", "Name": "d", "Source": place}]
    volume = {"Name": "d", "Driver": driver, "Options": {"share": "nas:/etc"}, "Mountpoint": place}
    [found] = collect(tmp_path, doc, volumes=[volume])
    assert (found["sensitive_mounts"], found["unreadable"]) == (expected, {})


@pytest.mark.parametrize(
    ("support", "limit", "field", "expected"),
    [
        ("MemoryLimit", "Memory", "memory", 0),
        ("PidsLimit", "PidsLimit", "pids_limit", 0),
        ("CpuCfsQuota", "NanoCpus", "cpu_limited", False),
        ("CpuCfsQuota", "CpuQuota", "cpu_limited", False),
        ("CPUShares", "CpuShares", "cpu_limited", False),
    ],
)
def test_limit_that_the_engine_can_not_enforce_is_none(
    tmp_path: Path, support: str, limit: str, field: str, expected: Any
) -> None:
    doc = inspected("stopped")
    doc["HostConfig"][limit] = 500
    [enforced] = collect(tmp_path, doc)
    [shown] = collect(tmp_path, doc, info={support: False})
    assert enforced[field] != shown[field] == expected


def test_the_daemons_default_limits_are_not_the_containers_own(tmp_path: Path) -> None:
    limits = [{"Name": "nofile", "Soft": 1, "Hard": 2}, {"Name": "nproc", "Soft": 3, "Hard": 3}]
    doc = inspected("stopped")
    doc["HostConfig"]["Ulimits"] = limits
    [found] = collect(tmp_path, doc, default_ulimits=["nofile=1:2"])
    assert found["ulimits"] == ["nproc=3:3"]
    [unknown] = collect(tmp_path, doc, default_ulimits=None)
    assert "default limits" in unknown["unreadable"]["ulimits"]


def test_shared_propagation(tmp_path: Path) -> None:
    mount = {"Type": "bind", "Source": "/srv", "RW": True}
    modes = ("shared", "rshared", "rslave", "rprivate", "")
    mounts = [{**mount, "Destination": f"/{mode}", "Propagation": mode} for mode in modes]
    assert evidence(tmp_path, {"Mounts": mounts})["shared_mounts"] == ["/rshared", "/shared"]


@pytest.mark.parametrize(
    ("status", "deviation"),
    [
        ({"Seccomp": "0"}, "seccomp"),
        ({"NoNewPrivs": "0"}, "no_new_privileges"),
        ({"CapBnd": "0000000000200000"}, "capabilities"),
    ],
)
def test_kernel_may_contradict_the_configuration(tmp_path: Path, status: dict[str, str], deviation: str) -> None:
    run(tmp_path, inspected("hardened"), **status)
    found = evidence(tmp_path)
    assert found["kernel_deviations"] == [deviation]
    assert ("SYS_ADMIN" in found["dangerous_capabilities"]) is (deviation == "capabilities")


def test_user_namespace_that_is_not_there_is_a_deviation(tmp_path: Path) -> None:
    found = evidence(tmp_path, security_options=["seccomp", "userns"])
    assert found["kernel_deviations"] == ["user_namespace"]
    found = evidence(tmp_path, {"HostConfig.UsernsMode": "host"}, security_options=["seccomp", "userns"])
    assert found["kernel_deviations"] == []


@pytest.mark.parametrize(
    ("uid", "uid_map", "expected"),
    [
        (0, "0 0 4294967295", True),
        (1000, "0 0 4294967295", False),
        (100000, "0 100000 65536", True),
        (101000, "0 100000 65536", False),
        (1000, "0 1000 1\n1 100000 65536", True),  # of a rootless engine
        (100999, "0 1000 1\n1 100000 65536", False),
        (100000, "1 100000 65536\n0 1000 1", False),
    ],
)
def test_the_root_of_another_name_is_root(tmp_path: Path, uid: int, uid_map: str, expected: bool) -> None:
    run(tmp_path, inspected("hardened"), Uid=f"{uid}\t" * 4, uid_map=uid_map)
    assert evidence(tmp_path, {"Config.User": "toor"})["user_is_root"] is expected


def test_label_of_the_security_module(tmp_path: Path) -> None:
    write(tmp_path, "/proc/2002/attr/current", "docker-default (enforce)\n")
    run(tmp_path, inspected("hardened"))
    assert evidence(tmp_path)["kernel_label"] == "docker-default (enforce)"


@pytest.mark.parametrize(
    ("options", "disabled"),
    [
        ([], False),
        (["label=disable"], True),
        (["label:disable"], True),
        (["label=type:spc_t"], True),
        (["label:type:spc_t"], True),
        (["label=user:system_u", "label=type:unconfined_t", "label=level:s0"], True),
        (["label=type:container_t", "label=type:spc_t"], True),
        (["label=type:spc_t", "label=type:container_t"], False),
        (["label=type:shop_t"], False),
        (["label=level:spc_t", "apparmor=spc_t"], False),
    ],
)
def test_selinux_is_disabled_by_a_type_that_may_do_everything(
    tmp_path: Path, options: list[str], disabled: bool
) -> None:
    assert evidence(tmp_path, {"HostConfig.SecurityOpt": options})["selinux_disabled"] is disabled


@pytest.mark.parametrize(
    ("label", "options", "confined"),
    [
        ("system_u:system_r:container_t:s0:c1,c2", [], True),
        ("system_u:system_r:shop_t:s0:c1,c2", ["label=type:shop_t"], True),
        ("system_u:system_r:spc_t:s0", ["label=disable"], True),  # as it is configured
        ("system_u:system_r:spc_t:s0", [], False),  # made before the engine used SELinux
        ("", [], False),
    ],
)
def test_selinux_is_what_the_kernel_holds_the_process_by(
    tmp_path: Path, label: str, options: list[str], confined: bool
) -> None:
    run(tmp_path, inspected("hardened"), CapBnd="0", NoNewPrivs="1")
    pid = inspected("hardened")["State"]["Pid"]
    write(tmp_path, f"/proc/{pid}/attr/current", label + "\0")
    found = evidence(tmp_path, {"HostConfig.SecurityOpt": options}, security_options=["seccomp", "selinux"])
    assert found["kernel_deviations"] == ([] if confined else ["selinux"])


@pytest.mark.parametrize(
    ("label", "options", "confined"),
    [
        ("docker-default (enforce)", [], True),
        ("web (enforce)", ["apparmor=web"], True),
        ("docker-default//&web (enforce)", ["apparmor=web"], True),  # stacked when no_new_privileges was set
        ("unconfined", ["apparmor=unconfined"], True),  # as it is configured, which is for another control to judge
        ("unconfined", [], False),  # its profile was removed from the kernel
        ("docker-default (complain)", [], False),
        ("web (enforce)", [], False),
        ("web2 (enforce)", ["apparmor=web"], False),
        ("", [], False),
    ],
)
def test_apparmor_is_what_the_kernel_enforces(tmp_path: Path, label: str, options: list[str], confined: bool) -> None:
    run(tmp_path, inspected("hardened"), CapBnd="0", NoNewPrivs="1")
    pid = inspected("hardened")["State"]["Pid"]
    write(tmp_path, f"/proc/{pid}/attr/current", label + "\n")
    changes = {"HostConfig.SecurityOpt": options}
    assert evidence(tmp_path, changes)["kernel_deviations"] == []  # the engine does not use AppArmor
    found = evidence(tmp_path, changes, security_options=["apparmor", "seccomp"])
    assert found["kernel_deviations"] == ([] if confined else ["apparmor"])


def test_process_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    process(tmp_path, 2002, "sleep", cgroup="/docker/" + "f" * 64)
    found = evidence(tmp_path)
    assert found["kernel_seccomp"] is None
    assert "can't be seen" in found["unreadable"]["kernel_seccomp"]
    assert "ssh_servers" in found["unreadable"]
    assert "privileged" not in found["unreadable"]


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("HostConfig.Privileged", "no", "privileged"),
        ("HostConfig.Privileged", None, "privileged"),
        ("HostConfig.Memory", True, "memory"),
        ("HostConfig.SecurityOpt", "unconfined", "no_new_privileges"),
        ("HostConfig.CapAdd", [1], "cap_add"),
        ("HostConfig", None, "read_only"),
        ("State", [], "running"),
        ("Mounts", [None], "socket_mounts"),
        ("Config", "x", "secret_variables"),
        ("NetworkSettings.Ports", {"80/tcp": [5]}, "published_ports"),
        ("NetworkSettings.Ports", {"80/tcp": 5}, "published_ports"),
        ("HostConfig.LogConfig", {"Type": "json-file", "Config": []}, "log_bounded"),
    ],
)
def test_garbage_is_unreadable_never_harmless(tmp_path: Path, path: str, value: Any, field: str) -> None:
    found = evidence_of_garbage(tmp_path, path, value)
    assert found[field] is None
    assert field in found["unreadable"]


def evidence_of_garbage(root: Path, path: str, value: Any) -> dict[str, Any]:
    doc = copy.deepcopy(inspected("hardened"))
    run(root, doc)
    *parents, last = path.split(".")
    place = doc
    for key in parents:
        place = place[key]
    place[last] = value
    return collect(root, doc)[0]


def test_missing_fields_are_unreadable(tmp_path: Path) -> None:
    [found] = collect(tmp_path, {"Id": "1" * 64, "Name": "/x"})
    assert found["name"] == "x"
    assert found["privileged"] is None
    assert len(found["unreadable"]) > 40
