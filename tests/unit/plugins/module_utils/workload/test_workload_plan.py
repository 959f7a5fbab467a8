# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What a plan does with what is there, and what a rollout does when a new container is not well.

from __future__ import annotations

import json
from typing import Any, Iterator, Sequence

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.errors import BreakwaterError, EngineError, InputError
from ansible_collections.breakwater.docker.plugins.module_utils.workload import document as documents
from ansible_collections.breakwater.docker.plugins.module_utils.workload.description import Workload
from ansible_collections.breakwater.docker.plugins.module_utils.workload.plan import Plan, plan
from ansible_collections.breakwater.docker.plugins.module_utils.workload.rollout import Rollout
from ansible_collections.breakwater.docker.plugins.module_utils.workload.run import _longest_stop
from ansible_collections.breakwater.docker.plugins.module_utils.workload.state import State
from ansible_collections.breakwater.docker.tests.unit.fakes.workloads import workload

ANONYMOUS = "0123456789abcdef" * 4
PORT = {"ports": [{"container_port": "80", "host_port": "8080"}]}


def wanted(told: Workload) -> dict[str, dict[str, Any]]:
    return {item.name: documents.container(item, documents.Surroundings()) for item in told.containers}


def inspected(document: dict[str, Any], running: bool = True) -> dict[str, Any]:
    """Return what an engine says of a container that the document made."""
    return {
        "Config": {"Labels": document["Labels"]},
        "HostConfig": document["HostConfig"],
        "NetworkSettings": {"Networks": document["NetworkingConfig"]["EndpointsConfig"]},
        "Mounts": documents.mounts(document),
        "State": {"Running": running},
    }


def present(told: Workload, running: bool = True) -> State:
    """Return the state in which a workload runs."""
    return State(
        present=True,
        containers={name: inspected(document, running) for name, document in wanted(told).items()},
        networks={name: documents.network(item) for name, item in told.networks.items()},
        volumes={name: documents.volume(name, item.owner) for name, item in told.volumes.items()},
    )


def decide(told: Workload, state: State, allow_interruption: bool = False) -> Plan:
    return plan(told, wanted(told), state, allow_interruption)


def actions(decided: Plan) -> list[tuple[str, str, bool]]:
    return [(change.action, change.container.name, change.overlap) for change in decided.changes]


class TestPlan:
    def test_everything_is_made_where_nothing_is(self) -> None:
        decided = decide(workload({"volumes": [{"volume": "data", "target": "/data"}]}), State())
        assert [item["Name"] for item in decided.networks] == ["shop"]
        assert [item["Name"] for item in decided.volumes] == ["data"]
        assert actions(decided) == [("create", "web", False)]

    def test_nothing_is_done_where_everything_runs(self) -> None:
        told = workload({}, {"name": "db", "volumes": [{"volume": "data", "target": "/data"}]})
        assert not any(decide(told, present(told)))

    def test_what_ended_is_started(self) -> None:
        assert actions(decide(workload({}), present(workload({}), running=False))) == [("start", "web", False)]

    @pytest.mark.parametrize("field", ["Memory", "PidsLimit", "NanoCpus"])
    def test_drift_is_mended(self, field: str) -> None:
        state = present(workload({}))
        web = {**state.containers["web"], "HostConfig": {**state.containers["web"]["HostConfig"], field: 7}}
        drifted = state._replace(containers={"web": web})
        assert actions(decide(workload({}), drifted)) == [("replace", "web", True)]

    def test_other_networks_are_mended(self) -> None:
        state = present(workload({}))
        web = {**state.containers["web"], "NetworkSettings": {"Networks": {"shop": {}, "bridge": {}}}}
        assert actions(decide(workload({}), state._replace(containers={"web": web}))) == [("replace", "web", True)]

    def test_service_is_not_interrupted_without_leave(self) -> None:
        changed = workload({"pids": 50, **PORT})
        for before in (workload(PORT), workload({**PORT, "pids": 70})):
            with pytest.raises(InputError, match="two can't share the port"):
                decide(changed, present(before))
            assert actions(decide(changed, present(before), True)) == [("replace", "web", False)]
        with pytest.raises(InputError, match="what it publishes or writes to now"):
            decide(workload({"ports": [{**PORT["ports"][0], "host_port": "8080-8081"}]}), present(workload(PORT)))
        for ports in ([], [{**PORT["ports"][0], "host_port": "8081-8082"}]):
            assert actions(decide(workload({"ports": ports}), present(workload(PORT)))) == [("replace", "web", True)]
        assert actions(decide(changed, present(workload(PORT), running=False))) == [("replace", "web", False)]

    def test_container_of_somebody_else_is_left_alone(self) -> None:
        state = present(workload({}))
        web = {**state.containers["web"], "Config": {"Labels": None}}
        foreign = state._replace(containers={"web": web})
        with pytest.raises(InputError, match="was not made by docker_workload"):
            decide(workload({}), foreign)
        with pytest.raises(InputError, match="was not made by docker_workload"):
            decide(workload(absent=["web"]), foreign)
        assert actions(decide(workload({"adopt": True}), foreign)) == [("replace", "web", True)]

    def test_what_is_not_listed_stays(self) -> None:
        assert not any(decide(workload(), present(workload({}))))
        assert decide(workload(absent=["web", "gone"]), present(workload({}))).removed == ("web",)

    @pytest.mark.parametrize(
        ("present_network", "reason"),
        [
            ({"icc": True}, "has icc on"),
            ({"internal": True}, "is internal"),
            ({"owner": "bank"}, "belongs to bank"),
        ],
    )
    def test_network_that_differs_is_told_of(self, present_network: dict[str, Any], reason: str) -> None:
        other = workload(networks=[{"name": "shop", "owner": "shop", **present_network}])
        state = State(networks={"shop": documents.network(other.networks["shop"])})
        with pytest.raises(InputError, match=reason):
            decide(workload({}), state)

    @pytest.mark.parametrize(
        ("options", "problem"),
        [
            ({}, f"What it keeps in /data is in the volume {ANONYMOUS}, and it is not listed"),
            ({"volumes": [{"volume": "new", "target": "/data"}]}, "new, which is not there yet, would be empty"),
            ({"volumes": [{"volume": ANONYMOUS, "target": "/data/"}]}, ""),
            ({"volumes": [{"volume": "copy", "target": "/data"}]}, ""),
            ({"volumes": [{"host_path": "/srv/data", "target": "/data"}]}, ""),
            ({"tmpfs": {"/data": "16m"}}, ""),
        ],
    )
    @pytest.mark.parametrize("adopted", [True, False])
    @pytest.mark.parametrize("running", [True, False])
    def test_data_without_a_name_are_not_left_behind(
        self, options: dict[str, Any], problem: str, adopted: bool, running: bool
    ) -> None:
        state = present(workload({}), running)
        volume = {"Type": "volume", "Name": ANONYMOUS, "Destination": "/data", "RW": True}
        web = {**state.containers["web"], "Mounts": [volume]}
        if adopted:
            web["Config"] = {"Labels": {}}
        state = state._replace(containers={"web": web}, volumes={"copy": {}})
        told = workload({"adopt": True, "pids": 50, **options})
        if problem:
            with pytest.raises(InputError, match=problem):
                decide(told, state, True)
        else:
            assert actions(decide(told, state, True))[0][0] == "replace"

    def test_named_volume_is_forgotten_by_its_owner_only(self) -> None:
        before = workload({"volumes": [{"volume": "old", "target": "/data"}]})
        state = present(before)
        assert actions(decide(workload({"adopt": True}), state, True)) == [("replace", "web", False)]
        web = {**state.containers["web"], "Config": {"Labels": {}}}
        with pytest.raises(InputError, match="is in the volume old, and it is not listed"):
            decide(workload({"adopt": True}), state._replace(containers={"web": web}), True)

    def test_data_of_the_image_need_a_place(self) -> None:
        images = {"web:1": {"Config": {"Volumes": {"/data": {}}}}}
        for state in (State(images=images), present(workload({"pids": 50}))._replace(images=images)):
            with pytest.raises(InputError, match="its image keeps data in /data"):
                decide(workload({}), state)
            for options in ({"tmpfs": {"/data/": "1m"}}, {"volumes": [{"volume": "data", "target": "/data"}]}):
                assert decide(workload(options), state, True).changes
        assert not any(decide(workload({}), present(workload({}))._replace(images=images)))

    def test_volume_of_another_owner_is_refused(self) -> None:
        state = State(volumes={"data": documents.volume("data", "bank")})
        with pytest.raises(InputError, match="data belongs to bank, not to shop"):
            decide(workload({"volumes": [{"volume": "data", "target": "/data"}]}), state)

    def test_successor_of_a_killed_run_is_taken(self) -> None:
        state = present(workload({}))
        killed = state._replace(containers={"web.next": state.containers["web"]})
        assert actions(decide(workload({}), killed)) == [("rename", "web", False)]
        assert actions(decide(workload({"pids": 50}), killed)) == [("create", "web", False)]

    def test_successor_of_a_failed_run_is_removed(self) -> None:
        state = present(workload({}))
        failed = state._replace(containers={**state.containers, "web.next": state.containers["web"]})
        assert decide(workload({}), failed).removed == ("web.next",)


class Engine:
    """Notes what is asked of it; containers are well unless their state says otherwise."""

    def __init__(self, *states: dict[str, Any], fails: Sequence[str] = ()) -> None:
        self.calls: list[str] = []
        self._fails = fails
        self._states = list(states) or [{"Running": True, "Health": {"Status": "healthy"}}]

    def get(self, path: str) -> Any:
        self._fail(path)
        state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        return {"State": {"ExitCode": 3, **state}, "RestartCount": state.get("restarts", 0)}

    def get_each(self, paths: Sequence[str]) -> Iterator[Any]:
        raise NotImplementedError

    def post(self, path: str, _body: Any = None) -> Any:
        self.calls.append(path.replace("/containers/", ""))
        self._fail(path)

    def _fail(self, path: str) -> None:
        if path.replace("/containers/", "") in self._fails:
            raise EngineError("unreadable", f"The engine did not answer {path}.")

    def delete(self, path: str) -> None:
        self.calls.append("remove " + path.replace("/containers/", "").replace("?force=1", ""))


def roll(engine: Engine, told: Workload, state: State) -> None:
    ticks = iter(range(1000))
    rollout = Rollout(engine, engine, state, sleep=lambda _seconds: None, clock=lambda: float(next(ticks)))
    rollout.carry_out(decide(told, state, allow_interruption=True), {})


class TestRollout:
    def test_new_container_is_well_before_the_old_one_goes(self) -> None:
        engine = Engine(
            {"Running": True, "Health": {"Status": "starting"}}, {"Running": True, "Health": {"Status": "healthy"}}
        )
        roll(engine, workload({"pids": 50}), present(workload({})))
        assert engine.calls == [
            *("create?name=web.next", "web.next/start", "web/stop", "remove web", "web.next/rename?name=web")
        ]

    def test_old_container_is_stopped_first_where_the_two_do_not_go_together(self) -> None:
        engine = Engine()
        roll(engine, workload({"pids": 50, **PORT}), present(workload(PORT)))
        assert engine.calls[:3] == ["create?name=web.next", "web/stop", "web.next/start"]

    @pytest.mark.parametrize(
        ("state", "reason"),
        [
            ({"Running": False}, "it ended with 3"),
            ({"Running": False, "OOMKilled": True}, "it ended with 3, for lack of memory"),
            ({"Running": True, "Restarting": True, "restarts": 1}, "it ended with 3"),
            ({"Running": True, "ExitCode": 0, "restarts": 1}, "it ended and was started again"),
            ({"Running": True, "Health": {"Status": "unhealthy"}}, "its health check fails"),
            ({"Running": True, "Health": {"Status": "starting"}}, "it is not healthy after 60 seconds"),
        ],
    )
    def test_old_container_stays_when_the_new_one_is_not_well(self, state: dict[str, Any], reason: str) -> None:
        engine = Engine(state)
        with pytest.raises(BreakwaterError, match=f"{reason}. The former container runs as before.*inspect web.next"):
            roll(engine, workload({"pids": 50}), present(workload({})))
        assert engine.calls == ["create?name=web.next", "web.next/start", "web.next/stop"]

    def test_old_container_comes_back_when_it_had_to_be_stopped(self) -> None:
        engine = Engine({"Running": False})
        with pytest.raises(BreakwaterError, match="The former container runs as before"):
            roll(engine, workload({"pids": 50, **PORT}), present(workload(PORT)))
        assert engine.calls[-2:] == ["web.next/stop", "web/start"]

    @pytest.mark.parametrize("failing", ["web/stop", "web.next/start", "web.next/json"])
    def test_old_container_comes_back_when_the_engine_fails(self, failing: str) -> None:
        engine = Engine(fails=[failing])
        with pytest.raises(BreakwaterError, match=f"did not answer /containers/{failing}. The former container runs"):
            roll(engine, workload({"pids": 50, **PORT}), present(workload(PORT)))
        assert engine.calls[-2:] == ["web.next/stop", "web/start"]

    def test_old_container_that_stays_down_is_told_of(self) -> None:
        engine = Engine(fails=["web.next/json", "web.next/stop", "web/start"])
        with pytest.raises(BreakwaterError, match="is stopped, too, start it yourself: The engine did not answer"):
            roll(engine, workload({"pids": 50, **PORT}), present(workload(PORT)))

    def test_old_container_is_waited_for_as_long_as_it_may_take(self) -> None:
        changed = workload({"pids": 50, **PORT}, absent=["gone"])
        state = present(workload(PORT))
        for own, seconds in ((None, 10), (300, 300), (-1, 3600)):
            for name in ("web", "gone"):
                slow = {**state.containers["web"], "Config": {**state.containers["web"]["Config"], "StopTimeout": own}}
                told = state._replace(containers={**state.containers, name: slow})
                assert _longest_stop(decide(changed, told, True), told) == seconds
        assert _longest_stop(decide(workload({"stop_timeout": 70}), State()), State()) == 70

    def test_first_failure_ends_the_run(self) -> None:
        engine = Engine({"Running": False})
        with pytest.raises(BreakwaterError):
            roll(engine, workload({}, {"name": "db"}), present(workload())._replace(networks={}))
        assert not any("db" in call for call in engine.calls)

    def test_container_without_a_check_has_to_run_for_a_while(self) -> None:
        engine = Engine({"Running": True}, {"Running": True}, {"Running": False})
        with pytest.raises(BreakwaterError, match="it ended with 3"):
            roll(engine, workload({"health": None}), State())

    def test_further_networks_are_joined_before_the_start(self) -> None:
        engine = Engine()
        roll(engine, workload({"networks": ["front", "back"]}), State())
        made = engine.calls.index("create?name=web.next")
        assert engine.calls[made : made + 3] == ["create?name=web.next", "/networks/back/connect", "web.next/start"]


def test_digest_follows_what_the_container_is_made_of() -> None:
    container = workload({}).containers[0]
    one = documents.container(container, documents.Surroundings(image_id="sha256:1"))
    assert documents.container(container, documents.Surroundings(image_id="sha256:1")) == one
    for other in (
        documents.container(container, documents.Surroundings(image_id="sha256:2")),
        documents.container(container, documents.Surroundings(image_id="sha256:1", seccomp="{}")),
        documents.container(workload({"command": ["x"]}).containers[0], documents.Surroundings(image_id="sha256:1")),
    ):
        assert other["Labels"][documents.DIGEST] != one["Labels"][documents.DIGEST]
    json.dumps(one)


def test_log_driver_of_the_site_is_left_alone() -> None:
    container = workload({}).containers[0]
    assert documents.container(container, documents.Surroundings())["HostConfig"]["LogConfig"]["Config"]["max-size"]
    elsewhere = documents.container(container, documents.Surroundings(log_driver="journald"))
    assert elsewhere["HostConfig"]["LogConfig"] == {"Type": "", "Config": {}}
