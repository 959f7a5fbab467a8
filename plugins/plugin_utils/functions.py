# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What rules need and JMESPath lacks: octal modes, versions, patterns, differences, known vulnerabilities.

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_keys import version_tuple
from ansible_collections.breakwater.docker.plugins.plugin_utils.jmespath_library import functions
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import load_yaml

DATA_DIRECTORY = Path(__file__).parent / "catalogue" / "data"


@lru_cache(maxsize=1)
def vulnerability_table() -> dict[str, Any]:
    """Return the table of known vulnerabilities: its date, and per component the versions with the fix."""
    return load_yaml(DATA_DIRECTORY / "vulnerabilities.yml")


def known_vulnerabilities(component: str, version: str) -> list[str]:
    """Return the ids of the vulnerabilities that upstream's `version` of `component` has, sorted.

    A distribution mends without a new upstream version: what its changelog names is to be taken off by the rule.
    ValueError for an unknown component and for what is no version.
    """
    components = vulnerability_table()["components"]
    if component not in components:
        raise ValueError(f"no vulnerabilities are recorded for {component!r}")
    key = version_tuple(version)
    return sorted(
        {
            entry["id"]
            for entry in components[component]
            if version_tuple(entry.get("introduced", "0")) <= key < version_tuple(entry["fixed_in"])
        }
    )


class RuleFunctions(functions.Functions):
    """JMESPath's own functions and those of this collection; a wrong argument type is an error, never null."""

    @functions.signature({"types": ["number"]}, {"types": ["string"]})
    def _func_mode_within(self, mode: int, limit: str) -> bool:
        """Tell whether a file mode has no bit that the octal `limit` lacks (606 is not within 0660)."""
        return mode & 0o7777 & ~int(limit, 8) == 0

    @functions.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_version_at_least(self, version: str, floor: str) -> bool:
        """Compare versions by their numbers."""
        return version_tuple(version) >= version_tuple(floor)

    @functions.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_matches(self, text: str, pattern: str) -> bool:
        """Tell whether the regular expression is found in the text."""
        return re.search(pattern, text) is not None

    @functions.signature({"types": ["array-string"]}, {"types": ["array-string"]})
    def _func_any_match(self, texts: list[str], patterns: list[str]) -> bool:
        """Tell whether any text fits any shell pattern."""
        return any(fnmatchcase(text, pattern) for text in texts for pattern in patterns)

    @functions.signature({"types": ["array"]}, {"types": ["array"]})
    def _func_difference(self, left: list[Any], right: list[Any]) -> list[Any]:
        """Return what is in the first list and not in the second."""
        return [item for item in left if item not in right]

    @functions.signature({"types": ["array-string"]}, {"types": ["array-string"]})
    def _func_unmatched(self, texts: list[str], patterns: list[str]) -> list[str]:
        """Return the texts that fit none of the shell patterns."""
        return [text for text in texts if not any(fnmatchcase(text, pattern) for pattern in patterns)]

    @functions.signature({"types": ["object"]}, {"types": ["string"]})
    def _func_values_for(self, lists: dict[str, list[Any]], text: str) -> list[Any]:
        """Return, as one list, what the lists hold whose key is a shell pattern that the text fits."""
        return [item for pattern, items in lists.items() if fnmatchcase(text, pattern) for item in items]

    @functions.signature({"types": ["string"]})
    def _func_lower(self, text: str) -> str:
        """Return the text in lower case."""
        return text.lower()

    @functions.signature({"types": ["string"]}, {"types": ["string"]})
    def _func_vulnerabilities(self, component: str, version: str) -> list[str]:
        """Return the ids of the known vulnerabilities in that version of the component."""
        return known_vulnerabilities(component, version)


#: What a call yields, for the static check; JMESPath's functions that are not named here yield any type.
RESULT_KINDS = {
    **dict.fromkeys(
        ("mode_within", "version_at_least", "matches", "any_match", "contains", "starts_with", "ends_with"), "boolean"
    ),
    **dict.fromkeys(("length", "sum", "avg", "abs", "ceil", "floor"), "number"),
    **dict.fromkeys(("lower", "join", "type", "to_string"), "string"),
    **dict.fromkeys(("difference", "unmatched", "values_for", "vulnerabilities", "keys", "values"), "list"),
}
