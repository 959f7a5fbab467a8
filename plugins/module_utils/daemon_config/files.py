# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Configuration files that are replaced whole or not at all, and whose former content outlives a run that is killed.

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from typing import Any, Iterator, Mapping

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.host_files import install

#: A configuration file's mode where there was no file; CIS allows no more.
_MODE = 0o644


def parse(text: str, path: str) -> dict[str, Any]:
    """Return the object in daemon.json as dockerd reads it: a byte order mark is skipped, an empty file is an object.

    InputError for anything else that is no JSON object.
    """
    content = text.lstrip("\ufeff")
    if not content.strip():
        return {}
    try:
        document = json.loads(content)
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise InputError(f"{path} holds {type(document).__name__} where an object is needed.")
    return document


def render(document: Mapping[str, Any]) -> str:
    """Return the text of daemon.json; keys in order, so that the same settings give the same file."""
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


class ConfigFile:
    """A configuration file with an undo copy: `begin`, any number of `write`, then `commit` or `restore`.

    The copy is called PATH.breakwater-pending while the engine does not yet run by the file, so that the run after
    a killed one knows what the engine runs by, and PATH.breakwater-previous afterwards. While the engine may not be
    restarted, PATH.breakwater-deferred names the start of it that has not read the file.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self._pending = self.path + ".breakwater-pending"
        self._deferred = self.path + ".breakwater-deferred"

    def read(self) -> str | None:
        """Return the content, None where there is no file."""
        return read(self.path)

    def unfinished(self) -> str | None:
        """Return the content before a run that was killed (empty for none), None where no run was."""
        return read(self._pending)

    def begin(self) -> None:
        """Keep the content before the first `write`; what an unfinished run kept stays."""
        if self.unfinished() is None:
            self._replace(self._pending, self.read() or "")

    def defer(self, effective: str, start: str) -> None:
        """Leave the content to the next start of the engine, which until then runs by `effective`, since `start`."""
        self._replace(self._pending, effective)
        self._replace(self._deferred, start)

    def deferred(self) -> str | None:
        """Return the start of the engine that did not read the content, None where nothing was left to the next one."""
        return read(self._deferred)

    def write(self, text: str) -> None:
        """Replace the content atomically."""
        self._replace(self.path, text)

    def put(self, text: str | None) -> None:
        """Replace the content atomically, or remove the file."""
        if text is None:
            self.delete()
        else:
            self.write(text)

    def set_aside(self, suffix: str) -> None:
        """Copy the content, which nobody can read, to PATH + `suffix`."""
        self._replace(self.path + suffix, self.read() or "")

    def commit(self) -> None:
        """Declare the present content good; what was before stays at PATH.breakwater-previous."""
        if self.unfinished():
            os.replace(self._pending, self.path + ".breakwater-previous")
        else:
            self._remove(self._pending)
        self._remove(self._deferred)

    def restore(self) -> None:
        """Bring back the content before `begin`, or the absence of the file."""
        content = self.unfinished()
        if content is not None and content == self.read():
            self._remove(self._pending)  # a file that can't be replaced, being mounted or immutable, was not
        elif content:
            os.replace(self._pending, self.path)
        elif content is not None:
            self._remove(self.path)
            self._remove(self._pending)
        self._remove(self._deferred)

    def delete(self) -> None:
        """Remove the file."""
        self._remove(self.path)

    def _replace(self, path: str, text: str) -> None:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        install(path, text, self._mode())

    def _mode(self) -> int:
        with contextlib.suppress(OSError):
            return os.stat(self.path).st_mode & _MODE
        return _MODE

    @staticmethod
    def _remove(path: str) -> None:
        if os.path.lexists(path):  # a read-only file system complains of a missing file, too
            os.unlink(path)


@contextlib.contextmanager
def locked(path: str, timeout: float) -> Iterator[None]:
    """Let one run at a time change the file at `path`; wait at most `timeout` seconds for the other one."""
    directory = os.path.dirname(os.path.realpath(path))
    os.makedirs(directory, mode=0o755, exist_ok=True)
    # The directory itself is locked: nothing is left behind, and the kernel frees the lock of a killed run.
    handle = os.open(directory, os.O_RDONLY)
    deadline = time.monotonic() + timeout
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    reason = f"Another run has been changing {path} for more than {timeout:g} seconds."
                    raise BreakwaterError(f"{reason} Wait for it and run again; nothing was changed.") from None
                time.sleep(0.2)
        yield
    finally:
        os.close(handle)


def read(path: str) -> str | None:
    """Return a file's text, None where there is no file."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
