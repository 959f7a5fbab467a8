# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Reads the YAML that configuration files are written in, on hosts whose Python has no library for it: block and flow
# mappings and lists, plain and quoted scalars, comments. Everything else (anchors, aliases, tags, block scalars,
# several documents, tabs, a key twice) is refused, never guessed. Source: https://yaml.org/spec/1.1/

from __future__ import annotations

import json
import re
from typing import Any, Iterator, NamedTuple

_WORDS = {"null": None, **dict.fromkeys(("true", "yes", "on"), True), **dict.fromkeys(("false", "no", "off"), False)}
_CONSTANTS = {
    **{spelt: value for word, value in _WORDS.items() for spelt in (word, word.capitalize(), word.upper())},
    **dict.fromkeys(("", "~")),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'"
#: A key, and what follows the colon. A colon within a word (`:5000`, `https://`) ends no key.
_PAIR = re.compile(rf"({_QUOTED}|[^\s\"'\[\]{{}},#&*!|>%@`?:-][^\"'\[\]{{}},#:]*?)\s*:(?:\s+(.*))?")
_ITEM = re.compile(r"-(?:(\s+)(.*))?")
#: In flow collections a plain scalar ends at the next of their signs.
_FLOW_PLAIN = r"(?:[^\s\[\]{},:]|:(?=[^\s,\[\]{}])| +(?=[^\s\[\]{},:#]))+"
_FLOW_PART = re.compile(rf"\s*({_QUOTED}|[\[\]{{}},]|:(?=[\s\[\]{{}},\"']|$)|{_FLOW_PLAIN})")
#: With these a plain scalar can't begin, or would mean something that is not read here.
_RESERVED = tuple("&*!|>%@`?,]}")
_MARKERS = ("---", "...")


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def parse(text: str) -> Any:
    """Return what the document holds; ValueError with the number of a line, and nothing of its text, for other YAML."""
    if text.lstrip().startswith("{"):
        return json.loads(text)
    lines = list(_lines(text))
    if not lines:
        return None
    value, rest = _block(lines, lines[0].indent)
    if rest:
        raise _refusal(rest[0])
    return value


def scalar(text: str) -> Any:
    """Return the value of one line that may be a scalar or a flow collection; ValueError for anything else."""
    return _value(_Line(1, 0, _without_comment(text.strip())), text.strip())


def _refusal(line: _Line) -> ValueError:
    return ValueError(f"line {line.number} is YAML of a kind that is not read here")


def _lines(text: str) -> Iterator[_Line]:
    for number, raw in enumerate(text.splitlines(), 1):
        bare = _without_comment(raw.rstrip())
        body = bare.strip()
        if not body or (body == _MARKERS[0] and number == 1):
            continue
        line = _Line(number, len(bare) - len(bare.lstrip(" ")), body)
        if bare.lstrip(" ").startswith("\t") or body.startswith(_MARKERS):
            raise _refusal(line)
        yield line


def _without_comment(text: str) -> str:
    quote = ""
    for position, sign in enumerate(text):
        before = text[position - 1] if position else " "
        if quote:
            quote = "" if sign == quote and (quote == "'" or before != "\\") else quote
        elif sign in "\"'" and before in " [{,:-":
            quote = sign
        elif sign == "#" and before in " \t":
            return text[:position].rstrip()
    return text


def _block(lines: list[_Line], indent: int) -> tuple[Any, list[_Line]]:
    """Return the collection whose entries begin at `indent`, and the lines behind it."""
    first = lines[0]
    if _ITEM.fullmatch(first.text):
        return _sequence(lines, indent)
    if _PAIR.fullmatch(first.text):
        return _mapping(lines, indent)
    if len(lines) == 1:
        return _value(first, first.text), []
    raise _refusal(lines[1])


def _mapping(lines: list[_Line], indent: int) -> tuple[dict[str, Any], list[_Line]]:
    found: dict[str, Any] = {}
    while lines and lines[0].indent == indent:
        line = lines[0]
        pair = _PAIR.fullmatch(line.text)
        if not pair:
            raise _refusal(line)
        key, text = str(_value(line, pair.group(1))) if pair.group(1)[0] in "\"'" else pair.group(1), pair.group(2)
        if key in found or key == "<<":
            raise _refusal(line)
        lines = lines[1:]
        if text:
            found[key] = _value(line, text)
        else:
            found[key], lines = _nested(lines, indent)
    return found, _ended(lines, indent)


def _nested(lines: list[_Line], indent: int) -> tuple[Any, list[_Line]]:
    """Return what belongs to a key without a value on its line; a list may begin at the key's own indentation."""
    if lines and (lines[0].indent > indent or (lines[0].indent == indent and _ITEM.fullmatch(lines[0].text))):
        return _block(lines, lines[0].indent)
    return None, lines


def _sequence(lines: list[_Line], indent: int) -> tuple[list[Any], list[_Line]]:
    found: list[Any] = []
    while lines and lines[0].indent == indent and (item := _ITEM.fullmatch(lines[0].text)):
        line, text = lines[0], item.group(2)
        if not text:
            value, lines = (
                _nested(lines[1:], indent) if len(lines) > 1 and lines[1].indent > indent else (None, lines[1:])
            )
        elif _PAIR.fullmatch(text):
            # the item is a mapping whose first key is on the line of the dash
            inner = indent + 1 + len(item.group(1))
            value, lines = _mapping([_Line(line.number, inner, text), *lines[1:]], inner)
        else:
            value, lines = _value(line, text), lines[1:]
        found.append(value)
    return found, _ended(lines, indent)


def _ended(lines: list[_Line], indent: int) -> list[_Line]:
    if lines and lines[0].indent > indent:
        raise _refusal(lines[0])
    return lines


def _value(line: _Line, text: str) -> Any:
    if text[:1] in ("[", "{"):
        parts = _flow_parts(line, text)
        value = _flow(line, parts)
        if parts:
            raise _refusal(line)
        return value
    if text[:1] in ('"', "'"):
        if not re.fullmatch(_QUOTED, text):
            raise _refusal(line)
        return _unquoted(line, text)
    if text.startswith(_RESERVED) or re.search(r":(\s|$)", text) or _ITEM.fullmatch(text):
        raise _refusal(line)
    return _plain(text)


def _plain(text: str) -> Any:
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    return int(text) if _INTEGER.fullmatch(text) else text


def _unquoted(line: _Line, text: str) -> str:
    if text[0] == "'":
        return text[1:-1].replace("''", "'")
    try:
        return str(json.loads(text))
    except ValueError:
        raise _refusal(line) from None


def _flow_parts(line: _Line, text: str) -> list[str]:
    parts, position = [], 0
    while position < len(text):
        part = _FLOW_PART.match(text, position)
        if not part:
            raise _refusal(line)
        parts.append(part.group(1))
        position = part.end()
    return parts


def _flow(line: _Line, parts: list[str]) -> Any:
    """Take one value off the parts and return it."""
    if not parts:
        raise _refusal(line)
    part = parts.pop(0)
    if part == "[":
        items: list[Any] = []
        while _more(line, parts, "]", bool(items)):
            items.append(_flow(line, parts))
        return items
    if part == "{":
        pairs: dict[str, Any] = {}
        while _more(line, parts, "}", bool(pairs)):
            key = str(_flow(line, parts))
            if key in pairs or not parts or parts.pop(0) != ":":
                raise _refusal(line)
            pairs[key] = None if parts[:1] in ([","], ["}"]) else _flow(line, parts)
        return pairs
    if part in ("]", "}", ",", ":") or part.startswith(_RESERVED):
        raise _refusal(line)
    return _unquoted(line, part) if part[0] in "\"'" else _plain(part)


def _more(line: _Line, parts: list[str], end: str, begun: bool) -> bool:
    """Take the comma or the end of a collection off the parts, and tell whether a further entry follows."""
    if begun and parts[:1] == [","]:
        parts.pop(0)
    elif begun and parts[:1] != [end]:
        raise _refusal(line)
    if parts[:1] == [end]:
        parts.pop(0)
        return False
    return True
