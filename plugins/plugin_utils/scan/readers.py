# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Reads JSON and XML that may be hostile: what an image holds ends up in a scanner's output. Document types are refused,
# so there are no entities to expand and none to fetch; sizes and numbers are bounded.

from __future__ import annotations

import json
from typing import Any, Iterator
from xml.etree import ElementTree as ET

from ansible_collections.breakwater.docker.plugins.plugin_utils.scan.model import MAX_BYTES, MAX_DETECTIONS, ScanError

_CHUNK = 1 << 16
#: Nested elements; SCAP's formats have some twenty.
_MAX_DEPTH = 200


def decoded(data: bytes) -> str:
    """Return the text of an output; ScanError where it is too long or not UTF-8."""
    if len(data) > MAX_BYTES:
        raise ScanError(f"it has more than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ScanError("it is not UTF-8") from None


def json_value(data: bytes) -> Any:
    """Return the JSON value; ScanError where there is none."""
    try:
        return json.loads(decoded(data))
    except (ValueError, RecursionError):
        raise ScanError("it is not JSON") from None


def json_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object; ScanError where there is none."""
    found = json_value(data)
    if not isinstance(found, dict):
        raise ScanError("it is not a JSON object")
    return found


def mapping(value: Any) -> dict[str, Any]:
    """Return an object as it is, the empty one for anything else."""
    return value if isinstance(value, dict) else {}


def objects(value: Any, what: str) -> list[dict[str, Any]]:
    """Return a list of objects, empty for null; ScanError where `what` is something else, or too much."""
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ScanError(f"its {what} is not a list of objects")
    if len(value) > MAX_DETECTIONS:
        raise ScanError(f"its {what} has more than {MAX_DETECTIONS} entries")
    return value


def elements(data: bytes) -> Iterator[tuple[str, ET.Element]]:
    """Yield (`start` or `end`, element) of an XML document as it is read; ScanError where it is none to trust."""
    source = decoded(data)
    if "<!DOCTYPE" in source or "<!ENTITY" in source:
        raise ScanError("it declares a document type, which no result of a scanner has")
    parser: Any = ET.XMLPullParser(("start", "end"))
    depth = 0
    try:
        for position in range(0, len(source), _CHUNK):
            parser.feed(source[position : position + _CHUNK])
            for event, element in parser.read_events():
                depth += 1 if event == "start" else -1
                if depth > _MAX_DEPTH:
                    raise ScanError("its elements are nested too deeply")
                yield event, element
        parser.close()
        yield from parser.read_events()
    except ET.ParseError as error:
        raise ScanError(f"it is not XML in order ({error})") from None


def local_name(element: ET.Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def root_name(data: bytes) -> str:
    """Return the name of a document's root element, empty where it is no XML."""
    try:
        return next((local_name(element) for _event, element in elements(data)), "")
    except ScanError:
        return ""
