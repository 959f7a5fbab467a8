# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import (
    ConfigFile,
    locked,
    parse,
    render,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "docker" / "daemon.json"


def names(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def test_parse_and_render_are_each_others_inverse() -> None:
    document = {"b": ["ü"], "a": {"c": 1}}
    assert parse(render(document), "f") == document


def test_a_file_is_written_for_people_and_the_same_each_time() -> None:
    assert render({"icc": False, "dns": ["9.9.9.9"]}) == '{\n  "dns": [\n    "9.9.9.9"\n  ],\n  "icc": false\n}\n'
    assert parse(" \n", "f") == {}
    assert parse('\ufeff{"icc": false}', "f") == {"icc": False}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [('{"a": 1', "f is not JSON: .*line 1 column 8"), ("[]", "f holds list"), ("// comment\n{}", "f is not JSON")],
)
def test_parse_says_what_is_wrong(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse(text, "f")


def test_new_file_is_committed_without_a_copy(path: Path) -> None:
    file = ConfigFile(str(path))
    file.begin()
    file.write("new")
    assert file.unfinished() == ""
    file.commit()
    assert names(path) == ["daemon.json"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_former_content_is_kept(path: Path) -> None:
    file = ConfigFile(str(path))
    file.write("old")
    file.begin()
    file.write("new")
    file.commit()
    assert path.read_text() == "new"
    assert (path.parent / "daemon.json.breakwater-previous").read_text() == "old"
    assert file.unfinished() is None


def test_restore_brings_back_content_or_absence(path: Path) -> None:
    file = ConfigFile(str(path))
    file.begin()
    file.write("new")
    file.restore()
    assert names(path) == []
    file.write("old")
    file.begin()
    file.write("new")
    file.restore()
    assert path.read_text() == "old"
    assert names(path) == ["daemon.json"]


def test_restore_without_begin_touches_nothing(path: Path) -> None:
    file = ConfigFile(str(path))
    file.write("old")
    file.restore()
    assert path.read_text() == "old"


def test_second_begin_keeps_what_the_killed_run_kept(path: Path) -> None:
    file = ConfigFile(str(path))
    file.write("old")
    file.begin()
    file.write("new")
    again = ConfigFile(str(path))
    again.begin()
    assert again.unfinished() == "old"


def test_stricter_mode_stays_and_a_wider_one_does_not(path: Path) -> None:
    file = ConfigFile(str(path))
    file.write("x")
    for before, after in ((0o600, 0o600), (0o666, 0o644)):
        path.chmod(before)
        file.write("y")
        assert path.stat().st_mode & 0o777 == after


def test_symbolic_link_stays_one(path: Path, tmp_path: Path) -> None:
    path.parent.mkdir()
    path.symlink_to(tmp_path / "real.json")
    ConfigFile(str(path)).write("x")
    assert path.is_symlink()
    assert (tmp_path / "real.json").read_text() == "x"


def test_bytes_that_are_not_text_survive(path: Path) -> None:
    file = ConfigFile(str(path))
    path.parent.mkdir()
    path.write_bytes(b"\xff{")
    file.set_aside(".breakwater-invalid")
    file.begin()
    file.write("{}")
    file.restore()
    assert path.read_bytes() == b"\xff{"
    assert (path.parent / "daemon.json.breakwater-invalid").read_bytes() == b"\xff{"


def test_failed_write_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = ConfigFile(str(path))
    file.write("old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        file.write("new")
    assert path.read_text() == "old"
    assert names(path) == ["daemon.json"]


def test_second_run_waits_and_then_gives_up(path: Path) -> None:
    sentence = r"Another run has been changing .*nothing was changed"
    with locked(str(path), 1), pytest.raises(BreakwaterError, match=sentence), locked(str(path), 0.3):
        pass
    with locked(str(path), 0):
        assert names(path) == []


def test_change_that_is_left_to_the_next_start(tmp_path: Path) -> None:
    file = ConfigFile(str(tmp_path / "daemon.json"))
    file.write("old")
    file.begin()
    file.write("new")
    file.defer("old and reloaded", "start 1")
    assert (file.read(), file.unfinished(), file.deferred()) == ("new", "old and reloaded", "start 1")
    file.commit()
    assert (file.read(), file.unfinished(), file.deferred()) == ("new", None, None)
    file.begin()
    file.defer("x", "start 2")
    file.restore()
    assert (file.read(), file.deferred()) == ("x", None)
