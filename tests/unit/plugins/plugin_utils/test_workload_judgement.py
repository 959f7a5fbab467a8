# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import Workload
from ansible_collections.breakwater.docker.plugins.plugin_utils.workload_judgement import weaknesses
from ansible_collections.breakwater.docker.tests.unit.fakes.workloads import workload

ICC = {"name": "shop", "owner": "shop", "icc": True}


def test_what_is_not_said_is_not_weak() -> None:
    full = {
        "secrets": [{"name": "token", "content": "hunter2"}],
        "ports": [{"container_port": "80", "host_port": "8080-8081"}],
        "volumes": [{"volume": "data", "target": "/data"}, {"host_path": "/srv/web", "target": "/web"}],
        "seccomp": "/etc/docker/seccomp/web.json",
        "apparmor": "web",
        "selinux": ["type:container_t"],
        "restart": "on-failure:3",
        "environment": {"TOKEN_FILE": "/run/secrets/token"},
        "health": {"image": True},
    }
    assert weaknesses(workload({}, {"name": "db", **full})) == []


def test_reason_for_what_only_the_host_can_judge_is_kept() -> None:
    reasons = {"container_seccomp_filtered": "Traces.", "container_no_sensitive_mounts": "Backs up."}
    link = [{"host_path": "/srv/link", "target": "/x"}]
    told = weaknesses(workload({"seccomp": "/root/profile.json", "volumes": link, "reasons": reasons}))
    assert {item["control"]: item["reason"] for item in told} == reasons
    assert weaknesses(workload({"reasons": reasons})) == []
    etc = [{"host_path": "/etc", "target": "/x"}]
    [found] = weaknesses(workload({"volumes": etc, "reasons": reasons}))
    assert found["control"] == "container_no_sensitive_mounts"


def test_image_that_nobody_can_have_signed_needs_a_reason_in_strict() -> None:
    by_id = "sha256:".ljust(71, "0")
    by_digest = workload({"image": f"registry.example.org/web@{by_id}"}, profile="strict")
    assert weaknesses(by_digest, "strict") == []
    built = workload({"image": by_id}, profile="strict")
    assert weaknesses(built) == []
    with pytest.raises(InputError, match=r"image_signature_verified.*Name it by its digest in a registry"):
        weaknesses(built, "strict")
    stated = workload({"image": by_id, "reasons": {"image_signature_verified": "Built here."}}, profile="strict")
    [found] = weaknesses(stated, "strict")
    assert (found["control"], found["reason"]) == ("image_signature_verified", "Built here.")


@pytest.mark.parametrize(
    ("item", "control"),
    [
        ({"privileged": True}, "container_not_privileged"),
        ({"cap_add": ["NET_BIND_SERVICE"]}, "container_capabilities_not_added"),
        ({"cap_add": ["SYS_ADMIN"]}, "container_no_dangerous_capabilities"),
        ({"devices": ["/dev/sda"]}, "container_no_devices"),
        ({"read_only": False}, "container_read_only"),
        ({"user": "root"}, "container_user_not_root"),
        ({"user": "0:1000"}, "container_user_not_root"),
        ({"restart": "always"}, "container_restarts_limited"),
        ({"restart": "on-failure"}, "container_restarts_limited"),
        ({"seccomp": "unconfined"}, "container_seccomp_filtered"),
        ({"apparmor": "unconfined"}, "container_apparmor_profile"),
        ({"selinux": ["disable"]}, "container_selinux_label"),
        ({"health": None}, "container_health_check"),
        ({"environment": {"DB_PASSWORD": "hunter2"}}, "container_no_secrets_in_environment"),
        ({"ports": [{"container_port": "80", "host_port": "80"}]}, "container_no_low_ports"),
        (
            {"ports": [{"container_port": "80", "host_port": "8080", "host_address": "0.0.0.0"}]},
            "container_ports_on_named_address",
        ),
        ({"volumes": [{"host_path": "/var/run/docker.sock", "target": "/s"}]}, "container_no_engine_socket"),
        ({"volumes": [{"host_path": "/", "target": "/host", "read_only": True}]}, "container_no_sensitive_mounts"),
        ({"volumes": [{"host_path": "/etc/../etc", "target": "/x"}]}, "container_no_sensitive_mounts"),
    ],
)
def test_weakness_needs_a_reason(item: dict[str, Any], control: str) -> None:
    with pytest.raises(InputError) as refusal:
        weaknesses(workload(item))
    assert control in str(refusal.value)
    assert "hunter2" not in str(refusal.value)
    found = {entry["control"] for entry in weaknesses(workload({**item, "reasons": _reasons_for(item)}))}
    assert control in found


def _reasons_for(item: dict[str, Any]) -> dict[str, str]:
    """State a reason for whatever is asked for."""
    reasons: dict[str, str] = {}
    while missing := _missing_reason(workload({**item, "reasons": reasons})):
        assert missing not in reasons
        reasons[missing] = "It has to be."
    return reasons


def _missing_reason(told: Workload) -> str:
    """Return the control for which a refusal asks a reason, the empty string where there is no refusal."""
    try:
        weaknesses(told)
    except InputError as error:
        return str(error).rpartition("reasons: {")[2].partition(":")[0]
    return ""


def test_reason_is_told() -> None:
    [found] = weaknesses(workload({"read_only": False, "reasons": {"container_read_only": "Old software."}}))
    assert found == {
        "type": "container",
        "name": "web",
        "control": "container_read_only",
        "title": "Container's root file system is read-only",
        "reason": "Old software.",
    }


def test_blank_is_no_reason() -> None:
    with pytest.raises(InputError, match="container_read_only"):
        weaknesses(workload({"read_only": False, "reasons": {"container_read_only": " "}}))


def test_volume_with_two_writers_needs_reasons() -> None:
    data = {"volumes": [{"volume": "data", "target": "/data"}]}
    with pytest.raises(InputError, match="container_volumes_separated"):
        weaknesses(workload(data, {"name": "db", **data}))


def test_network_on_which_containers_meet_needs_a_reason() -> None:
    with pytest.raises(InputError, match=r"network shop: not so: .*network_icc_disabled"):
        weaknesses(workload({}, {"name": "db"}, networks=[ICC]))
    stated = {**ICC, "reasons": {"network_icc_disabled": "The shop asks its database."}}
    assert [item["name"] for item in weaknesses(workload({}, {"name": "db"}, networks=[stated]))] == ["shop"]


def test_reason_for_no_control_is_refused() -> None:
    with pytest.raises(InputError, match=r"did you mean container_read_only\?"):
        weaknesses(workload({"reasons": {"container_readonly": "Old software."}}))
