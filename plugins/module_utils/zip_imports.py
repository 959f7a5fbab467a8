# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Ansible sends a module and what it imports as a zip file, and Python compiles each source file of a zip file twice:
# importlib asks the importer for the file's name, and zipimporter.get_filename() compiles the file to tell it.

from __future__ import annotations

import zipimport
from functools import lru_cache

_COMPILE = "_compile_source"


def compile_once() -> None:
    """Let the code that was compiled for the name be the code that is run; call it before the large imports.

    It halves the time of importing the collector. An interpreter whose zipimport has no such function is left alone.
    """
    if hasattr(zipimport, _COMPILE):
        # The second time follows the first at once, with no other file between them.
        setattr(zipimport, _COMPILE, lru_cache(maxsize=1)(getattr(zipimport, _COMPILE)))
