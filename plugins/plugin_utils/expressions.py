# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# JMESPath made strict. As specified, it fails open: a typo is null, `null > 0` is null, `!null` is true. Here field
# names and types are checked when a rule is loaded, and whatever is not a boolean where one is needed raises.
# Specification: https://jmespath.org/specification.html

from __future__ import annotations

import difflib
import re
from typing import Any, Mapping

from ansible_collections.breakwater.docker.plugins.plugin_utils.functions import RESULT_KINDS, RuleFunctions
from ansible_collections.breakwater.docker.plugins.plugin_utils.jmespath_library import (
    JMESPathError,
    parser,
    require,
    visitor,
)
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import ANY, FieldType

Node = Any  # jmespath's syntax tree: nested dictionaries with type, value and children


class ExpressionError(ValueError):
    """An expression is wrong, or yields what it must not; the text says why."""


def _boolean(value: Any, where: str) -> bool:
    if isinstance(value, bool):
        return value
    raise ExpressionError(f"{where} needs true or false, not {value!r}")


class StrictInterpreter(visitor.TreeInterpreter):
    """Evaluates as JMESPath does, but raises where JMESPath would take null for an answer."""

    def visit_comparator(self, node: Node, value: Any) -> bool:
        """Compare; an ordering needs two numbers."""
        if node["value"] in {"eq", "ne"}:
            return super().visit_comparator(node, value)
        left, right = (self.visit(child, value) for child in node["children"])
        if any(isinstance(side, bool) or not isinstance(side, (int, float)) for side in (left, right)):
            raise ExpressionError(f"an ordering needs two numbers, not {left!r} and {right!r}")
        return self.COMPARATOR_FUNC[node["value"]](left, right)

    def visit_not_expression(self, node: Node, value: Any) -> bool:
        """Negate a boolean."""
        return not _boolean(self.visit(node["children"][0], value), "!")

    def visit_and_expression(self, node: Node, value: Any) -> bool:
        """Both; the second side is not looked at when the first is false."""
        return all(_boolean(self.visit(child, value), "&&") for child in node["children"])

    def visit_or_expression(self, node: Node, value: Any) -> bool:
        """Either; the second side is not looked at when the first is true."""
        return any(_boolean(self.visit(child, value), "||") for child in node["children"])

    def visit_filter_projection(self, node: Node, value: Any) -> list[Any]:
        """Select by a condition that must be boolean for every element of a list."""
        base, result, condition = node["children"]
        elements = self.visit(base, value)
        if not isinstance(elements, list):
            raise ExpressionError(f"a filter needs a list, not {elements!r}")
        kept = [item for item in elements if _boolean(self.visit(condition, item), "a filter")]
        return [found for found in (self.visit(result, item) for item in kept) if found is not None]


_OPTIONS = visitor.Options(custom_functions=RuleFunctions())
_INTERPRETER = StrictInterpreter(_OPTIONS)


class Expression:
    """A parsed expression, checked against the type of what it will be applied to."""

    def __init__(self, source: str, context: FieldType, boolean: bool = False) -> None:
        """Parse and check `source`; ExpressionError for a syntax error, an unknown field or types that can't fit.

        InputError where jmespath is missing.
        """
        require()
        self.source = source
        #: the top-level fields that the expression reads, and those of the engine as `engine.NAME`
        self.fields: set[str] = set()
        self._root = context
        try:
            self._tree = parser.Parser().parse(source).parsed
        except JMESPathError as error:
            raise ExpressionError(f"{source!r} is not JMESPath: {' '.join(str(error).split())}") from None
        kind = self._check(self._tree, context).kind
        if boolean and kind not in {"boolean", "any"}:
            raise ExpressionError(f"{source!r} yields a {kind}, where true or false is needed")

    def evaluate(self, value: Mapping[str, Any]) -> Any:
        """Apply the expression; ExpressionError when it can't be decided."""
        try:
            return _INTERPRETER.visit(self._tree, value)
        except JMESPathError as error:
            raise ExpressionError(str(error)) from None
        except ExpressionError:
            raise
        except (ValueError, TypeError, AttributeError, re.error) as error:
            raise ExpressionError(f"{self.source!r} can't be decided: {error}") from None

    def decide(self, value: Mapping[str, Any]) -> bool:
        """Apply the expression; ExpressionError when the result is neither true nor false."""
        return _boolean(self.evaluate(value), self.source)

    def _check(self, node: Node, current: FieldType) -> FieldType:
        check = getattr(self, f"_check_{node['type']}", None)
        if check is not None:
            return check(node, current)
        for child in node["children"]:
            if isinstance(child, dict):
                self._check(child, current)
        return ANY

    def _check_field(self, node: Node, current: FieldType) -> FieldType:
        name = node["value"]
        if current is self._root:
            self.fields.add(name)
        elif current is self._root.fields.get("engine"):
            self.fields.add(f"engine.{name}")
        if current.kind == "any":
            return ANY
        if current.kind != "object":
            raise ExpressionError(f"{self.source!r} asks a {current.kind} for its field {name!r}")
        if current.values is not None:
            return current.values
        if name not in current.fields:
            near = difflib.get_close_matches(name, current.fields, 1)
            if name in {"null", "true", "false"}:
                near = [f"`{name}`"]  # a literal needs backticks
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(sorted(current.fields))}"
            raise ExpressionError(f"{self.source!r} names the unknown field {name!r}{hint}")
        return current.fields[name]

    def _check_chain(self, node: Node, current: FieldType) -> FieldType:
        for child in node["children"]:
            current = self._check(child, current)
        return current

    _check_subexpression = _check_pipe = _check_index_expression = _check_chain

    def _element(self, kind: FieldType, what: str) -> FieldType:
        if kind.kind not in {"list", "any"}:
            raise ExpressionError(f"{self.source!r} uses {what} on a {kind.kind}")
        return kind.items or ANY

    def _check_index(self, _node: Node, current: FieldType) -> FieldType:
        return self._element(current, "an index")

    def _check_slice(self, _node: Node, current: FieldType) -> FieldType:
        self._element(current, "a slice")
        return current

    def _check_projection(self, node: Node, current: FieldType) -> FieldType:
        base, result = node["children"]
        return FieldType("list", items=self._check(result, self._element(self._check(base, current), "[*]")))

    def _check_filter_projection(self, node: Node, current: FieldType) -> FieldType:
        base, result, condition = node["children"]
        element = self._element(self._check(base, current), "a filter")
        self._require_boolean(condition, element)
        return FieldType("list", items=self._check(result, element))

    def _check_value_projection(self, node: Node, current: FieldType) -> FieldType:
        base, result = node["children"]
        kind = self._check(base, current)
        if kind.kind not in {"object", "any"}:
            raise ExpressionError(f"{self.source!r} uses * on a {kind.kind}")
        return FieldType("list", items=self._check(result, kind.values or ANY))

    def _check_flatten(self, node: Node, current: FieldType) -> FieldType:
        element = self._element(self._check(node["children"][0], current), "[]")
        return FieldType("list", items=element.items if element.kind == "list" else element)

    def _require_boolean(self, node: Node, current: FieldType) -> FieldType:
        kind = self._check(node, current).kind
        if kind not in {"boolean", "any"}:
            raise ExpressionError(f"{self.source!r} uses a {kind} as true or false; compare it with something")
        return FieldType("boolean")

    def _check_booleans(self, node: Node, current: FieldType) -> FieldType:
        for child in node["children"]:
            self._require_boolean(child, current)
        return FieldType("boolean")

    _check_and_expression = _check_or_expression = _check_not_expression = _check_booleans

    def _check_comparator(self, node: Node, current: FieldType) -> FieldType:
        kinds = {
            "number" if kind == "integer" else kind
            for kind in (self._check(child, current).kind for child in node["children"])
        }
        kinds -= {"any", "null"}
        if len(kinds) > 1:
            raise ExpressionError(f"{self.source!r} compares a {' with a '.join(sorted(kinds))}")
        return FieldType("boolean")

    def _check_literal(self, node: Node, _current: FieldType) -> FieldType:
        value = node["value"]
        kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "list", dict: "any"}
        return FieldType(kinds.get(type(value), "null"))

    def _check_current(self, _node: Node, current: FieldType) -> FieldType:
        return current

    _check_identity = _check_current

    def _check_function_expression(self, node: Node, current: FieldType) -> FieldType:
        if node["value"] not in RuleFunctions.FUNCTION_TABLE:
            raise ExpressionError(f"{self.source!r} calls the unknown function {node['value']!r}")
        arguments = [self._check(child, current) for child in node["children"] if child["type"] != "expref"]
        element = next((kind.items for kind in arguments if kind.kind == "list" and kind.items), ANY)
        for child in node["children"]:
            if child["type"] == "expref":
                self._check(child["children"][0], element)
        return FieldType(RESULT_KINDS.get(node["value"], "any"))

    def _check_multi_select_dict(self, node: Node, current: FieldType) -> FieldType:
        return FieldType(
            "object", fields={c["value"]: self._check(c["children"][0], current) for c in node["children"]}
        )
