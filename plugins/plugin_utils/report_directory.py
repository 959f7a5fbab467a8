# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The directory of a run's reports on the controller: `hosts/<host>.json` for each host, and the fleet's files beside.

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from urllib.parse import quote

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError


def host_file(directory: Path, host: str, kind: str = "hosts") -> Path:
    """Return the path of a host's file; characters that are not safe in a file name are percent-encoded."""
    return directory / kind / f"{quote(host, safe='')}.json"


def write_atomically(path: Path, text: str) -> None:
    """Write a file readable by its owner and group only, whole or not at all; InputError where that can't be done.

    Reports tell an attacker where to look, hence modes 0750 and 0640.
    """
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            os.chmod(temporary, 0o640)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}; choose another report directory.") from None
