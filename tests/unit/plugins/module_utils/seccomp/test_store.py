from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Iterator, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils import protected_files
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import profile, store
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp.conditions import ALWAYS


class Engine:
    """An EngineReader with documents by path; EngineError with the status where it is one."""

    def __init__(self, documents: Any) -> None:
        self.documents = documents

    def get(self, path: str) -> Any:
        if isinstance(self.documents, str):
            raise EngineError(self.documents, "no")
        return self.documents[path]

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        return (self.documents[path] for path in paths if path in self.documents)


def running(*options: str) -> Engine:
    container = {"Name": "/shop", "HostConfig": {"SecurityOpt": list(options) or None}}
    return Engine({"/containers/json": [{"Id": "a"}, {"Id": "gone"}], "/containers/a/json": container})


def test_files_are_written_once_for_everybody_to_read(tmp_path: Path) -> None:
    directory = f"{tmp_path}/seccomp"
    wanted = {"web.json": "{}\n"}
    changes = protected_files.writes(directory, wanted)
    assert changes == [protected_files.Change(f"{directory}/web.json", None, "{}\n")]
    protected_files.apply(changes)
    assert os.stat(f"{directory}/web.json").st_mode & 0o777 == 0o444
    assert protected_files.writes(directory, wanted) == []
    os.chmod(f"{directory}/web.json", 0o644)
    [change] = protected_files.writes(directory, wanted)
    protected_files.apply([change])
    assert protected_files.writes(directory, wanted) == []


def test_link_in_place_of_a_profile_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("{}\n")
    (tmp_path / "mine").chmod(0o444)
    (tmp_path / "web.json").symlink_to(tmp_path / "mine")
    assert len(protected_files.writes(str(tmp_path), {"web.json": "{}\n"})) == 1


def test_content_names_the_file() -> None:
    assert store.versioned("web", "a") != store.versioned("web", "b")
    assert store.versioned("web", "a") == store.versioned("web", "a")


def written(name: str, *names: str) -> str:
    """Return the content of a profile that allows these calls."""
    return store.content(
        name, profile.document(profile.Profile(("SCMP_ARCH_X86_64",), dict.fromkeys(names, (ALWAYS,))))
    )


def test_own_files_are_told_from_those_of_others(tmp_path: Path) -> None:
    copied = written("web", "read").replace('"read"', '"write"')
    contents = {"web": copied, "mine": copied, "plain": "{}\n", "compact": json.dumps({"syscalls": []})}
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_text(content)
    (tmp_path / "linked.json").symlink_to(tmp_path / "nowhere")
    others = ["mine", "plain", "compact", "linked"]
    assert store.foreign(str(tmp_path), [*contents, "linked", "new"]) == [f"{tmp_path}/{name}.json" for name in others]
    store.require_free(str(tmp_path), ["web", "new"])
    with pytest.raises(
        InputError, match=r"/mine\.json was not written by docker_seccomp: give the profile another name"
    ):
        store.require_free(str(tmp_path), ["web", "mine"])


def test_mark_is_a_comment_that_changes_nothing_of_the_profile() -> None:
    document = profile.document(profile.Profile(("SCMP_ARCH_X86_64",), {"read": (ALWAYS,)}))
    marked = json.loads(store.content("web", document))
    assert marked["syscalls"][0].pop("comment") == (
        "Written by breakwater.docker.docker_seccomp as web. Changes are overwritten."
    )
    assert marked == document
    assert json.loads(store.content("web", {**document, "syscalls": []}))["syscalls"] == []


class TestRemovals:
    OLD, NEW = (store.versioned("default", written("default", call)) for call in ("read", "write"))
    THEIRS = "own.0123456789ab.json"

    @pytest.fixture
    def directory(self, tmp_path: Path) -> str:
        for name in ("default.json", self.OLD, self.NEW, "web.json"):
            (tmp_path / name).write_text(written(name.split(".")[0], "read"))
        for name in ("theirs.txt", self.THEIRS, "theirs.json"):
            (tmp_path / name).write_text(written("default", "read"))
        (tmp_path / "directory.json").mkdir()
        return str(tmp_path)

    def removed(self, directory: str, names: list[str], uses: dict[str, str]) -> list[str]:
        changes = store.removals(directory, names, {self.NEW: "new"}, uses)
        assert all(change.after is None for change in changes)
        return [os.path.basename(change.path) for change in changes]

    def test_what_was_a_default_goes_unless_it_is_in_use(self, directory: str) -> None:
        assert self.removed(directory, [], {}) == [self.OLD]
        assert self.removed(directory, [], {f"{directory}/{self.OLD}": "daemon.json"}) == []
        assert self.removed(f"{directory}/none", ["web"], {}) == []

    def test_named_profiles_go(self, directory: str) -> None:
        assert self.removed(directory, ["web", "never"], {}) == [self.OLD, "web.json"]
        protected_files.apply(store.removals(directory, ["web"], {}, {}))
        assert not os.path.exists(f"{directory}/web.json")

    def test_files_of_others_stay(self, directory: str) -> None:
        assert self.removed(directory, ["theirs", "own", "directory"], {}) == [self.OLD]

    @pytest.mark.parametrize("used", ["default.json", OLD])
    def test_profile_in_use_is_refused(self, directory: str, used: str) -> None:
        with pytest.raises(InputError, match=r"default.json can't be removed, since daemon.json uses it"):
            self.removed(directory, ["default"], {f"{directory}/{used}": "daemon.json"})


def test_daemon_uses_what_its_file_and_an_unfinished_change_name(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    assert store.daemon_uses(str(file)) == {}
    file.write_text(json.dumps({"seccomp-profile": "/etc/docker//seccomp/a.json"}))
    (tmp_path / "daemon.json.breakwater-pending").write_text(json.dumps({"seccomp-profile": "/b.json"}))
    assert set(store.daemon_uses(str(file))) == {"/etc/docker/seccomp/a.json", "/b.json"}
    file.write_text("{")
    with pytest.raises(InputError, match="is not JSON"):
        store.daemon_uses(str(file))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (['seccomp={"a":1,"b":[2]}'], {"web.json": "the running container shop"}),
        (['seccomp={"a":1,"b":[3]}'], {}),
        (["seccomp=unconfined", "no-new-privileges"], {}),
        ([], {}),
    ],
)
def test_containers_use_profiles_by_content(tmp_path: Path, options: list[str], expected: dict[str, str]) -> None:
    (tmp_path / "web.json").write_text('{\n "b": [2], "a": 1}\n')
    found = store.container_uses(running(*options), str(tmp_path))
    assert found == {f"{tmp_path}/{name}": user for name, user in expected.items()}


def test_without_an_engine_no_container_runs(tmp_path: Path) -> None:
    assert store.container_uses(Engine("absent"), str(tmp_path)) == {}
    assert store.container_uses(Engine("stopped"), str(tmp_path)) == {}
    with pytest.raises(EngineError):
        store.container_uses(Engine("unreadable"), str(tmp_path))
