# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.contexts import ContextStore, check_contexts
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
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
