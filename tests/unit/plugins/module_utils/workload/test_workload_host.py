# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult, LocalFileSystem
from ansible_collections.breakwater.docker.plugins.module_utils.workload import document as documents
from ansible_collections.breakwater.docker.plugins.module_utils.workload.host import WorkloadHost, host_user
from ansible_collections.breakwater.docker.plugins.module_utils.workload.plan import plan
from ansible_collections.breakwater.docker.plugins.module_utils.workload.run import _diff, _owners
from ansible_collections.breakwater.docker.plugins.module_utils.workload.secrets import Secret, SecretStore
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import State, read
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import DOCKER
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd, recorded
from ansible_collections.breakwater.docker.tests.unit.fakes.workloads import workload

ENFORCE = "/sys/fs/selinux/enforce"
HUNTER2 = Secret("hunter2", os.getuid(), os.getgid())
SECRET = {"secrets": [{"name": "token", "content": "hunter2"}]}


class Commands:
    """Runs nothing."""

    def __init__(self, rc: int = 0) -> None:
        self.rc = rc
        self.argv: list[Any] = []

    def run(self, argv: Any, timeout: float = 10.0) -> CommandResult:
        self.argv.append((argv, timeout))
        return CommandResult(self.rc, "", "no such host")


def host(tmp_path: Path, rc: int = 0) -> WorkloadHost:
    return WorkloadHost(LocalFileSystem(str(tmp_path)), Commands(rc), SecretStore(str(tmp_path / "secrets")))


def image(**config: Any) -> dict[str, Any]:
    return {"Id": "sha256:1", "Config": config}


class TestUser:
    @pytest.mark.parametrize(
        ("own", "user"), [("", "65532:65532"), ("root", "65532:65532"), ("0:0", "65532:65532"), ("1000", "1000")]
    )
    def test_is_the_images_unless_that_is_root(self, tmp_path: Path, own: str, user: str) -> None:
        container = workload({}).containers[0]
        state = State(images={"web:1": image(User=own)})
        assert host(tmp_path).surroundings(container, state).user == user

    def test_of_secrets_has_to_be_a_number(self, tmp_path: Path) -> None:
        container = workload(SECRET).containers[0]
        with pytest.raises(InputError, match="image names the user www"):
            host(tmp_path).surroundings(container, State(images={"web:1": image(User="www")}))

    def test_on_the_host_is_shifted_by_user_namespaces(self) -> None:
        assert host_user("1000:1001", (0, 0)) == (1000, 1001)
        assert host_user("1000", (165536, 165536)) == (166536, 165536)


def test_health_check_of_the_image_has_to_be_there(tmp_path: Path) -> None:
    container = workload({"health": {"image": True}}).containers[0]
    for config in ({}, {"Healthcheck": {"Test": ["NONE"]}}):
        with pytest.raises(InputError, match="has no health check"):
            host(tmp_path).surroundings(container, State(images={"web:1": image(**config)}))
    assert host(tmp_path).surroundings(container, State(images={"web:1": image(Healthcheck={"Test": ["CMD", "true"]})}))


def test_path_is_judged_by_where_it_leads(tmp_path: Path) -> None:
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/link").symlink_to("/etc")
    mount = {"volumes": [{"host_path": "/srv/link", "target": "/x"}]}
    with pytest.raises(InputError, match="container_no_sensitive_mounts"):
        host(tmp_path).check_paths(workload(mount), State())
    host(tmp_path).check_paths(workload({**mount, "reasons": {"container_no_sensitive_mounts": "Reads it."}}), State())
    harmless = {"volumes": [{"host_path": "/srv/data", "target": "/x"}]}
    told = workload({**harmless, "reasons": {"container_no_sensitive_mounts": "It is not."}})
    host(tmp_path).check_paths(told, State())
    assert told.containers[0].options["reasons"] == {}


@pytest.mark.parametrize(
    ("described", "control"),
    [
        ({"Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}, "container_no_sensitive"),
        ({"Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/run/docker.sock"}}, "engine_socket"),
        ({"Driver": "local-persist", "Options": {}, "Mountpoint": "/etc"}, "container_no_sensitive"),
        ({"Driver": "local", "Options": None, "Mountpoint": "/var/lib/docker/volumes/data/_data"}, ""),
    ],
)
def test_volume_that_is_a_path_in_disguise_needs_a_reason(
    tmp_path: Path, described: dict[str, Any], control: str
) -> None:
    state = State(volumes={"data": {"Name": "data", **described}})
    mount = {"volumes": [{"volume": "data", "target": "/x"}]}
    reasons = dict.fromkeys(("container_no_sensitive_mounts", "container_no_engine_socket"), "It is.")
    told = workload({**mount, "reasons": reasons})
    host(tmp_path).check_paths(told, state)
    assert bool(told.containers[0].options["reasons"]) == bool(control)
    if control:
        with pytest.raises(InputError, match=f"web: data leads to what belongs to the system .*{control}"):
            host(tmp_path).check_paths(workload(mount), state)


def test_seccomp_profile_is_read_and_judged(tmp_path: Path) -> None:
    container = workload({"seccomp": "/web.json"}).containers[0]
    with pytest.raises(InputError, match="can't be used"):
        host(tmp_path).surroundings(container, State())
    profile = tmp_path / "web.json"
    profile.write_text('{"defaultAction": "SCMP_ACT_ERRNO"}')
    assert host(tmp_path).surroundings(container, State()).seccomp == profile.read_text()
    profile.write_text(
        '{"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{"names": ["bpf"], "action": "SCMP_ACT_ALLOW"}]}'
    )
    with pytest.raises(InputError, match="allows bpf"):
        host(tmp_path).surroundings(container, State())


def test_missing_images_are_pulled(tmp_path: Path) -> None:
    commands = Commands()
    WorkloadHost(LocalFileSystem(str(tmp_path)), commands, SecretStore(str(tmp_path / "secrets"))).pull(["web:1"])
    assert [" ".join(argv) for argv, _timeout in commands.argv] == [f"{DOCKER} pull --quiet web:1"]
    with pytest.raises(BreakwaterError, match="web:1 can't be pulled: no such host"):
        host(tmp_path, rc=1).pull(["web:1"])
    with pytest.raises(InputError, match="load it first"):
        host(tmp_path).pull(["sha256:1"])


class TestSecrets:
    def test_file_is_the_users_alone(self, tmp_path: Path) -> None:
        store = SecretStore(str(tmp_path / "secrets"))
        path = store.path("web", "token", HUNTER2)
        assert store.missing(path)
        store.put(path, HUNTER2)
        shared = store.path("web", "shared", HUNTER2._replace(group_readable=True))
        store.put(shared, HUNTER2._replace(group_readable=True))
        assert Path(path).read_text() == "hunter2"
        assert [os.stat(name).st_mode & 0o777 for name in (path, shared)] == [0o400, 0o440]
        assert {os.stat(tmp_path / name).st_mode & 0o777 for name in ("secrets", "secrets/web")} == {0o700}

    @pytest.mark.parametrize("selinux", [True, False])
    def test_file_has_a_label_where_the_kernel_runs_selinux(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, selinux: bool
    ) -> None:
        exists, labels = os.path.exists, []
        monkeypatch.setattr("os.path.exists", lambda path: selinux if path == ENFORCE else exists(path))
        monkeypatch.setattr("os.setxattr", lambda *arguments: labels.append(arguments))
        store = SecretStore(str(tmp_path / "secrets"))
        path = store.path("web", "token", HUNTER2)
        store.put(path, HUNTER2)
        label = (path, "security.selinux", b"system_u:object_r:container_ro_file_t:s0")
        assert labels == ([label] if selinux else [])

    def test_file_is_kept_where_the_policy_knows_no_containers(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_arguments: object) -> None:
            raise OSError(22, "Invalid argument")

        exists = os.path.exists
        monkeypatch.setattr("os.path.exists", lambda path: path == ENFORCE or exists(path))
        monkeypatch.setattr("os.setxattr", refuse)
        store = SecretStore(str(tmp_path / "secrets"))
        path = store.path("web", "token", HUNTER2)
        store.put(path, HUNTER2)
        assert Path(path).read_text() == "hunter2"

    def test_path_follows_the_content_and_does_not_tell_it(self, tmp_path: Path) -> None:
        store = SecretStore(str(tmp_path / "secrets"))
        path = store.path("web", "token", HUNTER2)
        store.put(path, HUNTER2)
        again = SecretStore(str(tmp_path / "secrets"))
        assert again.path("web", "token", HUNTER2) == path
        assert again.path("web", "token", HUNTER2._replace(content="hunter3")) != path
        assert SecretStore(str(tmp_path / "other")).path("web", "token", HUNTER2)[-32:] != path[-32:]

    def test_file_of_another_owner_or_mode_is_another_one(self, tmp_path: Path) -> None:
        def path(readable: bool, root: int, user: str) -> str:
            secret = {"name": "token", "content": "hunter2", "group_readable": readable}
            [container] = workload({"user": user, "secrets": [secret]}).containers
            return host(tmp_path).surroundings(container, State(root=(root, root))).secrets["token"]

        SecretStore(str(tmp_path / "secrets")).put(str(tmp_path / "secrets/any"), HUNTER2)  # and the host's key
        first = path(False, 0, "1000:1000")
        assert path(False, 0, "1000:1000") == first
        others = [path(True, 0, "1000:1000"), path(False, 100000, "1000:1000"), path(False, 0, "2000:1000")]
        others.append(path(False, 0, "1000:2000"))
        assert len({first, *others}) == 5

    def test_what_is_not_mounted_any_more_goes(self, tmp_path: Path) -> None:
        store = SecretStore(str(tmp_path / "secrets"))
        kept, old = (store.path("web", "token", HUNTER2._replace(content=content)) for content in ("new", "old"))
        for path in (kept, old):
            store.put(path, HUNTER2)
        store.prune("web", [kept])
        assert [Path(path).exists() for path in (kept, old)] == [True, False]
        store.prune("web", [])
        store.prune("web", [])
        assert os.listdir(tmp_path / "secrets") == [".key"]


class TestState:
    def test_recorded_engine(self, tmp_path: Path) -> None:
        with FakeDockerd(tmp_path / "s", recorded("26.1-rootful")) as engine, EngineApi(engine.path) as api:
            state = read(api, ["nothing:1"])
        assert state.running("hardened")
        assert state.labels("hardened") == {}
        assert (state.present, state.log_driver, state.root, dict(state.images)) == (True, "json-file", (0, 0), {})
        assert "bridge" in state.networks

    def test_no_engine_is_an_empty_one(self, tmp_path: Path) -> None:
        assert read(EngineApi(str(tmp_path / "none")), []) == State()


def test_new_volume_belongs_to_its_first_writer(tmp_path: Path) -> None:
    mount = {"volume": "data", "target": "/data"}
    told = workload({"volumes": [{**mount, "read_only": True}]}, {"name": "db", "user": "999:998", "volumes": [mount]})
    around = {item.name: host(tmp_path).surroundings(item, State()) for item in told.containers}
    assert _owners(told, around, State()) == {"data": (999, 998)}
    assert _owners(told, around, State(root=(100000, 100000))) == {"data": (100999, 100998)}


def test_diff_shows_no_secret(tmp_path: Path) -> None:
    told = workload({"environment": {"GREETING": "hunter2"}, "command": ["sh", "-c", "DB_PASSWORD=hunter2 run"]})
    around = {item.name: host(tmp_path).surroundings(item, State()) for item in told.containers}
    wanted = {item.name: documents.container(item, around[item.name]) for item in told.containers}
    shown = _diff(plan(told, wanted, State()), State())
    assert "GREETING" in shown["after"]
    assert "hunter2" not in shown["after"]
