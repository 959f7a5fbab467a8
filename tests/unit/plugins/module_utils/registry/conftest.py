# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.registry.settings import Settings


@pytest.fixture
def settings() -> Settings:
    """A native registry as the role's defaults make it, with one user."""
    return Settings(
        kind="native",
        version="2.8",
        image="",
        uid=65532,
        address="",
        port=5000,
        certificate="/tls/cert.pem",
        key="/tls/key.pem",
        tls_minimum="1.2",
        client_certificates="none",
        client_ca=[],
        users=[{"name": "alice", "password": "hunter22", "hash": None}],
        token={},
        storage="filesystem",
        storage_options={"rootdirectory": "/srv/registry"},
        redirect=False,
        delete=True,
        purge_age="168h",
        proxy={},
        metrics_address="",
        log_level="info",
        memory="1G",
        tasks=512,
        gc_schedule="Sun 03:00",
        quota="",
        quota_schedule="hourly",
        backup_directory="",
        backup_schedule="daily",
        backup_keep=7,
    )
