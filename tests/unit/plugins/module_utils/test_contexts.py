# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Iterator

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.contexts import ContextStore, check_contexts
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.modules import docker_contexts
from ansible_collections.breakwater.docker.tests.unit.fakes.clock import in_time

ENDPOINT = "tcp://prod-1:2376"


@pytest.fixture
def store(tmp_path: Path) -> ContextStore:
    return ContextStore(str(tmp_path / ".docker"), str(tmp_path / "bundle"))


def test_context_links_to_the_bundle(store: ContextStore, tmp_path: Path) -> None:
    assert store.managed() == {}
    store.write("prod-1", ENDPOINT)
    assert store.managed() == {"prod-1": ENDPOINT}
    [meta] = (tmp_path / ".docker/contexts/meta").glob("*/meta.json")
    assert json.loads(meta.read_text())["Endpoints"]["docker"] == {"Host": ENDPOINT, "SkipTLSVerify": False}
    tls = tmp_path / ".docker/contexts/tls" / meta.parent.name / "docker"
    assert os.readlink(tls / "key.pem") == str(tmp_path / "bundle/key.pem")


def test_endpoint_is_corrected(store: ContextStore) -> None:
    store.write("prod-1", "tcp://elsewhere:2376")
    store.write("prod-1", ENDPOINT)
    assert store.managed() == {"prod-1": ENDPOINT}


def test_contexts_of_the_user_are_not_managed(store: ContextStore, tmp_path: Path) -> None:
    own = tmp_path / ".docker/contexts/tls/0123/docker"
    own.mkdir(parents=True)
    (own / "key.pem").write_text("the user's")
    store.write("prod-1", ENDPOINT)
    store.remove("prod-1")
    assert store.managed() == {}
    assert (own / "key.pem").exists()


def own_context(configuration: Path, name: str, *files: str) -> Path:
    """Make a context as the docker command does, and return the directory of its TLS files."""
    identifier = hashlib.sha256(name.encode()).hexdigest()
    meta = configuration / "contexts/meta" / identifier
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": "ssh://old"}}}))
    tls = configuration / "contexts/tls" / identifier / "docker"
    if files:
        tls.mkdir(parents=True)
    for file in files:
        (tls / file).write_text("the user's")
    return tls


def found(root: Path) -> list[tuple[str, str]]:
    return sorted((str(path), path.read_text()) for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize("files", [(), ("ca.pem",), ("ca.pem", "cert.pem", "key.pem"), ("other.pem",)])
@pytest.mark.parametrize("check_mode", [True, False])
def test_context_of_the_user_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: tuple[str, ...], check_mode: bool
) -> None:
    @contextlib.contextmanager
    def at_home(_user: str) -> Iterator[str]:
        yield str(tmp_path)

    monkeypatch.setattr(docker_contexts, "acting_as", at_home)
    own_context(tmp_path / ".docker", "prod-1", *files)
    before = found(tmp_path)
    wanted = {"prod-0": ENDPOINT, "prod-1": ENDPOINT}
    with pytest.raises(InputError, match=r"The context prod-1 is the user's own.*docker context rm prod-1\."):
        docker_contexts.apply({"user": "alice", "directory": None}, wanted, check_mode)
    assert found(tmp_path) == before


def test_link_elsewhere_is_the_users(store: ContextStore, tmp_path: Path) -> None:
    tls = own_context(tmp_path / ".docker", "prod-1", "ca.pem")
    (tls / "key.pem").symlink_to(tmp_path / "mine")
    (tls / "ca.pem").unlink()
    with pytest.raises(InputError):
        store.refuse_users("prod-1")


@pytest.mark.parametrize("missing", [("meta",), ("ca.pem", "key.pem"), ("meta", "ca.pem", "cert.pem", "key.pem")])
def test_context_of_a_killed_run_is_finished(store: ContextStore, tmp_path: Path, missing: tuple[str, ...]) -> None:
    store.write("prod-1", ENDPOINT)
    for name in missing:
        [path] = (tmp_path / ".docker/contexts").rglob("meta.json" if name == "meta" else name)
        path.unlink()
    store.refuse_users("prod-1")
    store.write("prod-1", ENDPOINT)
    assert store.managed() == {"prod-1": ENDPOINT}


def test_pipe_in_the_users_home_keeps_nobody_waiting(store: ContextStore, tmp_path: Path) -> None:
    store.write("prod-1", ENDPOINT)
    [meta] = (tmp_path / ".docker/contexts/meta").glob("*/meta.json")
    meta.unlink()
    os.mkfifo(meta)
    with in_time():
        assert store.managed() == {}


def test_damaged_metadata_is_written_anew(store: ContextStore, tmp_path: Path) -> None:
    store.write("prod-1", ENDPOINT)
    [meta] = (tmp_path / ".docker/contexts/meta").glob("*/meta.json")
    meta.write_text("{")
    assert store.managed() == {}
    store.write("prod-1", ENDPOINT)
    assert store.managed() == {"prod-1": ENDPOINT}


@pytest.mark.parametrize(
    ("name", "endpoint"), [("x", ENDPOINT), ("default", ENDPOINT), ("../x", ENDPOINT), ("prod", "prod-1:2376")]
)
def test_what_docker_refuses_is_refused(name: str, endpoint: str) -> None:
    with pytest.raises(InputError):
        check_contexts({name: endpoint})
