# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.daemon_config.merge import (
    EngineState,
    Plan,
    classify,
    make_plan,
    merge,
    moving_keys,
    secrets,
)
from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError

Document = dict[str, Any]
RUNNING = EngineState(running=True, version="26.1.5")
TLS = {"tlsverify": True, "tlscacert": "/ca", "tlscert": "/cert", "tlskey": "/key"}


def plan(
    current: Document | None = None,
    defaults: Document | None = None,
    config: Document | None = None,
    state: EngineState = RUNNING,
) -> Plan:
    return make_plan(current or {}, current or {}, defaults or {}, config or {}, state)


def refusal(config: Document, current: Document | None = None, state: EngineState = RUNNING) -> str:
    with pytest.raises(InputError) as caught:
        plan(current, config=config, state=state)
    return str(caught.value)


def test_merge_goes_into_mappings_and_removes_by_null() -> None:
    base = {"log-opts": {"max-size": "1m", "tag": "x"}, "dns": ["a"], "icc": True}
    overlay = {"log-opts": {"max-size": "2m", "tag": None}, "dns": ["b"], "icc": None, "init": {"a": None}}
    assert merge(base, overlay) == {"log-opts": {"max-size": "2m"}, "dns": ["b"], "init": {}}
    assert base["log-opts"] == {"max-size": "1m", "tag": "x"}


def test_user_overrides_profile_and_profile_overrides_file() -> None:
    made = plan({"icc": True, "debug": True, "mine": 1}, {"icc": False, "debug": False}, {"debug": True})
    assert made.document == {"icc": False, "debug": True, "mine": 1}
    assert made.unknown == ("mine",)


def test_user_removes_a_setting_of_the_profile() -> None:
    assert plan({"icc": True}, {"icc": False}, {"icc": None}).document == {}


def test_user_may_remove_an_unknown_key() -> None:
    assert plan({"mine": 1}, config={"mine": None}).document == {}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"live-restor": True}, "live-restor is not a key of daemon.json, did you mean live-restore?"),
        ({"qqq": 1}, "qqq is not a key of daemon.json."),
        ({"icc": "no"}, "icc must be true or false, not 'no'"),
        ({"log-opts": {"max-file": 3}}, "log-opts must be a mapping whose values are strings"),
        ({"min-api-version": "1.44"}, "min-api-version is a key of engines from 29.0, this one is 26.1.5"),
        ({"userns-remap": "default", "features": {"containerd-snapshotter": True}}, "userns-remap excludes"),
        ({"hosts": ["fd://", "tcp://0.0.0.0:2375"]}, "tlsverify is not true"),
        ({"hosts": ["tcp://0.0.0.0:2376"], **TLS}, "hosts has no local socket"),
        ({"tlsverify": False, "hosts": ["fd://"]}, "tlsverify: false still turns TLS on"),
        (TLS, "TLS without hosts moves the engine"),
        ({"hosts": ["fd://", "tcp://:2376"], "tlsverify": True, "tlskey": "/k"}, "tlsverify needs tlscacert, tlscert"),
    ],
)
def test_what_can_not_be_is_refused(config: Document, sentence: str) -> None:
    message = refusal(config)
    assert sentence in message
    assert message.endswith("othing was changed.")


def test_every_wrong_key_is_named_at_once() -> None:
    message = refusal({"icc": 1, "debug": 2})
    assert "icc must be" in message
    assert "debug must be" in message


def test_tls_with_everything_is_accepted() -> None:
    assert plan(config={"hosts": ["fd://", "tcp://0.0.0.0:2376"], **TLS}).warnings == ()


def test_live_restore_in_a_swarm_is_refused_to_the_user_and_skipped_for_the_profile() -> None:
    swarm = EngineState(running=True, version="26.1.5", swarm_active=True)
    assert "refused by an engine in a swarm" in refusal({"live-restore": True}, state=swarm)
    made = plan(defaults={"live-restore": True, "icc": False}, state=swarm)
    assert made.document == {"icc": False}
    assert made.skipped == (("live-restore", "an engine in a swarm can't restore containers live"),)


@pytest.mark.parametrize("file", [{"live-restore": True}, {"firewall-backend": "nftables"}])
def test_what_an_engine_in_a_swarm_does_not_start_by_is_refused_in_the_file_too(file: Document) -> None:
    swarm = EngineState(running=True, version="29.1.0", swarm_active=True)
    assert "by an engine in a swarm" in refusal({}, current=file, state=swarm)
    corrected = {"live-restore": False, "firewall-backend": "iptables"}
    assert plan(file, config={key: corrected[key] for key in file}, state=swarm).document != file


def test_live_restore_that_a_swarm_excludes_is_turned_off_by_a_reload() -> None:
    swarm = EngineState(running=True, version="26.1.5", containers=1, live_restore=True, swarm_active=True)
    assert plan({"live-restore": True}, config={"live-restore": False}, state=swarm).action == "reload"


def test_contradiction_that_was_there_before_is_a_warning() -> None:
    made = plan({"hosts": ["fd://", "tcp://0.0.0.0:2375"]}, {"icc": False})
    assert "tlsverify is not true" in made.warnings[0]


def test_profile_keys_of_other_versions_are_skipped() -> None:
    made = plan(defaults={"proxies": {}, "icc": False}, state=EngineState(running=True, version="20.10.24"))
    assert made.document == {"icc": False}
    assert made.skipped == (("proxies", "a key of engines from 23.0, this one is 20.10.24"),)


@pytest.mark.parametrize(
    ("version", "file", "config", "kept"),
    [
        ("26.1.5", {}, {}, ["old", "web"]),
        ("26.1.5", {"experimental": True, "ip6tables": True}, {}, ["web"]),
        ("28.5.0", {}, {}, ["web"]),
        ("28.5.0", {"ip6tables": False}, {}, ["old", "web"]),
        ("28.5.0", {"userland-proxy": False}, {}, []),
        ("28.5.0", {}, {"userland-proxy": False}, []),
    ],
)
def test_profile_keeps_docker_proxy_for_clients_over_ipv6_whom_nothing_else_leads(
    version: str, file: Document, config: Document, kept: list[str]
) -> None:
    state = EngineState(running=True, version=version, ipv6_clients={"web": False, "old": True})
    made = plan(file, {"userland-proxy": False}, config, state)
    reasons = [f"without docker-proxy no client over IPv6 reaches {', '.join(kept)}"] if kept else []
    assert [reason for _key, reason in made.skipped] == reasons
    assert made.document.get("userland-proxy", True) is bool(kept)


def test_profile_does_not_take_away_a_log_driver() -> None:
    rotation = {"log-driver": "json-file", "log-opts": {"max-size": "10m"}}
    remote = {"log-driver": "syslog", "log-opts": {"syslog-address": "tcp://logs:514"}}
    made = plan(remote, rotation)
    assert made.document == remote
    assert [key for key, _reason in made.skipped] == ["log-driver", "log-opts"]
    kept = plan({"log-driver": "local"}, rotation).document
    assert kept == {"log-driver": "local", "log-opts": {"max-size": "10m"}}


def test_profile_adds_limits_and_changes_none() -> None:
    limits = {"log-opts": {"max-size": "10m", "max-file": "3"}, "default-ulimits": {"nofile": {"Soft": 1, "Hard": 2}}}
    site = {"log-opts": {"max-size": "50m", "tag": "x"}, "default-ulimits": {"nofile": {"Soft": 9, "Hard": 9}}}
    assert plan(site, limits).document == {
        "log-opts": {"max-size": "50m", "max-file": "3", "tag": "x"},
        "default-ulimits": {"nofile": {"Soft": 9, "Hard": 9}},
    }
    assert plan(site, limits, {"log-opts": {"max-size": "1m"}}).document["log-opts"]["max-size"] == "1m"


def test_options_of_another_log_driver_go_with_it() -> None:
    made = plan(
        {"log-opts": {"max-size": "1m"}},
        {"log-driver": "json-file", "log-opts": {"max-size": "10m"}},
        {"log-driver": "journald"},
    )
    assert made.document == {"log-driver": "journald"}
    made = plan({"log-opts": {"labels": "a"}}, {"log-opts": {"max-size": "10m"}}, {"log-driver": "local"})
    assert made.document == {"log-driver": "local", "log-opts": {"max-size": "10m"}}


def test_profile_without_user_namespaces_for_the_containerd_image_store() -> None:
    made = plan({"features": {"containerd-snapshotter": True}}, {"userns-remap": "default"})
    assert made.action == "none"


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ({}, {}, "none"),
        ({}, {"live-restore": True, "labels": ["a=b"]}, "reload"),
        ({}, {"live-restore": True, "icc": False}, "restart"),
        ({"userland-proxy": True}, {"userland-proxy": True, "debug": True}, "restart"),
        ({"live-restore": True}, {}, "restart"),  # a reload takes no notice of what has gone
        ({"mine": 1}, {}, "restart"),
        ({}, {"userns-remap": "default"}, "data_move"),
        ({}, {"data-root": "/srv"}, "data_move"),
        ({}, {"features": {"containerd-snapshotter": True}}, "data_move"),
        ({}, {"features": {"buildkit": True}}, "reload"),
    ],
)
def test_classify(before: Document, after: Document, action: str) -> None:
    assert classify(before, after, RUNNING)[0] == action


def test_writing_down_what_is_in_use_moves_nothing() -> None:
    state = EngineState(running=True, storage_driver="overlay2", data_root="/var/lib/docker")
    assert classify({}, {"storage-driver": "overlay2", "data-root": "/var/lib/docker"}, state)[0] == "restart"


def test_engine_that_is_down_is_started_not_reloaded() -> None:
    assert classify({}, {"debug": True}, EngineState())[0] == "restart"


def test_unknown_running_configuration_takes_a_restart() -> None:
    assert make_plan({}, None, {}, {"debug": True}, RUNNING).action == "restart"
    assert make_plan({}, None, {}, {}, RUNNING).action == "restart"


def test_unfinished_run_is_finished_though_the_file_is_right() -> None:
    made = make_plan({"icc": False}, {}, {"icc": False}, {}, RUNNING)
    assert (made.action, made.changed) == ("restart", ("icc",))


def network(icc: str, containers: int) -> EngineState:
    options = {"com.docker.network.bridge.enable_icc": icc}
    return EngineState(running=True, version="26.1.5", containers=containers, live_restore=True, network=options)


def test_default_network_stays_as_it_is_while_containers_run() -> None:
    made = plan({"icc": False}, {"icc": False}, state=network("true", containers=1))
    assert (made.action, made.pending) == ("none", ("icc",))


def test_default_network_is_made_anew_when_no_container_runs() -> None:
    made = plan({"icc": False}, {"icc": False}, state=network("true", containers=0))
    assert (made.action, made.changed, made.pending) == ("restart", ("icc",), ())
    assert plan({"icc": False}, state=network("false", containers=0)).action == "none"


def test_secrets_are_found_wherever_they_are() -> None:
    document = {
        "proxies": {"http-proxy": "http://user:pw@proxy:3128", "no-proxy": "localhost"},
        "log-opts": {"splunk-token": "abc", "tag": "x"},
        "registry-mirrors": ["https://u:q@mirror", "https://plain"],
        "tlskey": "/etc/docker/key.pem",
    }
    assert secrets(document) == {"http://user:pw@proxy:3128", "abc", "https://u:q@mirror"}


def test_profile_leaves_experiments_that_are_in_use() -> None:
    made = plan({"ip6tables": True, "experimental": True}, {"experimental": False, "ip6tables": True})
    assert made.document == {"ip6tables": True, "experimental": True}
    assert [key for key, _reason in made.skipped] == ["experimental", "ip6tables"]


@pytest.mark.parametrize(
    ("current", "after"),
    [
        ({"seccomp-profile": "unconfined"}, {}),
        ({"seccomp-profile": "/etc/docker/own.json"}, {"seccomp-profile": "/etc/docker/own.json"}),
    ],
)
def test_profile_brings_the_builtin_seccomp_profile_back_and_leaves_an_own_one(
    current: Document, after: Document
) -> None:
    assert plan(current, {"seccomp-profile": None}).document == after


def test_null_of_a_profile_fits_every_version() -> None:
    made = plan({"nri-opts": {"enable": True}}, {"nri-opts": None})
    assert (made.document, made.skipped) == ({}, ())


def test_part_of_a_change_that_a_reload_makes_effective() -> None:
    made = plan({}, config={"live-restore": True, "icc": False, "features": {"containerd-snapshotter": True}})
    assert (made.action, made.reloaded) == ("data_move", ("live-restore",))
    assert plan({"labels": ["a"]}, config={"labels": None, "icc": False}).reloaded == ()
    assert plan({}, config={"live-restore": True, "icc": False}, state=EngineState()).reloaded == ()


@pytest.mark.parametrize(
    ("file", "shown", "action"),
    [
        ({"live-restore": True}, {"live-restore": True}, "none"),
        ({"live-restore": True}, {"live-restore": False}, "reload"),
        ({"live-restore": True, "log-driver": "local"}, {"live-restore": False, "log-driver": "json-file"}, "restart"),
        ({"userns-remap": "default"}, {"userns-remap": None}, "data_move"),
        ({"userns-remap": ""}, {"userns-remap": None}, "none"),
        ({"storage-driver": "btrfs"}, {"storage-driver": "overlay2"}, "data_move"),
        (
            {"storage-driver": "overlay2", "features": {"containerd-snapshotter": True}},
            {"storage-driver": "overlayfs"},
            "none",
        ),
        ({}, {"debug": True}, "none"),
    ],
)
def test_file_that_the_engine_contradicts_is_not_what_it_runs_by(file: Document, shown: Document, action: str) -> None:
    made = plan(file, state=EngineState(running=True, version="26.1.5", shown=shown))
    assert made.action == action
    assert made.document == file
    assert set(made.changed) == ({key for key in shown if file.get(key) != shown[key]} if action != "none" else set())


def test_data_root_that_is_not_in_effect_moves_data() -> None:
    roots = {"/link": "/data", "/data": "/data", "/new": "/new"}

    def state(document: Document) -> str:
        return roots.get(document.get("data-root", ""), "/var/lib/docker")

    engine = EngineState(running=True, version="26.1.5", data_root="/data", root_of=state)
    for current, config, action in [
        ({"data-root": "/new"}, {}, "data_move"),
        ({"data-root": "/new"}, {"debug": True}, "data_move"),
        ({}, {"debug": True}, "data_move"),  # it was taken out of the file
        ({"data-root": "/data"}, {"debug": True}, "reload"),
        ({"data-root": "/link"}, {"debug": True}, "reload"),
        ({"data-root": "/new"}, {"data-root": "/data"}, "restart"),
        ({"data-root": "/data"}, {"data-root": "/link"}, "restart"),
        ({"data-root": "/data"}, {"data-root": None}, "data_move"),
    ]:
        assert plan(current, config=config, state=engine).action == action, (current, config)
    users_own = EngineState(running=True, version="26.1.5", data_root="/home/ada/.local/share/docker")
    assert plan({}, config={"debug": True}, state=users_own).action == "reload"
    assert moving_keys({"data-root": "/new", "icc": False}, engine) == ["data-root"]
    assert moving_keys({"data-root": "/link", "icc": False}, engine) == []
    remapping = replace(engine, shown={"userns-remap": None})
    assert moving_keys({"data-root": "/data", "userns-remap": "default"}, remapping) == ["userns-remap"]


def test_run_that_was_killed_after_its_restart_is_finished_by_a_restart() -> None:
    before, after = {"no-new-privileges": False, "labels": ["a"]}, {"no-new-privileges": True, "labels": ["b"]}
    state = EngineState(running=True, version="26.1.5", shown={"no-new-privileges": True})
    assert make_plan(after, before, {}, {}, state).action == "restart"
