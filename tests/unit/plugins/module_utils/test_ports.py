# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.ports import LocalFileSystem
from ansible_collections.breakwater.docker.tests.unit.fakes.clock import in_time


def read(path: Path) -> str:
    with in_time():
        return LocalFileSystem().read_text(str(path))


def test_pipe_keeps_no_reader_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        read(tmp_path / "pipe")


def test_device_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "device").symlink_to("/dev/null")
    with pytest.raises(OSError, match="no regular file"):
        read(tmp_path / "device")


def test_file_that_is_replaced_after_the_look_at_it_is_still_what_was_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("seen", encoding="utf-8")
    look = os.fstat

    def replace(handle: int) -> os.stat_result:
        status = look(handle)
        (tmp_path / "file").unlink()
        os.mkfifo(tmp_path / "file")
        return status

    monkeypatch.setattr(os, "fstat", replace)
    assert read(tmp_path / "file") == "seen"


def test_socket_and_directory_are_told_apart(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
    with pytest.raises(OSError, match="no regular file"):
        read(tmp_path / "socket")
    with pytest.raises(IsADirectoryError):
        read(tmp_path)


def test_files_of_the_kernel_are_read() -> None:
    assert read(Path("/proc/self/status")).startswith("Name:")
    assert read(Path(f"/proc/{os.getpid()}/status")).startswith("Name:")
    assert read(Path("/proc/sys/kernel/ostype")) == "Linux\n"


def test_file_that_may_not_be_read_is_told_by_its_own_name() -> None:
    with tempfile.TemporaryDirectory() as directory:
        closed = Path(directory, "closed")
        closed.write_text("")
        closed.chmod(0)
        Path(directory).chmod(0o711)
        user = os.geteuid()
        os.seteuid(user or 65534)  # root may read everything
        try:
            with pytest.raises(PermissionError) as raised:
                read(closed)
        finally:
            os.seteuid(user)
    assert raised.value.filename == str(closed)
