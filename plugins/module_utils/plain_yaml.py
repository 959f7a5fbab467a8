# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Reads the YAML that configuration files are written in, on hosts whose Python has no library for it: block and flow
# mappings and lists, plain and quoted scalars, comments. Everything else (anchors, aliases, tags, block scalars,
# several documents, tabs, a key twice) is refused, never guessed. Source: https://yaml.org/spec/1.1/

from __future__ import annotations

import json
import re
from typing import Any, Callable, Iterator, NamedTuple

_WORDS = {"null": None, **dict.fromkeys(("true", "yes", "on"), True), **dict.fromkeys(("false", "no", "off"), False)}
_CONSTANTS = {
    **{spelt: value for word, value in _WORDS.items() for spelt in (word, word.capitalize(), word.upper())},
    **dict.fromkeys(("", "~")),
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'"
#: A key, and what follows the colon. A colon within a word (`:5000`, `https://`) ends no key. A plain key ends with no
#: space: else the time would grow with the square of the spaces in a hostile text.
_PLAIN_KEY = r"[^\s\"'\[\]{},#&*!|>%@`?:-](?:[^\"'\[\]{},#:]*[^\s\"'\[\]{},#:])?"
_PAIR = re.compile(rf"({_QUOTED}|{_PLAIN_KEY})\s*:(?:\s+(.*))?")
_ITEM = re.compile(r"-(?:(\s+)(.*))?")
#: In flow collections a plain scalar ends at the next of their signs.
_FLOW_PLAIN = r"(?:[^\s\[\]{},:]|:(?=[^\s,\[\]{}])| +(?=[^\s\[\]{},:#]))+"
_FLOW_PART = re.compile(rf"\s*({_QUOTED}|[\[\]{{}},]|:(?=[\s\[\]{{}},\"']|$)|{_FLOW_PLAIN})")
#: With these a plain scalar can't begin, or would mean something that is not read here.
_RESERVED = tuple("&*!|>%@`?,]}")
_MARKERS = ("---", "...")
#: No settings are longer or deeper, in characters and collections within each other.
_LONGEST = 64 << 10
DEEPEST = 50
_TOO_DEEP = f"it has more than {DEEPEST} collections within each other"


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def parse(text: str) -> Any:
    """Return what the document holds; ValueError with the number of a line, and nothing of its text, for other YAML.

    A document that is too long or too deep to be anybody's settings is refused, too: ValueError.
    """
    return _bounded(text, lambda: json.loads(text) if text.lstrip().startswith("{") else _document(text))


def scalar(text: str) -> Any:
    """Return the value of one line that may be a scalar or a flow collection; ValueError for anything else."""
    return _bounded(text, lambda: _value(_Line(1, 0, _without_comment(text.strip())), text.strip()))


def _bounded(text: str, read: Callable[[], Any]) -> Any:
    """Return what is read of the text; ValueError where it is too long or too deep."""
    if len(text) > _LONGEST:
        raise ValueError(f"it is longer than {_LONGEST} characters")
    try:
        value = read()
        _check_depth(value, DEEPEST)
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    return value


def _document(text: str) -> Any:
    lines = list(_lines(text))[::-1]
    if not lines:
        return None
    value = _block(lines, lines[-1].indent)
    if lines:
        raise _refusal(lines[-1])
    return value


def _check_depth(value: Any, left: int) -> None:
    if left < 0:
        raise ValueError(_TOO_DEEP)
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_depth(item, left - 1)


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


# The functions below take what they read off `lines`, whose next one is the last of the list.


def _block(lines: list[_Line], indent: int) -> Any:
    """Return the collection whose entries begin at `indent`."""
    first = lines[-1]
    if _ITEM.fullmatch(first.text):
        return _sequence(lines, indent)
    if _PAIR.fullmatch(first.text):
        return _mapping(lines, indent)
    if len(lines) == 1:
        lines.pop()
        return _value(first, first.text)
    raise _refusal(lines[-2])


def _mapping(lines: list[_Line], indent: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    while lines and lines[-1].indent == indent:
        line = lines.pop()
        pair = _PAIR.fullmatch(line.text)
        if not pair:
            raise _refusal(line)
        key, text = str(_value(line, pair.group(1))) if pair.group(1)[0] in "\"'" else pair.group(1), pair.group(2)
        if key in found or key == "<<":
            raise _refusal(line)
        found[key] = _value(line, text) if text else _nested(lines, indent)
    _check_end(lines, indent)
    return found


def _nested(lines: list[_Line], indent: int) -> Any:
    """Return what belongs to a key without a value on its line; a list may begin at the key's own indentation."""
    if lines and (lines[-1].indent > indent or (lines[-1].indent == indent and _ITEM.fullmatch(lines[-1].text))):
        return _block(lines, lines[-1].indent)
    return None


def _sequence(lines: list[_Line], indent: int) -> list[Any]:
    found: list[Any] = []
    while lines and lines[-1].indent == indent and (item := _ITEM.fullmatch(lines[-1].text)):
        line, text = lines.pop(), item.group(2)
        if not text:
            found.append(_nested(lines, indent) if lines and lines[-1].indent > indent else None)
        elif _PAIR.fullmatch(text):
            # the item is a mapping whose first key is on the line of the dash
            inner = indent + 1 + len(item.group(1))
            lines.append(_Line(line.number, inner, text))
            found.append(_mapping(lines, inner))
        else:
            found.append(_value(line, text))
    _check_end(lines, indent)
    return found


def _check_end(lines: list[_Line], indent: int) -> None:
    if lines and lines[-1].indent > indent:
        raise _refusal(lines[-1])


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
    """Return the signs, scalars and keys of a flow collection, the last one first."""
    parts, position = [], 0
    while position < len(text):
        part = _FLOW_PART.match(text, position)
        if not part:
            raise _refusal(line)
        parts.append(part.group(1))
        position = part.end()
    return parts[::-1]


def _flow(line: _Line, parts: list[str]) -> Any:
    """Take one value off the parts and return it."""
    if not parts:
        raise _refusal(line)
    part = parts.pop()
    if part == "[":
        items: list[Any] = []
        while _more(line, parts, "]", bool(items)):
            items.append(_flow(line, parts))
        return items
    if part == "{":
        pairs: dict[str, Any] = {}
        while _more(line, parts, "}", bool(pairs)):
            key = str(_flow(line, parts))
            if key in pairs or not parts or parts.pop() != ":":
                raise _refusal(line)
            pairs[key] = None if parts[-1:] in ([","], ["}"]) else _flow(line, parts)
        return pairs
    if part in ("]", "}", ",", ":") or part.startswith(_RESERVED):
        raise _refusal(line)
    return _unquoted(line, part) if part[0] in "\"'" else _plain(part)


def _more(line: _Line, parts: list[str], end: str, begun: bool) -> bool:
    """Take the comma or the end of a collection off the parts, and tell whether a further entry follows."""
    if begun and parts[-1:] == [","]:
        parts.pop()
    elif begun and parts[-1:] != [end]:
        raise _refusal(line)
    if parts[-1:] == [end]:
        parts.pop()
        return False
    return True
