# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

from typing import Any

from ansible_collections.breakwater.docker.plugins.module_utils.workload import secure_defaults
from ansible_collections.breakwater.docker.plugins.plugin_utils import catalogue_loader, rules
from ansible_collections.breakwater.docker.plugins.plugin_utils.described import Described, judge
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import Finding

HEALTH = {"Test": ["CMD", "true"]}


def findings(*documents: dict[str, Any], networks: tuple[dict[str, Any], ...] = ()) -> list[Finding]:
    """Judge the containers by the whole strict catalogue."""
    described = [Described(f"c{number}", document) for number, document in enumerate(documents)]
    return judge(catalogue_loader.builtin().values(), described, networks, rules.check_policy({}))


def container(**changes: Any) -> dict[str, Any]:
    """Return a container of the defaults, with a network, a health check and bounded logs."""
    logs = {"Type": "json-file", "Config": secure_defaults.LOG_OPTIONS}
    host_config = {**secure_defaults.host_config(), "NetworkMode": "shop", "LogConfig": logs, **changes}
    return {"Image": "web:1", "User": secure_defaults.USER, "Healthcheck": HEALTH, "HostConfig": host_config}


def failed(found: list[Finding]) -> set[str]:
    return {finding.control for finding in found if finding.status not in ("pass", "not_applicable", "manual")}


def test_defaults_pass_every_control() -> None:
    found = findings(container())
    assert failed(found) == set()
    assert {finding.control for finding in found if finding.status == "manual"} == {
        "container_image_current",  # no host was asked
        "container_ulimits_reviewed",  # the engine's own default is unknown
    }


def test_each_default_is_one_that_a_control_asks_for() -> None:
    assert failed(findings(container(CapDrop=[]))) == {"container_capabilities_dropped"}
    assert failed(findings(container(ReadonlyRootfs=False))) == {"container_read_only"}
    assert failed(findings(container(SecurityOpt=[]))) == {"container_no_new_privileges"}
    assert failed(findings(container(Memory=0))) == {"container_memory_limited"}
    assert failed(findings(container(NanoCpus=0))) == {"container_cpu_limited"}
    assert failed(findings(container(PidsLimit=0))) == {"container_pids_limited"}
    assert failed(findings(container(RestartPolicy={"Name": "always", "MaximumRetryCount": 0}))) == {
        "container_restarts_limited"
    }
    assert failed(findings(container(Privileged=True))) >= {"container_not_privileged", "container_apparmor_profile"}


def test_swap_adds_no_memory() -> None:
    config = secure_defaults.host_config()
    assert config["MemorySwap"] == config["Memory"] == secure_defaults.MEMORY


def test_containers_of_the_default_network_do_not_reach_each_other() -> None:
    network = {"Name": "shop", **secure_defaults.network()}
    assert failed(findings(container(), container(), networks=(network,))) == set()
    network["Options"] = {}
    assert failed(findings(container(), container(), networks=(network,))) == {"network_icc_disabled"}


def test_defaults_are_given_away_as_new_objects() -> None:
    secure_defaults.host_config()["CapDrop"].clear()
    secure_defaults.network()["Options"].clear()
    assert secure_defaults.host_config()["CapDrop"] == ["ALL"]
    assert secure_defaults.network()["Options"]
