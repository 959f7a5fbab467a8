# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import sources, writer
from ansible_collections.breakwater.docker.plugins.plugin_utils.report.fleet import Fleet
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report import factory


def test_files_are_for_their_owner_and_group_only(tmp_path: Path) -> None:
    directory = tmp_path / "reports"
    factory.write_reports(directory, factory.fleet(2), *writer.FORMATS)
    assert {path.name for path in directory.iterdir()} == {"hosts", *(name for name, _kind in writer.FORMATS.values())}
    for path in [directory, *directory.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o750 if path.is_dir() else 0o640)


def test_a_run_that_breaks_leaves_the_earlier_files_and_no_remains(tmp_path: Path) -> None:
    factory.write_reports(tmp_path, factory.fleet(2), "json", "html")
    before = {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def broken() -> factory.Iterator[sources.HostDocument]:
        yield from sources.of_directories([tmp_path])
        raise RuntimeError

    with pytest.raises(RuntimeError):
        writer.write(tmp_path, ["json", "html"], broken(), Fleet(factory.AT, "breakwater.docker 1.2.3"))
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_a_directory_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match=r"can't be written: .*choose another report directory"):
        factory.write_reports(tmp_path / "file", factory.fleet(1), "json")
