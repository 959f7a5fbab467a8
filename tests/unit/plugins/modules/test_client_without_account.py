# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# A client that is to be absent may have lost its account before.

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.modules import docker_contexts, docker_tls_files

CLIENT = {"user": "no-such-user", "directory": "~no-such-user/.docker", "key_type": "ec-p256", "usage": "client"}


def contexts(state: str) -> dict[str, str]:
    return docker_contexts.apply({**CLIENT, "state": state}, {}, check_mode=False)


def files(state: str) -> dict[str, Any]:
    return docker_tls_files.handle({**CLIENT, "state": state}, "inspected", check_mode=False)


def test_nothing_is_there_of_a_client_that_has_gone() -> None:
    assert contexts("absent") == {}
    assert files("absent") == docker_tls_files.NOTHING


def test_client_that_is_wanted_needs_an_account() -> None:
    for look in (contexts, files):
        with pytest.raises(InputError, match="There is no user no-such-user on this host: create the account first"):
            look("present")
