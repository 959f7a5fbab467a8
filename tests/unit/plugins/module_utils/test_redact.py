# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.redact import (
    HIDDEN,
    environment_names,
    has_credentials,
    holds_secret,
    looks_secret,
    text_without_credentials,
    without_credentials,
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("MYSQL_PWD", "x1"),
        ("PGPASSWORD", "x1"),
        ("API_KEY", "abc"),
        ("apikey", "abc"),
        ("GITHUB_TOKEN", "abc"),
        ("AWS_SECRET_ACCESS_KEY", "abc"),
        ("SENTRY_DSN", "abc"),
        ("NPM_AUTH", "abc"),
        ("LINK", "postgres://app:pw@db/app"),
        ("LINK", "redis://:pw@cache"),
        ("X", "AKIAIOSFODNN7EXAMPLE"),
        ("X", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"),
        ("X", "-----BEGIN RSA PRIVATE KEY-----"),
        ("X", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.sig"),
        ("DB_PASSWORD_FILE", "postgres://app:pw@db/app"),
    ],
)
def test_secrets_are_recognised(name: str, value: str) -> None:
    assert looks_secret(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/bin"),
        ("POSTGRES_PASSWORD_FILE", "/run/secrets/pw"),
        ("DB_PASSWORD", ""),
        ("ALLOW_EMPTY_PASSWORD", "yes"),
        ("DB_PASSWORD", "$DB_PASSWORD"),
        ("TOKEN_TTL", "3600"),
        ("PASSENGER_APP_ENV", "production"),
        ("COMPASS", "north"),
        ("AUTHOR", "me"),
        ("KEYCLOAK_URL", "https://sso.example.org/auth"),
        ("EMAIL", "me@example.org"),
    ],
)
def test_harmless_variables_are_left_alone(name: str, value: str) -> None:
    assert not looks_secret(name, value)


def test_values_never_leave() -> None:
    entries = ["DB_PASSWORD=hunter2", "GREETING=hello=there", "EMPTY", "ghp_abcdefghijklmnopqrstuvwxyz0123456789"]
    assert environment_names(entries) == [
        {"name": "DB_PASSWORD", "looks_secret": True},
        {"name": "GREETING", "looks_secret": False},
        {"name": "EMPTY", "looks_secret": False},
        {"name": HIDDEN, "looks_secret": True},
    ]


def test_commands_are_searched() -> None:
    assert holds_secret("RUN curl https://u:p@example.org/x")
    assert holds_secret("ENV API_TOKEN='abc' X=1")
    assert not holds_secret("RUN apt-get install -y curl && echo MODE=prod")


def test_credentials_in_addresses() -> None:
    assert has_credentials("http://user:pw@proxy:3128/")
    assert has_credentials("user:pw@proxy:3128")
    assert not has_credentials("http://proxy:3128/?mail=a@b")
    assert not has_credentials("")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://mirror.example.org/", "http://mirror.example.org/"),
        ("http://user:pw@mirror.example.org:5000/v2@x", "http://(hidden)@mirror.example.org:5000/v2@x"),
        ("mirror.example.org", "mirror.example.org"),
        ("", ""),
    ],
)
def test_addresses_are_shown_without_credentials(url: str, shown: str) -> None:
    assert without_credentials(url) == shown


def test_text_is_shown_without_the_credentials_of_its_addresses() -> None:
    text = "baseurl=https://svc:p@ss@a/x?from=b@c,http://token@d/\nmail=a@b https://plain/x@y\n"
    shown = "baseurl=https://(hidden)@a/x?from=b@c,http://(hidden)@d/\nmail=a@b https://plain/x@y\n"
    assert text_without_credentials(text) == shown
