# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.documents import read_documents
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.files import ConfigFile
from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.unit import Unit
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

RUNNING = Unit(True, "active", ("dockerd",), {}, start="first")


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    file = ConfigFile(str(tmp_path / "daemon.json"))
    file.write('{"debug": true}')
    return file


def test_engine_runs_by_the_file(file: ConfigFile) -> None:
    assert read_documents(file, RUNNING, False) == ({"debug": True}, {"debug": True})


@pytest.mark.parametrize(("kept", "running"), [('{"icc": false}', {"icc": False}), ("", {}), ("{", None)])
def test_engine_runs_by_what_a_killed_run_kept(file: ConfigFile, kept: str, running: object) -> None:
    file.begin()
    Path(f"{file.path}.breakwater-pending").write_text(kept)
    assert read_documents(file, RUNNING, False) == ({"debug": True}, running)


@pytest.mark.parametrize(
    ("start", "state", "icc"),
    [("first", "active", False), ("second", "active", None), ("second", "failed", False)],
)
def test_engine_runs_by_a_deferred_file_from_its_next_start(
    file: ConfigFile, start: str, state: str, icc: bool | None
) -> None:
    file.defer('{"icc": false}', "first")
    _current, running = read_documents(file, Unit(True, state, ("dockerd",), {}, start=start), False)
    assert (running or {}).get("icc") == icc


def test_what_nobody_can_parse_is_refused_or_replaced(file: ConfigFile) -> None:
    file.write("{")
    with pytest.raises(InputError, match=r"is not JSON.*replace_invalid: true"):
        read_documents(file, RUNNING, False)
    assert read_documents(file, RUNNING, True) == (None, None)
