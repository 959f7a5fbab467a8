# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError
from ansible_collections.breakwater.docker.plugins.module_utils.scan.state import ScanState, key_of

DATA = gzip.compress(b"result")


def test_what_is_kept_is_found_again_until_nobody_asks(tmp_path: Path) -> None:
    place = str(tmp_path / "state")
    with ScanState(place) as state:
        state.keep("a", DATA)
        state.keep("b", DATA)
    with ScanState(place) as state:
        assert (state.known("a"), state.known("c")) == (DATA, None)
        state.forget_others()
        assert state.known("b") is None


def test_what_is_damaged_is_not_known(tmp_path: Path) -> None:
    with ScanState(str(tmp_path)) as state:
        state.keep("a", DATA[:-4])
        state.keep("b", b"no gzip")
        assert (state.known("a"), state.known("b")) == (None, None)


def test_what_a_killed_run_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "work/left/root").mkdir(parents=True)
    with ScanState(str(tmp_path)) as state, state.room() as room:
        assert [path.name for path in (tmp_path / "work").iterdir()] == [room.name]
    assert list((tmp_path / "work").iterdir()) == []


def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    with ScanState(str(tmp_path)), pytest.raises(BreakwaterError, match="Another scan"), ScanState(str(tmp_path)):
        pass


def test_keys_tell_apart_what_matters() -> None:
    parts = {"image": "sha256:1", "scanner": "openscap", "version": "1", "content": "2"}
    keys = {key_of(parts)} | {key_of({**parts, name: "other"}) for name in parts}
    assert len(keys) == 5
    assert key_of(dict(reversed(parts.items()))) in keys
