# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.plugin_utils.expressions import Expression, ExpressionError
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import parse_field

CONTEXT = parse_field(
    {
        "type": "object",
        "fields": {
            "privileged": "boolean",
            "memory": {"type": "integer", "nullable": True},
            "mode": "integer",
            "name": "string",
            "caps": {"type": "list", "items": "string"},
            "ports": {"type": "list", "items": {"fields": {"port": "integer", "address": "string"}}},
        },
    },
    "test",
)
OBJECT = {
    "privileged": False,
    "memory": None,
    "mode": 0o606,
    "name": "web",
    "caps": ["SYS_ADMIN"],
    "ports": [{"port": 80, "address": "0.0.0.0"}],
}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("privileged == `false`", True),
        ("!privileged", True),
        ("memory != `null` && memory > `0`", False),
        ("ports[?port < `1024`] | length(@) == `0`", False),
        ("length(ports[?address == '0.0.0.0']) == `1`", True),
        ('length(difference(caps, `["SYS_ADMIN"]`)) == `0`', True),
        ("mode_within(mode, '0660')", False),
        ('any_match(caps, `["SYS_*"]`)', True),
        ("matches(name, '^we')", True),
    ],
)
def test_decides(source: str, expected: bool) -> None:
    assert Expression(source, CONTEXT, boolean=True).decide(OBJECT) is expected


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("priviledged == `false`", "unknown field 'priviledged'; did you mean 'privileged'"),
        ("ports[?prt > `0`]", "unknown field 'prt'"),
        ("privileged == 'false'", "compares a boolean with a string"),
        ("mode", "yields a integer"),
        ("caps", "yields a list"),
        ("!caps", "uses a list as true or false"),
        ("caps && privileged", "uses a list as true or false"),
        ("name[0] == 'w'", "uses an index on a string"),
        ("nosuch(name)", "unknown function 'nosuch'"),
        ("memory != null", "did you mean '`null`'"),
        ("privileged ==", "is not JMESPath"),
        ("HostConfig.Privileged == `false`", "unknown field 'HostConfig'"),
    ],
)
def test_refuses_what_can_never_be_right(source: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=complaint.replace("(", r"\(")):
        Expression(source, CONTEXT, boolean=True)


@pytest.mark.parametrize(
    "source",
    ["memory > `0`", "!(memory > `0`)", "memory > `0` || privileged == `false`", "version_at_least(name, '1')"],
)
def test_raises_where_jmespath_would_take_null_for_an_answer(source: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(source, CONTEXT, boolean=True).decide(OBJECT)


def test_reports_the_top_level_fields_that_it_reads() -> None:
    assert Expression("length(ports[?port > `1`]) > `0` && !privileged", CONTEXT).fields == {"ports", "privileged"}
