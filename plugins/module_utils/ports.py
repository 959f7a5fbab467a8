# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What the core needs of a host, as protocols with their real implementations; tests give a directory as root.

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
from typing import Any, Callable, Iterator, NamedTuple, Protocol, Sequence, TypeVar

Answer = TypeVar("Answer")

#: How much of a file is read at once.
_PART = 64 << 10
#: Files of the kernel's own, which nobody can replace by anything else.
_OF_PROCESS = re.compile(r"/proc/[0-9]+/[a-z]+")
#: A pipe must not keep the reader waiting, nor a terminal become the reader's own.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY


class EngineReader(Protocol):
    """Reads documents from the Engine API."""

    def get(self, path: str) -> Any:
        """Return the JSON document at `path` (for example `/info`); EngineError when there is none to trust."""

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        """Yield the documents at `paths` in this order, without those that the engine does not have."""


class CommandResult(NamedTuple):
    """What a command left behind; `rc` is None when it is missing or did not end in time."""

    rc: int | None
    stdout: str
    stderr: str


class CommandRunner(Protocol):
    """Runs commands that read."""

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        """Run `argv` without a shell for at most `timeout` seconds."""


class SubprocessRunner:
    """Runs commands on this host in the C locale, without standard input."""

    def run(self, argv: Sequence[str], timeout: float = 10.0) -> CommandResult:
        """Run `argv` without a shell for at most `timeout` seconds; never raises."""
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
        try:
            # AnsibleModule.run_command has no time limit
            done = subprocess.run(  # pylint: disable=ansible-bad-function
                argv,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout,
                check=False,
                env={**os.environ, "LC_ALL": "C", "PATH": path},
            )
        except subprocess.TimeoutExpired:
            return CommandResult(None, "", f"{argv[0]} did not end within {timeout:g} seconds")
        except FileNotFoundError:
            return CommandResult(None, "", f"{argv[0]} is not installed")
        except OSError as error:
            return CommandResult(None, "", f"{argv[0]} can't be started: {error.strerror}")
        return CommandResult(
            done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
        )


class FileSystem(Protocol):
    """Reads files; absolute paths as the host sees them. Every method raises OSError as the os module does."""

    def read_text(self, path: str, limit: int = 1 << 20) -> str:
        """Return at most `limit` bytes of a regular file as text; bytes that are not UTF-8 are replaced.

        A pipe, a socket or a device is not opened, since others put such where their settings are expected: OSError.
        """

    def stat(self, path: str) -> os.stat_result:
        """Return the status of what `path` leads to."""

    def lstat(self, path: str) -> os.stat_result:
        """Return the status of `path` itself, be it a symbolic link."""

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link as it is written."""


class LocalFileSystem:
    """The file system below `root`: a host's own, or a directory that a test made."""

    def __init__(self, root: str = "/") -> None:
        self._root = root.rstrip("/")

    def _ask(self, question: Callable[[str], Answer], path: str) -> Answer:
        """Ask about the file; FileNotFoundError for what can't be a path, for which the os module has ValueError."""
        try:
            return question(self._root + path)
        except ValueError:
            raise FileNotFoundError(errno.ENOENT, "no file can have such a name", path) from None

    def read_text(self, path: str, limit: int = 1 << 20) -> str:
        """Return at most `limit` bytes of a regular file as text; bytes that are not UTF-8 are replaced."""
        # not by open(), whose buffers take longer to make than the small files of /proc to read
        handle = self._ask(_open if _OF_PROCESS.fullmatch(path) else _open_regular, path)
        try:
            return b"".join(_parts(handle, limit)).decode("utf-8", "replace")
        finally:
            os.close(handle)

    def stat(self, path: str) -> os.stat_result:
        """Return the status of what `path` leads to."""
        return self._ask(os.stat, path)

    def lstat(self, path: str) -> os.stat_result:
        """Return the status of `path` itself, be it a symbolic link."""
        return self._ask(os.lstat, path)

    def listdir(self, path: str) -> list[str]:
        """Return the names in a directory, sorted."""
        return sorted(self._ask(os.listdir, path))

    def readlink(self, path: str) -> str:
        """Return the target of a symbolic link as it is written."""
        return self._ask(os.readlink, path)


def _open(place: str) -> int:
    return os.open(place, _READ)


def _open_regular(place: str) -> int:
    """Open a file that is known to be regular before it is opened, which alone makes some devices act."""
    found = os.open(place, os.O_PATH)
    try:
        mode = os.fstat(found).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), place)
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "this is no regular file", place)
        # by its handle, since another file may have the name by now
        return _open(f"/proc/self/fd/{found}")
    except PermissionError as error:
        raise PermissionError(error.errno, error.strerror, place) from None
    finally:
        os.close(found)


def _parts(handle: int, limit: int) -> Iterator[bytes]:
    left = limit
    while left > 0:
        part = os.read(handle, min(left, _PART))
        if not part:
            return
        yield part
        left -= len(part)
