# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose import suggestions
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.audit import audit
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.project import load
from ansible_collections.breakwater.docker.plugins.plugin_utils.compose.service import described
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding

GOOD = """
name: shop
services:
  web:
    image: web:1
    user: "65532:65532"
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    read_only: true
    tmpfs: [/tmp]
    mem_limit: 256m
    cpus: 0.5
    pids_limit: 100
    restart: on-failure:5
    healthcheck: {test: [CMD, "true"]}
    logging: {driver: json-file, options: {max-size: 10m}}
    ports: ["127.0.0.1:8080:80"]
    volumes: ["data:/data"]
volumes: {data: {}}
"""


def findings(tmp_path: Path, text: str, **variables: str) -> list[Finding]:
    path = tmp_path / "compose.yaml"
    path.write_text(text)
    controls = catalogue_loader.select(catalogue_loader.builtin(), "strict", ["container", "network"])
    return audit(load(path, variables), controls, rules.check_policy({}))


def failed(found: list[Finding], *statuses: str) -> set[str]:
    return {finding.control for finding in found if finding.status in (statuses or ("fail", "error"))}


def with_service(text: str = GOOD, **changes: Any) -> str:
    """Return a compose file whose service has other keys; None takes one away."""
    document = yaml.safe_load(text)
    service = {**document["services"]["web"], **changes}
    document["services"]["web"] = {key: value for key, value in service.items() if value is not None}
    return yaml.safe_dump(document)


def test_hardened_service_has_no_finding(tmp_path: Path) -> None:
    found = findings(tmp_path, GOOD)
    assert failed(found) == set()
    assert failed(found, "manual") == {"container_image_current", "container_ports_needed"}


@pytest.mark.parametrize(
    ("changes", "control"),
    [
        ({"privileged": True}, "container_not_privileged"),
        ({"cap_add": ["CAP_SYS_ADMIN"]}, "container_no_dangerous_capabilities"),
        ({"cap_drop": None}, "container_capabilities_dropped"),
        ({"security_opt": None}, "container_no_new_privileges"),
        ({"security_opt": ["no-new-privileges:false"]}, "container_no_new_privileges"),
        ({"security_opt": ["seccomp:unconfined"]}, "container_seccomp_filtered"),
        ({"security_opt": ["apparmor=unconfined"]}, "container_apparmor_profile"),
        ({"security_opt": ["label:disable"]}, "container_selinux_label"),
        ({"security_opt": ["systempaths=unconfined"]}, "container_system_paths_masked"),
        ({"read_only": None}, "container_read_only"),
        ({"network_mode": "host"}, "container_not_in_host_network"),
        ({"network_mode": "bridge"}, "container_not_on_default_bridge"),
        ({"pid": "host"}, "container_not_in_host_pid"),
        ({"ipc": "host"}, "container_not_in_host_ipc"),
        ({"uts": "host"}, "container_not_in_host_uts"),
        ({"userns_mode": "host"}, "container_not_in_host_userns"),
        ({"cgroup": "host"}, "container_cgroup_namespace_private"),
        ({"cgroup_parent": "/mine"}, "container_default_cgroup"),
        ({"mem_limit": None}, "container_memory_limited"),
        ({"cpus": None}, "container_cpu_limited"),
        ({"pids_limit": -1}, "container_pids_limited"),
        ({"restart": "always"}, "container_restarts_limited"),
        ({"restart": None, "deploy": {"restart_policy": {"condition": "any"}}}, "container_restarts_limited"),
        ({"healthcheck": {"disable": True}}, "container_health_check"),
        ({"logging": None}, "container_logs_bounded"),
        ({"oom_kill_disable": True}, "container_oom_kill_enabled"),
        ({"user": "root"}, "container_user_not_root"),
        ({"devices": ["/dev/sda:/dev/xvda:r"]}, "container_no_devices"),
        ({"device_cgroup_rules": ["b 8:* rwm"]}, "container_no_devices"),
        ({"gpus": "all"}, "container_no_devices"),
        (
            {"deploy": {"resources": {"reservations": {"devices": [{"driver": "nvidia", "count": "all"}]}}}},
            "container_no_devices",
        ),
        ({"ports": ["8080:80"]}, "container_ports_on_named_address"),
        ({"ports": [8080]}, "container_ports_on_named_address"),
        ({"ports": [{"target": 80, "published": "8080"}]}, "container_ports_on_named_address"),
        ({"ports": ["127.0.0.1:80:80"]}, "container_no_low_ports"),
        ({"ports": ["127.0.0.1:80-81:8080-8081/udp"]}, "container_no_low_ports"),
        ({"volumes": ["/var/run/docker.sock:/s"]}, "container_no_engine_socket"),
        ({"volumes": ["/etc:/host:ro"]}, "container_no_sensitive_mounts"),
        ({"volumes": [{"type": "bind", "source": "/", "target": "/host"}]}, "container_no_sensitive_mounts"),
        ({"volumes": ["./data:/data:rshared"]}, "container_no_shared_propagation"),
        ({"environment": {"DB_PASSWORD": "hunter2"}}, "container_no_secrets_in_environment"),
        ({"environment": ["DB_PASSWORD=${DB_PASSWORD}"]}, "container_no_secrets_in_environment"),
        ({"environment": ["DB_PASSWORD"]}, "container_no_secrets_in_environment"),
        ({"environment": {"DB_PASSWORD": None}}, "container_no_secrets_in_environment"),
    ],
)
def test_weakness_is_found(tmp_path: Path, changes: dict[str, Any], control: str) -> None:
    found = findings(tmp_path, with_service(**changes))
    assert control in failed(found, "fail")
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    "changes",
    [
        {
            "mem_limit": None,
            "cpus": None,
            "pids_limit": None,
            "deploy": {"resources": {"limits": {"memory": "1g", "cpus": "0.5", "pids": 5}}},
        },
        {"restart": None, "deploy": {"restart_policy": {"condition": "on-failure", "max_attempts": 3}}},
        {"restart": "no"},
        {"environment": {"DB_PASSWORD_FILE": "/run/secrets/x", "EMPTY": ""}},
        {"ports": ["[::1]:8080:80", "127.0.0.1::81", {"target": 82, "published": 8082, "host_ip": "10.0.0.5"}]},
        {"security_opt": ["no-new-privileges=true", "apparmor=web", "seccomp=./web.json"]},
        {"logging": {"driver": "journald"}},
        {"healthcheck": {"test": "curl -f http://127.0.0.1/"}},
    ],
)
def test_other_way_to_say_the_same(tmp_path: Path, changes: dict[str, Any]) -> None:
    assert failed(findings(tmp_path, with_service(**changes))) == set()


def test_what_nobody_was_asked_is_no_pass(tmp_path: Path) -> None:
    found = findings(tmp_path, with_service(user=None, healthcheck=None, env_file="missing.env"))
    assert failed(found, "error") == {
        "container_user_not_root",
        "container_health_check",
        "container_no_secrets_in_environment",
    }
    assert any("the image was not asked" in finding.message for finding in found)


def test_env_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "web.env").write_text("# DB_TOKEN=x\nDB_PASSWORD=hunter2\n")
    found = findings(tmp_path, with_service(env_file=["web.env", {"path": "missing.env", "required": False}]))
    assert failed(found, "fail") == {"container_no_secrets_in_environment"}


def test_volume_that_is_a_directory_of_the_host(tmp_path: Path) -> None:
    disguised = GOOD.replace("{data: {}}", "{data: {driver_opts: {type: none, o: bind, device: /etc}}}")
    assert failed(findings(tmp_path, disguised)) == {"container_no_sensitive_mounts"}


def test_services_that_share(tmp_path: Path) -> None:
    document = yaml.safe_load(GOOD)
    document["services"]["db"] = {**document["services"]["web"], "ports": []}
    found = findings(tmp_path, yaml.safe_dump(document))
    assert failed(found) == {"container_volumes_separated", "network_icc_disabled"}
    [network] = [finding for finding in found if finding.control == "network_icc_disabled"]
    assert network.object.name == "shop_default"
    document["networks"] = {"default": yaml.safe_load(suggestions.lines(network))}
    document["services"]["db"]["volumes"] = ["data:/data:ro"]
    document["services"]["web"]["volumes"] = ["data:/data:ro"]
    assert failed(findings(tmp_path, yaml.safe_dump(document))) == set()


def test_suggested_lines_mend_what_can_be_added(tmp_path: Path) -> None:
    bare = "name: shop\nservices:\n  web:\n    image: web:1\n    healthcheck: {test: [CMD, 'true']}\n"
    found = findings(tmp_path, bare)
    assert len(failed(found)) >= 8
    mended = yaml.safe_load(bare)
    mended["services"]["web"].update(yaml.safe_load(suggestions.override(found))["services"]["web"])
    assert failed(findings(tmp_path, yaml.safe_dump(mended))) == set()
    assert all(suggestions.lines(finding) for finding in found if finding.status in ("fail", "error"))


class TestVariables:
    TEXT = "services: {web: {image: '%s'}}"

    @pytest.mark.parametrize(
        ("image", "told"),
        [
            ("web:$TAG", "web:2"),
            ("web:${TAG}", "web:2"),
            ("web:${TAG:-1}", "web:2"),
            ("web:${OTHER-1}", "web:1"),
            ("web:${OTHER:-1}", "web:1"),
            ("web${TAG:+-x}", "web-x"),
            ("web${OTHER+-x}", "web"),
            ("web:$$TAG", "web:$TAG"),
            ("web:${OTHER}", "web:(given at run time)"),
            ("web:${OTHER:?needed}", "web:(given at run time)"),
            ("web:${OTHER:-${TAG}}", "web:2"),
            ("web:${OTHER:-$TAG-${NONE:-x}}", "web:2-x"),
            ("web:${PRICE}", "web:$TAG"),
            ("web:$${TAG}", "web:${TAG}"),
        ],
    )
    def test_are_filled_in(self, tmp_path: Path, image: str, told: str) -> None:
        path = tmp_path / "compose.yaml"
        path.write_text(self.TEXT % image)
        assert described(load(path, {"TAG": "2", "PRICE": "$TAG"}), "web").document["Image"] == told


def test_variables_of_the_file_beside_it_are_filled_in(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# TAG=1\nexport TAG='2'\nRIGHTS=true\n")
    path = tmp_path / "compose.yaml"
    path.write_text("services: {web: {image: 'web:$TAG', privileged: '${RIGHTS}'}}")
    assert described(load(path, {}), "web").document["Image"] == "web:2"
    assert described(load(path, {"TAG": "3"}), "web").document["Image"] == "web:3"
    assert "container_not_privileged" in failed(findings(tmp_path, path.read_text()), "fail")


@pytest.mark.parametrize(
    ("changes", "controls"),
    [
        ({"user": "${UID}:1000"}, {"container_user_not_root"}),
        ({"volumes": ["${DATA}:/data"]}, {"container_no_engine_socket", "container_no_sensitive_mounts"}),
    ],
)
def test_what_is_known_at_run_time_only_is_no_pass(tmp_path: Path, changes: dict[str, Any], controls: set[str]) -> None:
    assert failed(findings(tmp_path, with_service(**changes)), "error") == controls


@pytest.mark.parametrize(("key", "kind"), [("network_mode", "network"), ("pid", "pid"), ("ipc", "ipc")])
@pytest.mark.parametrize(("mode", "statuses"), [("host", {"fail"}), (None, {"pass"})])
def test_namespaces_of_another_service_are_what_that_one_has(
    tmp_path: Path, key: str, kind: str, mode: str | None, statuses: set[str]
) -> None:
    document = yaml.safe_load(with_service(**{key: mode, "ports": None}))
    document["services"]["helper"] = {**document["services"]["web"], key: "service:web"}
    found = findings(tmp_path, yaml.safe_dump(document))
    assert {item.status for item in found if item.control == f"container_not_in_host_{kind}"} == statuses


@pytest.mark.parametrize("key", ["privileged", "read_only", "network_mode", "pid", "ipc", "userns_mode"])
def test_what_decides_by_itself_has_to_be_known(tmp_path: Path, key: str) -> None:
    with pytest.raises(InputError, match=rf"service web .*: {key} is"):
        findings(tmp_path, with_service(**{key: "${GIVEN}"}))


def test_boolean_of_a_variable_is_one(tmp_path: Path) -> None:
    assert "container_not_privileged" in failed(findings(tmp_path, with_service(privileged="${GIVEN:-yes}")), "fail")
    assert failed(findings(tmp_path, with_service(privileged="${GIVEN:-false}", read_only="${GIVEN:-true}"))) == set()


def test_services_of_every_profile_are_judged(tmp_path: Path) -> None:
    found = findings(tmp_path, with_service(profiles=["debug"], privileged=True))
    assert "container_not_privileged" in failed(found, "fail")


def test_file_that_compose_adds_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.override.yml").write_text("services: {web: {privileged: true}}")
    with pytest.raises(InputError, match=r"docker-compose.override.yml beside it.*`docker compose config`"):
        findings(tmp_path, GOOD)
    (tmp_path / "other.yaml").write_text(GOOD)
    assert load(tmp_path / "other.yaml", {}).services


def test_scalars_are_those_of_yaml_1_2(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text("services: {web: {image: web, restart: no, ports: [22:22], mem_limit: 64m}}")
    config = described(load(path, {}), "web").document["HostConfig"]
    assert config["RestartPolicy"]["Name"] == "no"
    assert config["PortBindings"] == {"22/tcp": [{"HostIp": "", "HostPort": "22"}]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("services: [", "is not YAML, line 1"),
        ("version: '3'", "has no services"),
        ("services: {web: [x]}", "services has to be a mapping of names to mappings"),
        ("services: {web: {extends: {service: base}}}", "`docker compose config`"),
        ("services: {web: {ports: !reset []}}", "only makes sense beside other files"),
        ("include: [x.yaml]\nservices: {web: {image: x}}", "includes other files"),
        ("services: {web: {ports: [http]}}", "service web is not as the Compose specification has it: the port http"),
        ("services: {web: {mem_limit: lots}}", "write a size like 64m"),
        ("services: {web: {ulimits: [x]}}", "service web is not as the Compose specification has it"),
    ],
)
def test_mistake_is_told_of(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        findings(tmp_path, text)


def test_missing_file_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read: No such file"):
        load(tmp_path / "none.yaml", {})
