# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The library jmespath, or what lets the collection be imported without it, to tell in a sentence that it is missing.

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any, Callable

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError


class _Base:
    """Stands for any class of the library."""

    def __init__(self, *_arguments: Any, **_options: Any) -> None:
        pass


def _signature(*_types: Any) -> Callable[[Any], Any]:
    return lambda function: function


def _library(name: str, stand_in: Any) -> Any:
    try:
        return importlib.import_module(f"jmespath.{name}")
    except ImportError:
        return stand_in


functions = _library("functions", SimpleNamespace(Functions=_Base, signature=_signature))
visitor = _library("visitor", SimpleNamespace(TreeInterpreter=_Base, Options=_Base))
parser = _library("parser", None)
JMESPathError = _library("exceptions", SimpleNamespace(JMESPathError=Exception)).JMESPathError


def require() -> None:
    """Raise InputError where the library is missing."""
    if parser is None:
        raise InputError(
            "Judging evidence needs Python's jmespath on the controller; install it beside ansible-core, for example "
            "by `pip install jmespath`."
        )
