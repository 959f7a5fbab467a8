# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.apparmor.profile import HEADER, parse, render
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

LISTS = ("readable", "writable", "executable", "denied", "network", "capabilities", "rules")


def item(**given: Any) -> dict[str, Any]:
    return {"name": "web", "mode": "enforce", **{name: [] for name in LISTS}, **given}


def rules(**given: Any) -> list[str]:
    text = render(parse(item(**given)))
    assert text.startswith(HEADER)
    return [line.strip() for line in text.splitlines() if line.startswith("  ")]


def test_files_are_restricted_once_some_are_named() -> None:
    assert "file," in rules()
    found = rules(readable=["/etc/nginx/"], writable=["/run/nginx.pid"], executable=["/usr/sbin/nginx"])
    assert "file," not in found
    assert {"/etc/nginx/ r,", "/etc/nginx/** r,", "/run/nginx.pid rwkl,", "/usr/sbin/nginx mrix,"} <= set(found)


def test_denied_files_capabilities_and_sockets() -> None:
    found = rules(denied=["/etc/shadow"], capabilities=["CAP_CHOWN", "net_raw"], network=["inet stream", "unix"])
    assert {"deny /etc/shadow rwklmx,", "capability chown,", "capability net_raw,"} <= set(found)
    assert {"network inet stream,", "network unix,", "unix,"} <= set(found)
    assert not any("raw" in rule for rule in rules(network=["inet stream"]))


def test_the_kernel_is_out_of_reach_whatever_is_allowed() -> None:
    for given in ({}, {"writable": ["/**"], "rules": ["mount,"]}):
        found = rules(**given)
        assert {"deny mount,", "deny pivot_root,"} <= set(found)
        assert any(rule.startswith("deny @{PROC}/{kcore,") for rule in found)


def test_mode() -> None:
    assert "complain" not in render(parse(item()))
    assert "flags=(attach_disconnected,mediate_deleted,complain)" in render(parse(item(mode="complain")))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": "docker-default"}, "can't be a profile's name"),
        ({"name": "a b"}, "can't be a profile's name"),
        ({"name": "../x"}, "can't be a profile's name"),
        ({"readable": ["etc/x"]}, "'etc/x' in readable"),
        ({"writable": ["/x rw, mount"]}, "in writable"),
        ({"denied": ["/x\n  mount,"]}, "in denied"),
        ({"executable": ['/"x"']}, "in executable"),
        ({"network": ["inet stream, mount"]}, "in network"),
        ({"capabilities": ["SYS_ROOT"]}, "no Linux capability"),
    ],
)
def test_what_is_no_profile_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as caught:
        parse(item(**given))
    assert str(caught.value).endswith("Nothing was changed.")
