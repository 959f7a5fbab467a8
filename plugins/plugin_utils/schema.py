# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The evidence schema: which fields an object of each scope has, of which type. Rules are checked against it before a
# host is asked, and a host's evidence before a rule sees it.

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Iterable, Mapping

import yaml

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

SCHEMA_DIRECTORY = Path(__file__).parent / "evidence_schema"
KINDS = ("boolean", "integer", "number", "string", "list", "object", "null", "any")
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class FieldType:
    """The type of a value: `items` for a list, `fields` for an object of known keys, `values` for one of free keys."""

    kind: str
    nullable: bool = False
    description: str = ""
    items: FieldType | None = None
    fields: Mapping[str, FieldType] = field(default_factory=dict)
    values: FieldType | None = None
    example: Any = None

    def accepts(self, value: Any) -> bool:
        """Tell whether `value` is of this type; keys beyond `fields` are tolerated."""
        if value is None:
            return self.nullable or self.kind in {"null", "any"}
        if self.kind == "list":
            return isinstance(value, list) and all(self.items is None or self.items.accepts(item) for item in value)
        if self.kind == "object":
            if not isinstance(value, dict):
                return False
            if self.values is not None:
                return all(self.values.accepts(item) for item in value.values())
            return all(name in value and kind.accepts(value[name]) for name, kind in self.fields.items())
        if self.kind in {"integer", "number"}:
            return isinstance(value, int if self.kind == "integer" else (int, float)) and not isinstance(value, bool)
        return self.kind == "any" or isinstance(value, {"boolean": bool, "string": str}[self.kind])

    def example_object(self) -> dict[str, Any]:
        """Return an object whose fields hold their examples."""
        return {name: kind.example for name, kind in self.fields.items()}


ANY = FieldType("any", nullable=True)


def parse_field(raw: Any, where: str) -> FieldType:
    """Build a type from its YAML form; ValueError names what is wrong at `where`."""
    if isinstance(raw, str):
        raw = {"type": raw}
    if not isinstance(raw, dict):
        raise ValueError(f"{where}: a field is a mapping with a type, not {raw!r}")
    kind = raw.get("type", "object" if "fields" in raw else None)
    if kind not in KINDS:
        raise ValueError(f"{where}: the type {kind!r} is none of {', '.join(KINDS)}")
    fields = raw.get("fields", {})
    return FieldType(
        kind=kind,
        nullable=bool(raw.get("nullable", False)),
        description=raw.get("description", ""),
        items=parse_field(raw["items"], f"{where}[]") if "items" in raw else None,
        fields={name: parse_field(item, f"{where}.{name}") for name, item in fields.items()},
        values=parse_field(raw["values"], f"{where}.*") if "values" in raw else None,
        example=raw.get("example", raw.get("default")),
    )


class _Loader(_SAFE_LOADER):  # type: ignore[misc,valid-type]
    """The safe loader, that of libyaml where PyYAML has it (ten times as fast), which takes no key twice.

    PyYAML keeps the last one: an entry whose dash was forgotten would replace the one before, unseen.
    """

    def get_single_node(self) -> yaml.Node | None:
        """Return the document's tree; ConstructorError where a mapping has a key twice."""
        root = super().get_single_node()
        pending, seen = [root], set()
        while pending:
            node = pending.pop()
            if isinstance(node, yaml.SequenceNode):
                pending += node.value
            elif isinstance(node, yaml.MappingNode) and node not in seen:
                seen.add(node)
                pending += [value for _key, value in node.value]
                _refuse_twice(key for key, _value in node.value if isinstance(key, yaml.ScalarNode))
        return root


def _refuse_twice(keys: Iterable[yaml.ScalarNode]) -> None:
    known = set()
    for key in keys:
        if (key.tag, key.value) in known:
            raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} is there twice", key.start_mark)
        known.add((key.tag, key.value))


def load_yaml(path: Path) -> Any:
    """Read a YAML file."""
    with path.open(encoding="utf-8") as handle:
        return yaml.load(handle, Loader=_Loader)  # noqa: S506 (_Loader is a safe loader)


def load_list(path: Path, what: str, guide: str) -> list[Any]:
    """Read a user's YAML file that has to hold a list of `what`; InputError where it can't be read or is no list."""
    try:
        raw = load_yaml(path)
    except OSError as error:
        raise InputError(f"The file of {what} {path} can't be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"The file of {what} {path} is not YAML: {' '.join(str(error).split())}.") from None
    if not isinstance(raw, list):
        raise InputError(f"{path} has to be a list of {what}; see {guide}.")
    return raw


@lru_cache(maxsize=None)
def scope_schema(scope: str) -> FieldType:
    """Return the type of an object of `scope` (also `engine` and `policy`); FileNotFoundError for another name."""
    raw = load_yaml(SCHEMA_DIRECTORY / f"{scope}.yml")
    return parse_field({"type": "object", "fields": raw["fields"]}, scope)


@lru_cache(maxsize=None)
def context_schema(scope: str) -> FieldType:
    """Return the type that a rule's expressions see: the object's fields, `engine` and `policy`."""
    shared = {"engine": scope_schema("engine"), "policy": scope_schema("policy")}
    return FieldType("object", fields={**scope_schema(scope).fields, **shared})
