# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import (
    Settings,
    check,
    host_port,
    size,
    split_address,
)

NEW: dict[str, Any] = {"kind": "container", "version": "3.0", "image": "registry:3"}
S3 = {"region": "us-east-1", "bucket": "images", "accesskey": "AK", "secretkey": "SK"}
TOKEN = {"realm": "https://auth.example.org", "service": "registry", "issuer": "auth", "rootcertbundle": "/tls/ca.pem"}
BCRYPT = "$2b$10$rQbK43aWSxZ9M4Ehc570q.WBe0agY.74vr.5w/FF5bFt73Nbn4FlW"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        NEW,
        {"storage": "s3", "storage_options": S3},
        {"storage": "s3", "storage_options": {"region": "us-east-1", "bucket": "images"}},
        {**NEW, "storage": "s3", "storage_options": {**S3, "accelerate": True}},
        {**NEW, "storage": "azure", "storage_options": {"accountname": "a", "accountkey": "k", "container": "c"}},
        {**NEW, "version": "2.8.3", "storage": "gcs", "storage_options": {"bucket": "b", "keyfile": "/root/key.json"}},
        {"users": [], "token": TOKEN},
        {**NEW, "users": [], "token": {**TOKEN, "jwks": "/keys.json", "signingalgorithms": ["ES256"]}},
        {"users": [], "client_certificates": "required", "client_ca": ["/tls/ca.pem"]},
        {**NEW, "client_certificates": "accepted", "client_ca": ["/tls/ca.pem"]},
        {"users": [{"name": "bob", "password": None, "hash": BCRYPT}]},
        {"metrics_address": "[::1]:5001", "address": "::1"},
        {"proxy": {"url": "https://registry-1.docker.io", "username": "u", "password": "p"}},
        {"quota": "50G", "backup_directory": "/srv/registry-backup"},
    ],
)
def test_possible_settings(settings: Settings, changes: dict[str, Any]) -> None:
    check(replace(settings, **changes))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": "4.0"}, "no version of a registry"),
        ({"version": "3.0"}, "Debian's registry is of version 2"),
        ({"kind": "container"}, "needs an image"),
        ({**NEW, "uid": 0}, "must not be root"),
        ({"port": 70000}, "is no port"),
        ({"address": "registry.example.org"}, "is no address of this host"),
        ({"memory": "lots"}, "no size of memory"),
        ({"tasks": 1}, "16 tasks"),
        ({"metrics_address": "0.0.0.0:5001"}, "not private"),
        ({"metrics_address": "[::]:5001"}, "not private"),
        ({"metrics_address": "198.51.100.1"}, "no address for metrics"),
        ({"metrics_address": "8.8.8.8:5001"}, "not private"),
        ({"users": []}, "everybody could push"),
        ({"token": TOKEN}, "users or token, not both"),
        ({"users": [], "token": {**TOKEN, "realm": "http://auth"}}, "begin with https"),
        ({"users": [], "token": {**TOKEN, "jwks": "/keys"}}, "jwks of token authentication is known since version 3"),
        ({"users": [], "token": {**TOKEN, "issuer": ""}}, "needs issuer"),
        ({"users": [], "token": {**TOKEN, "rootcertbundle": ""}}, "needs rootcertbundle"),
        ({"users": [], "token": {**TOKEN, "relm": "x"}}, "relm is no parameter"),
        ({"client_certificates": "accepted", "client_ca": ["/ca"]}, "since version 3 only"),
        ({"client_certificates": "required"}, "need a CA"),
        ({"client_ca": ["/ca"]}, "none are wanted"),
        ({"storage": "swift", "storage_options": {}}, "needs authurl and username and password and container"),
        ({**NEW, "storage": "swift"}, "no driver swift any more"),
        ({**NEW, "storage": "oss"}, "no driver oss any more"),
        ({"storage": "azure"}, "Debian's registry has no driver azure"),
        ({"storage": "gcs"}, "Debian's registry has no driver gcs"),
        ({**NEW, "storage": "azure", "storage_options": {"accountname": "a", "container": "c"}}, "accountkey or cred"),
        ({"storage": "s3", "storage_options": {**S3, "buket": "x"}}, "buket is no parameter.* did you mean bucket"),
        ({"storage": "s3", "storage_options": {**S3, "accelerate": True}}, "known since version 3"),
        ({"storage": "s3", "storage_options": {**S3, "secretkey": ""}}, "both accesskey and secretkey"),
        ({"storage_options": {"rootdirectory": "/var/lib"}}, "can't be the directory of the images"),
        ({"storage_options": {"rootdirectory": "srv"}}, "can't be the directory of the images"),
        ({"storage_options": {"rootdirectory": "/srv/a b"}}, "can't be the directory of the images"),
        ({"purge_age": "a week"}, "is no duration"),
        ({"proxy": {"url": "http://mirror"}}, "begin with https"),
        ({"proxy": {"url": "https://u:p@mirror"}}, "holds a user or a password"),
        ({"proxy": {"url": "https://mirror", "username": "u"}}, "both username and password"),
        ({"proxy": {"url": "https://mirror", "ttl": "24h"}}, "since version 3"),
        ({"quota": "much"}, "is no quota"),
        ({"storage": "s3", "storage_options": S3, "quota": "1G"}, "own alarms"),
        ({"storage": "s3", "storage_options": S3, "backup_directory": "/srv/b"}, "backed up from here"),
        ({"backup_directory": "/srv/registry/backup"}, "inside of what they back up"),
        ({"backup_directory": "backup"}, "whole path"),
        ({"backup_keep": 0}, "one backup or more"),
        ({"gc_schedule": "daily\nExecStart=/bin/sh"}, "no calendar event"),
        ({"users": [{"name": "a:b", "password": "x"}]}, "can't be a user's name"),
        ({"users": [{"name": "a", "password": "x"}, {"name": "a", "password": "y"}]}, "listed twice"),
        ({"users": [{"name": "a", "password": None}]}, "either a password or a hash"),
        ({"users": [{"name": "a", "hash": "{SHA}x"}]}, "not one of bcrypt"),
        ({"users": [{"name": "a", "password": "x" * 73}]}, "more than 72 bytes"),
    ],
)
def test_contradictions_are_refused(settings: Settings, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        check(replace(settings, **changes))


def test_all_problems_are_told_at_once(settings: Settings) -> None:
    with pytest.raises(InputError, match=r"everybody could push.*is no duration"):
        check(replace(settings, users=[], purge_age="x"))


def test_weak_storage_is_told(settings: Settings) -> None:
    weak = replace(settings, storage="s3", storage_options={**S3, "secure": False, "skipverify": True})
    assert len(weak.warnings()) == 2
    assert settings.warnings() == []


def test_secrets_are_known(settings: Settings) -> None:
    url = "https://u:pw@x"
    full = replace(settings, storage="s3", storage_options=S3, proxy={"url": url, "password": "proxypw"})
    assert full.secrets() == {"AK", "SK", url, "proxypw", "hunter22"}
    hashed = replace(settings, users=[{"name": "ci", "hash": "$2y$05$x"}], proxy={"url": "https://x"})
    assert hashed.secrets() == {"$2y$05$x"}


def test_sizes_and_addresses() -> None:
    assert (size("1K"), size("2G"), size("512"), size("")) == (1024, 2 << 30, 512, 0)
    assert (host_port("", 5000), host_port("::1", 5000)) == (":5000", "[::1]:5000")
    assert split_address("[::1]:5001") == ("::1", 5001)
