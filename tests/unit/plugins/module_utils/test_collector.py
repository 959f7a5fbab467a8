# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils.collector import collect
from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi, MissingDocumentError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema
from ansible_collections.breakwater.docker.tests.unit.fakes.commands import RecordedCommands
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import ENGINES, FakeDockerd, Hang, recorded
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import dockerd, process, write

SOCKET = "/var/run/docker.sock"
#: Nobody outside sees the packet filter of a rootless engine, and engines from 28 on don't tell of it.
BLIND = ("28.5-rootless", "29.1-rootless")
PLACES = {
    **{"engine": "engine", "host": "host", "daemon": "daemon", "swarm": "swarm"},
    **{"file": "files", "image": "images", "container": "containers", "network": "networks"},
    "registry": "registries",
}


class Recording:
    """An EngineReader over documents in memory."""

    def __init__(self, documents: dict[str, Any]) -> None:
        self.documents = documents

    def get(self, path: str) -> Any:
        if path not in self.documents:
            raise MissingDocumentError("invalid", "no such object")
        return self.documents[path]

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        return (self.documents[path] for path in paths if path in self.documents)


def host(root: Path, engine: str = "26.1-rootful") -> LocalFileSystem:
    """Make a host on which the recorded engine's containers run."""
    dockerd(root)
    for table in ("tcp", "tcp6"):
        write(root, f"/proc/700/net/{table}", "")
    (root / "proc/700/fd").mkdir()
    write(root, "/proc/sys/net/bridge/bridge-nf-call-iptables", "1\n")
    for path, doc in recorded(engine).items():
        if path.startswith("/containers/") and isinstance(doc, dict) and doc["State"]["Running"]:
            process(root, doc["State"]["Pid"], "sleep", cgroup=f"/docker/{doc['Id']}")
    return LocalFileSystem(str(root))


def gathered(reader: Any, files: LocalFileSystem) -> dict[str, Any]:
    return collect(reader, files, RecordedCommands(), SOCKET)


def objects(evidence: dict[str, Any], scope: str) -> list[dict[str, Any]]:
    found = evidence[PLACES[scope]]
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("engine", sorted(path.stem for path in ENGINES.glob("*.json")))
def test_every_engine_gives_evidence_of_the_schema(tmp_path: Path, engine: str) -> None:
    with FakeDockerd(tmp_path / "s", recorded(engine)) as fake, EngineApi(fake.path) as api:
        evidence = gathered(api, host(tmp_path, engine))
        assert fake.connections == 1
    assert (evidence["engine"]["status"], evidence["engine"]["reason"]) == ("ok", None)
    assert evidence["engine"]["rootless"] is engine.endswith("rootless")
    assert evidence["engine"]["version"].startswith(engine.partition("-")[0])
    assert len(evidence["containers"]) == 3
    for scope in PLACES:
        schema = scope_schema(scope).fields
        for found in objects(evidence, scope):
            assert set(found) - {"unreadable"} == set(schema)
            odd = {n for n, kind in schema.items() if not kind.accepts(found[n]) and n not in found["unreadable"]}
            assert odd == set()
    unseen = {"bridge_filtered"} if engine in BLIND else set()
    for scope in ("engine", "daemon", "container", "network"):
        assert [found["unreadable"] for found in objects(evidence, scope) if found["unreadable"].keys() - unseen] == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("/srv/ci/docker.sock", True),
        ("/srv/ci", True),
        ("/srv/cd/containerd.sock", True),
        ("/srv/exec/containerd", True),
        ("/srv/by systemd.sock", True),
        ("/srv/others.sock", False),
        ("/srv/connected.sock", False),
        ("/srv/ci/data", False),
    ],
)
def test_every_socket_of_the_engine_counts(tmp_path: Path, source: str, found: bool) -> None:
    files = host(tmp_path)
    told = ("--containerd=/srv/cd/containerd.sock", "--exec-root", "/srv/exec")
    dockerd(tmp_path, "-H", "fd://", "-H", "unix:///srv/link/docker.sock", *told)
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/link").symlink_to("/srv/ci")
    rows = ("00010000 0001 01 11 /srv/by systemd.sock", "00010000 0001 01 12 /srv/others.sock")
    rows += ("00000000 0001 03 13 /srv/connected.sock", "00010000 0001 01 14 @abstract", "00010000 0001 01 15")
    write(tmp_path, "/proc/700/net/unix", "Num\n" + "".join(f"0: 2 0 {row}\n" for row in rows))
    for inode in (11, 13, 14, 15):
        (tmp_path / f"proc/700/fd/{inode}").symlink_to(f"socket:[{inode}]")
    documents = recorded("26.1-rootful")
    for path, doc in documents.items():
        if path.startswith("/containers/") and isinstance(doc, dict):
            doc["Mounts"] = [{"Type": "bind", "Source": source, "Destination": "/x", "RW": True}]
    for item in gathered(Recording(documents), files)["containers"]:
        assert item["socket_mounts"] == ([source] if found else [])


@pytest.mark.parametrize("engine", sorted(path.stem for path in ENGINES.glob("*.json")))
def test_every_engine_is_judged_alike(tmp_path: Path, engine: str) -> None:
    evidence = gathered(Recording(recorded(engine)), host(tmp_path, engine))
    report = rules.evaluate(catalogue_loader.builtin().values(), evidence, rules.check_policy({}), "h")
    assert report.assessed
    verdicts = {(f.control, f.object.name): f.status for f in report.findings if f.scope in {"container", "network"}}
    expected = {
        ("container_not_privileged", "risky"): "fail",
        ("container_not_privileged", "hardened"): "pass",
        ("container_no_engine_socket", "risky"): "fail",
        ("container_no_engine_socket", "hardened"): "pass",
        ("container_no_sensitive_mounts", "stopped"): "fail",
        ("container_no_new_privileges", "hardened"): "pass",
        ("container_no_new_privileges", "stopped"): "fail",
        ("container_restarts_limited", "risky"): "fail",
        ("container_restarts_limited", "hardened"): "pass",
        ("container_restarts_limited", "stopped"): "pass",
        ("container_not_on_default_bridge", "stopped"): "fail",
        ("container_not_on_default_bridge", "hardened"): "pass",
        ("container_memory_limited", "risky"): "fail",
        ("container_no_secrets_in_environment", "risky"): "fail",
        ("container_no_secrets_in_environment", "hardened"): "pass",
        ("container_kernel_agrees", "stopped"): "not_applicable",
        # Recorded without control groups: the engine shows limits that nothing enforces.
        ("container_memory_limited", "hardened"): "fail" if engine == "28.5-rootless" else "pass",
        ("container_pids_limited", "hardened"): "fail" if engine == "28.5-rootless" else "pass",
        ("network_icc_enforced", "net"): "error" if engine in BLIND else "pass",
    }
    assert {key: verdicts[key] for key in expected} == expected


def test_no_secret_leaves_the_host(tmp_path: Path) -> None:
    documents = recorded("26.1-rootful")
    planted = "planted-value-1"
    for path, doc in documents.items():
        if path.startswith("/containers/") and isinstance(doc, dict):
            doc["Config"]["Env"].append(f"HARMLESS={planted}")
            doc["Config"]["Labels"] = {"label": planted}
            doc["Config"]["Cmd"] = doc["Args"] = [planted]
            doc["Config"]["Healthcheck"] = {"Test": ["CMD", planted]}
            doc["HostConfig"]["LogConfig"]["Config"]["splunk-token"] = planted
            doc["HostConfig"]["SecurityOpt"] = [f'seccomp={{"x": "{planted}"}}']
    files = host(tmp_path)
    write(tmp_path, "/proc/700/environ", f"HTTP_PROXY=http://u:{planted}@proxy\0OTHER={planted}\0")
    write(tmp_path, "/etc/docker/daemon.json", json.dumps({"log-opts": {"splunk-token": planted}, "labels": [planted]}))
    assert planted not in json.dumps(gathered(Recording(documents), files))


def test_container_that_vanishes_is_left_out(tmp_path: Path) -> None:
    documents = recorded("26.1-rootful")
    gone = next(path for path, doc in documents.items() if isinstance(doc, dict) and doc.get("Name") == "/risky")
    del documents[gone]
    assert sorted(c["name"] for c in gathered(Recording(documents), host(tmp_path))["containers"]) == [
        "hardened",
        "stopped",
    ]


def test_no_containers_are_an_empty_list(tmp_path: Path) -> None:
    documents = {**recorded("26.1-rootful"), "/containers/json?all=1": []}
    assert gathered(Recording(documents), host(tmp_path))["containers"] == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"/version": {"Components": [{"Name": "Podman Engine"}], "Version": "5.4.2"}}, "absent"),
        ({"/version": {}}, "invalid"),
        ({"/version": []}, "invalid"),
        ({"/version": {"Version": "dev", "ApiVersion": "1.45"}}, "invalid"),
        ({"/info": "x"}, "invalid"),
        ({"/info": Hang}, "unreadable"),
        ({"/networks": [1]}, "invalid"),
        ({"/volumes": None}, "invalid"),
        ({"/images/json": {}}, "invalid"),
        ({"/containers/json?all=1": {"message": "x"}}, "invalid"),
        ({"/containers/json?all=1": [{"Id": "../info"}]}, "invalid"),
        ({"/containers/json?all=1": b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[{"}, "invalid"),
    ],
)
def test_engine_that_is_not_in_order(tmp_path: Path, changes: dict[str, Any], status: str) -> None:
    with FakeDockerd(tmp_path / "s", {**recorded("26.1-rootful"), **changes}) as fake:
        evidence = gathered(EngineApi(fake.path, 0.3), host(tmp_path))
    assert evidence["engine"]["status"] == status
    assert evidence["engine"]["reason"].endswith(".")
    assert (evidence["daemon"], evidence["containers"], evidence["files"]) == (None, [], [])


def test_installed_engine_without_socket_is_stopped(tmp_path: Path) -> None:
    files = LocalFileSystem(str(tmp_path))
    reader = EngineApi(str(tmp_path / "none"))
    assert gathered(reader, files)["engine"]["status"] == "absent"
    write(tmp_path, "/usr/sbin/dockerd", "")
    assert gathered(reader, files)["engine"]["status"] == "stopped"


def _risky(documents: dict[str, Any]) -> dict[str, Any]:
    return next(doc for doc in documents.values() if isinstance(doc, dict) and doc.get("Name") == "/risky")


@pytest.mark.parametrize("junk", ["deleted", 7, "text", [7], {"x": 7}, True])
def test_garbage_never_turns_a_failure_into_a_pass(tmp_path: Path, junk: Any) -> None:
    files = host(tmp_path)
    controls = [c for c in catalogue_loader.builtin().values() if c.control.scope == "container"]

    def verdicts(documents: dict[str, Any]) -> dict[str, str]:
        report = rules.evaluate(controls, gathered(Recording(documents), files), rules.check_policy({}), "h")
        return {f.control: f.status for f in report.findings if f.object.name == "risky"}

    failing = {control for control, status in verdicts(recorded("26.1-rootful")).items() if status == "fail"}
    assert len(failing) > 20
    for part in ("HostConfig", "Config", "State", "NetworkSettings"):
        for key, before in _risky(recorded("26.1-rootful"))[part].items():
            if type(before) is type(junk) or (key, junk) == ("PidsLimit", 7):
                continue  # a value of the right type is no garbage
            documents = recorded("26.1-rootful")
            place = _risky(documents)[part]
            if junk == "deleted":
                del place[key]
            else:
                place[key] = junk
            passed = {control for control, status in verdicts(documents).items() if status == "pass"}
            assert failing & passed == set(), (part, key)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def _places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    children = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    return [path, *(found for key, value in children for found in _places(value, (*path, key)))]


RECORDING = recorded("26.1-rootful")
ALL_PLACES = [place for place in _places(RECORDING) if place]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations=st.lists(st.tuples(st.sampled_from(ALL_PLACES), JUNK), min_size=1, max_size=4))
def test_mutated_documents_never_break_the_audit(
    tmp_path_factory: pytest.TempPathFactory, mutations: list[tuple[tuple[Any, ...], Any]]
) -> None:
    documents = recorded("26.1-rootful")
    for place, junk in mutations:
        target: Any = documents
        try:
            for key in place[:-1]:
                target = target[key]
            target[place[-1]] = junk
        except (KeyError, IndexError, TypeError):
            continue  # an earlier mutation took the place away
    root = tmp_path_factory.getbasetemp() / "mutated"
    files = LocalFileSystem(str(root)) if root.exists() else host(root)
    evidence = gathered(Recording(documents), files)
    json.dumps(evidence)
    report = rules.evaluate(catalogue_loader.builtin().values(), evidence, rules.check_policy({}), "h")
    assert report.assessed or evidence["engine"]["status"] != "ok"
