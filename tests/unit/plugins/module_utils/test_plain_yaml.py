# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import contextlib
import string
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils.plain_yaml import parse, scalar
from ansible_collections.breakwater.docker.tests.unit.fakes.clock import in_time

REGISTRY = """\
---
version: "0.1"   # of the form
log: {level: info, fields: {service: registry, environment: 'a, b'}}
storage:
  s3: {region: us-east-1, secretkey: "a b#c", secure: false, chunksize: 5242880}
  delete:
    enabled: true
http:
  addr: :5000
  secret: 'it''s'
  headers:
    X-Content-Type-Options: [nosniff]
    Access-Control-Allow-Origin: ['*']
  tls:
    clientcas:
    - /etc/a.pem
    - /etc/b.pem
notifications:
  endpoints:
    - name: listener
      url: https://listener.example.org:8080/event
      headers:
         Authorization: [Bearer x, "\\u00e9"]
    -
      name: other
      timeout: 1s
empty:
redis: null
"""
SCALARS = st.none() | st.booleans() | st.integers(-(10**6), 10**6)
WORDS = st.text(string.ascii_letters + string.digits + " :/#-_.,'\"{}[]%!*&@\\", max_size=12)
VALUES = st.recursive(
    SCALARS | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex("[a-z]{1,5}", fullmatch=True), inner),
    max_leaves=12,
)
KEYS = st.from_regex("[A-Za-z][A-Za-z-]{0,6}[A-Za-z]", fullmatch=True)
NAMES = st.from_regex("[A-Za-z0-9/:][A-Za-z0-9/:#-]{0,6}", fullmatch=True)
DOCUMENTS = st.dictionaries(KEYS, VALUES, min_size=1)


def test_configuration_is_read_as_a_library_reads_it() -> None:
    assert parse(REGISTRY) == yaml.safe_load(REGISTRY)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(DOCUMENTS, st.sampled_from([False, None]))
def test_what_is_read_is_what_a_library_reads(document: dict[str, Any], flow: bool | None) -> None:
    text = yaml.safe_dump(document, default_flow_style=flow, width=10**6)
    try:
        found = parse(text)
    except ValueError:
        return
    assert found == yaml.safe_load(text)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(KEYS, SCALARS | NAMES | st.lists(SCALARS | NAMES) | st.dictionaries(KEYS, NAMES), min_size=1))
def test_ordinary_documents_are_not_refused(document: dict[str, Any]) -> None:
    text = yaml.safe_dump(document, default_flow_style=False)
    assert parse(text) == yaml.safe_load(text)


@pytest.mark.parametrize(
    "text",
    [
        *("a: &x 1", "a: *x", "a: !!str 1", "a: |\n  b", "a: >\n  b", "? a", "%YAML 1.1", "a: 1\n---\nb: 2", "<<: {}"),
        *("a: 1\na: 2", "{a: 1, a: 2}", "a:\n\tb: 1", "a: [1", "a: 'b", 'a: "b', "a: b: c", "a: 1\n  b: 2"),
        *("- a\nb: 1", "a: }", "a:\n    b: 1\n  c: 2", "a\nsecret-word", "a: [,]", 'a: "\\x"', "a: - secret-word"),
    ],
)
def test_other_yaml_is_refused_without_its_text(text: str) -> None:
    with pytest.raises(ValueError, match="line") as refused:
        parse(text)
    assert "secret-word" not in str(refused.value)


def test_as_deep_as_anybodys_settings() -> None:
    assert parse("".join(f"{' ' * depth}a:\n" for depth in range(50))) == parse('{"a":' * 49 + '{"a": null}' + "}" * 49)


@pytest.mark.parametrize(
    "text",
    [
        *('{"a":' * 10_000, '{"a":' * 51 + "1" + "}" * 51, "a: " + "[" * 60_000, "a: " + "[" * 51 + "]" * 51),
        "".join(f"{' ' * depth}a:\n" for depth in range(51)),
        "".join(f"{' ' * depth}a:\n" for depth in range(350)),
        "".join(f"{' ' * depth}-\n" for depth in range(350)),
    ],
)
def test_deep_document_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="within each other"):
        parse(text)


def test_long_document_is_refused() -> None:
    for read in (parse, scalar):
        with pytest.raises(ValueError, match="longer"):
            read("a" * (64 << 10) + "a")


@pytest.mark.parametrize(
    "text",
    [
        *("a" + " " * 65_000 + "b", "a b" * 20_000, "a: [" + " " * 65_000, "a: [" + "a    :" * 10_000),
        *("a: [" + "a," * 32_000 + "]", "- a: b\n" * 9_000, "- a\n" * 16_000, "a: '" + "''" * 32_000),
        *('"' + '\\"' * 32_000, "a" + "\u00a0" * 65_000 + "b", "a: [a" + ":" * 65_000, "- " * 32_000),
    ],
)
def test_time_grows_with_the_length_only(text: str) -> None:
    with in_time(2), contextlib.suppress(ValueError):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value"), [("", None), ("true", True), ("1", 1), ("s3", "s3"), ("[a, b]", ["a", "b"]), ("'1'", "1")]
)
def test_scalar(text: str, value: Any) -> None:
    assert scalar(text) == value
