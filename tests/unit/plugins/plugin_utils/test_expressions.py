# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import re

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
            "limits": {"type": "object", "values": {"fields": {"soft": "integer"}}},
            "any": "any",
            "groups": {"type": "list", "items": {"type": "list", "items": "string"}},
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
    "limits": {"nofile": {"soft": 1024}},
    "any": None,
    "groups": [["a", "b"], ["c"]],
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
        ("caps[0] == 'SYS_ADMIN'", True),
        ("ports[0].port == `80`", True),
        ("length(caps[:1]) == `1`", True),
        ("ports[:1] | [?port == `80`] | length(@) == `1`", True),
        ("length(ports[*].port) == `1`", True),
        ("length(limits.*.soft) == `1`", True),
        ("limits.*.soft | [?@ > `1000`] | length(@) == `1`", True),
        ("length(groups[]) == `3`", True),
        ("groups[] | [?@ == 'c'] | length(@) == `1`", True),
        ("length(ports[].port) == `1`", True),
        ("max_by(ports, &port).address == '0.0.0.0'", True),
        ("{both: caps, name: name}.name == 'web'", True),
        ("ports[?port == `80`].port | [0] == `80`", True),
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
        ("name[:1] == 'w'", "uses a slice on a string"),
        ("caps[:1] == 'w'", "compares a list with a string"),
        ("ports[:1].prt", "unknown field 'prt'"),
        ("name[*] == 'w'", "uses [*] on a string"),
        ("ports[*].prt", "unknown field 'prt'"),
        ("ports[*].port == `80`", "compares a list with a number"),
        ("caps.*", "uses * on a list"),
        ("limits.*.hard", "unknown field 'hard'"),
        ("limits.*.soft == `1`", "compares a list with a number"),
        ("name[]", "uses [] on a string"),
        ("ports[].prt", "unknown field 'prt'"),
        ("groups[].x", "asks a string for its field 'x'"),
        ("groups[] == `1`", "compares a list with a number"),
        ("ports[?port == `80`] == 'x'", "compares a list with a string"),
        ("ports[?port == `80`].prt", "unknown field 'prt'"),
        ("ports[?port == `80`] | [0].prt", "unknown field 'prt'"),
        ("name[?@ == 'w']", "uses a filter on a string"),
        ("max_by(ports, &prt).port == `80`", "unknown field 'prt'"),
        ("length(caps) == 'x'", "compares a number with a string"),
        ("{name: nme}.name == 'web'", "unknown field 'nme'"),
        ("{name: name}.nme == 'web'", "unknown field 'nme'"),
        ("{name: name} == 'web'", "compares a object with a string"),
        ("[nme, name]", "unknown field 'nme'"),
        ("[name, nme]", "unknown field 'nme'"),
        ("(privileged && privileged) == 'x'", "compares a boolean with a string"),
        ("nosuch(name)", "unknown function 'nosuch'"),
        ("memory != null", "did you mean '`null`'"),
        ("privileged ==", "is not JMESPath"),
        ("HostConfig.Privileged == `false`", "unknown field 'HostConfig'"),
    ],
)
def test_refuses_what_can_never_be_right(source: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match=re.escape(complaint)):
        Expression(source, CONTEXT, boolean=True)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("memory > `0`", "an ordering needs two numbers, not None and 0"),
        ("!(memory > `0`)", "an ordering needs two numbers"),
        ("memory > `0` || privileged == `false`", "an ordering needs two numbers"),
        ("max(`[true]`) > `0`", "Invalid type for value: True"),
        ("version_at_least(name, '1')", "can't be decided: 'web' is not a version"),
        ("length(memory) == `1`", "invalid type for value: None"),
        ("any", "any needs true or false, not None"),
        ("!any", "! needs true or false, not None"),
        ("any && privileged", "&& needs true or false, not None"),
        ("any || privileged", "|| needs true or false, not None"),
        ("any[?port > `1`]", "a filter needs a list, not None"),
        ("ports[?not_null(`null`)]", "a filter needs true or false, not None"),
        ("any > `true`", "an ordering needs two numbers, not None and True"),
        ("mode > `true`", "compares a boolean with a number"),
    ],
)
def test_raises_where_jmespath_would_take_null_for_an_answer(source: str, complaint: str) -> None:
    with pytest.raises(ExpressionError, match="(?i)" + re.escape(complaint)):
        Expression(source, CONTEXT, boolean="ports[" not in source and "any[" not in source).decide(OBJECT)


def test_reports_the_top_level_fields_that_it_reads() -> None:
    assert Expression("length(ports[?port > `1`]) > `0` && !privileged", CONTEXT).fields == {"ports", "privileged"}
