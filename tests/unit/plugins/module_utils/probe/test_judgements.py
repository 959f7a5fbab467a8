from __future__ import annotations

import errno
from typing import Any

import pytest

from ansible_collections.breakwater.docker.plugins.module_utils.probe import model, proof, workload_probes
from ansible_collections.breakwater.docker.plugins.module_utils.probe.model import Observation, Surroundings

EPERM, EACCES, EFAULT, EINVAL = -errno.EPERM, -errno.EACCES, -errno.EFAULT, -errno.EINVAL
FULL = {"capability_set.low": 0xFFFFFFFF, "capability_set.high": 0x1FF}
DOCKERS = {"capability_set.low": 0xA80425FB, "capability_set.high": 0}


def words(text: str, *names: str) -> dict[str, int]:
    """Return a text as the words that programs tell it by."""
    content = text.encode().ljust(8 * len(names), b"\0")
    return {
        name: int.from_bytes(content[8 * place : 8 * place + 8], "little", signed=True)
        for place, name in enumerate(names)
    }


def answer(name: str, text: str, connected: int = 0) -> dict[str, int]:
    return {f"{name}.connect": connected, **words(text, f"{name}.answer", f"{name}.status")}


def mapped(user: int, line: str) -> dict[str, int]:
    return {"host_root.user": user, **words(line, *(f"host_root.map{word}" for word in range(3)))}


def environment(content: str, file: int) -> dict[str, int]:
    names = (f"environment_secret.{place}" for place in range(0, 512, 8))
    return {**words(content, *names), "environment_secret.file": file}


#: By probe: what programs tell where it succeeds, and where it does not; an integer stands for a call of its name.
CASES: dict[str, tuple[list[int | dict[str, int]], list[int | dict[str, int]]]] = {
    "shocker": ([5], [EPERM, EINVAL, -errno.ESTALE]),
    "host_device": ([5, -errno.ENXIO], [EPERM, -errno.ENOENT]),
    "mount": ([0], [EPERM, EACCES]),
    "control_group": ([0], [EPERM, EINVAL, -errno.ENODEV]),
    "core_pattern": ([5], [EACCES, -errno.EROFS]),
    "user_namespace": ([0], [EPERM, -errno.ENOSYS]),
    "join_namespace": ([0], [EPERM]),
    "trace_process": ([0], [EPERM]),
    "keyring": ([12345, -errno.ENOKEY], [EPERM, -errno.ENOSYS]),
    "bpf": ([EINVAL, EFAULT], [EPERM]),
    "perf_event": ([5], [EPERM, EACCES]),
    "userfaultfd": ([5, EINVAL], [EPERM]),
    "io_uring": ([EFAULT], [EPERM, -errno.ENOSYS]),
    "vsock": ([5], [EPERM, -errno.EAFNOSUPPORT]),
    "crypto_socket": ([5], [EPERM, -errno.EAFNOSUPPORT]),
    "capability_set": ([FULL], [DOCKERS]),
    "capability_raise": ([0], [EPERM]),
    "raw_socket": ([5], [EPERM]),
    "sysrq": ([5], [EACCES, -errno.EROFS, -errno.ENOENT]),
    "kernel_memory": (
        [{"kernel_memory.open": 5, "kernel_memory": 8}],
        [{"kernel_memory.open": 5, "kernel_memory": 0}, {"kernel_memory.open": EACCES, "kernel_memory": -errno.EBADF}],
    ),
    "kernel_module": ([-errno.EBADF, EINVAL], [EPERM, -errno.ENOSYS]),
    "kernel_log": ([EINVAL], [EPERM]),
    "docker_socket": ([0], [-errno.ENOENT, EACCES]),
    "containerd_socket": ([0], [-errno.ENOENT, -errno.ECONNREFUSED]),
    "engine_api": (
        [
            answer("engine_api.gateway.2375", "HTTP/1.1 200 OK"),
            {
                **answer("engine_api.gateway.2375", "", -errno.ECONNREFUSED),
                **answer("engine_api.gateway6.2376", "HTTP/1.0 200 OK"),
            },
        ],
        [
            answer("engine_api.gateway.2375", "", -errno.EINPROGRESS),
            answer("engine_api.gateway.2376", "HTTP/1.0 400 Bad"),
            answer("engine_api.gateway.2376", "SSH-2.0-200"),
        ],
    ),
    "neighbour": (
        [answer("neighbour", "HTTP/1.0 200 OK")],
        [answer("neighbour", "", -errno.EINPROGRESS), answer("neighbour", "")],
    ),
    "other_network": (
        [answer("other_network", "HTTP/1.0 200 OK")],
        [answer("other_network", "", -errno.EHOSTUNREACH)],
    ),
    "image_setuid": (
        [{"image_setuid": 0, "image_setuid.caller": 1000}, {"image_setuid": 100000, "image_setuid.caller": 1000}],
        [{"image_setuid": 65532, "image_setuid.caller": 65532}, {"image_setuid.exec": EPERM, "image_setuid.caller": 1}],
    ),
    "image_dropper": ([1], [{"image_dropper.exec": EACCES}, {"image_dropper.exec": -errno.ENOENT}]),
    "unsigned_image": ([1], [EPERM]),
    "environment_secret": (
        [environment("PATH=/bin\0BREAKWATER_PLANTED_SECRET=x", file=-errno.ENOENT)],
        [environment("PATH=/bin", file=3), environment("PATH=/bin", file=-errno.ENOENT)],
    ),
    "host_root": (
        [mapped(0, "         0          0 4294967295\n")],
        [mapped(0, "         0     100000      65536\n"), mapped(65532, "         0          0 4294967295\n")],
    ),
    "tenant_volume": ([5], [EACCES]),
    "open_files": ([1 << 20, -1], [1024, 16384]),
    "memory": (
        [{"memory": 16 << 20, "memory.status": 0}],
        [{"memory.status": 9}, {"memory": -errno.ENOMEM, "memory.status": 0}],
    ),
    "fork_bomb": ([130], [-errno.EAGAIN]),
}
BY_ID = {probe.id: probe for probe in proof.PROBES}


def judged(probe: str, told: int | dict[str, int]) -> Observation:
    return BY_ID[probe].judge({probe: told} if isinstance(told, int) else told)


@pytest.mark.parametrize(
    "probe", sorted(BY_ID.keys() - {"registry"})
)  # of which a test of its own is in test_host_probes.py
def test_success_is_told_from_refusal(probe: str) -> None:
    exposed, contained = CASES[probe]
    assert exposed
    assert contained
    for told in exposed:
        assert judged(probe, told).succeeded is True, told
    for told in contained:
        found = judged(probe, told)
        assert found.succeeded is False, told
        assert found.text


@pytest.mark.parametrize("probe", BY_ID)
def test_silence_is_no_verdict(probe: str) -> None:
    found = judged(probe, {})
    assert found.succeeded is None
    assert found.text


def test_each_threat_has_two_probes() -> None:
    for number in range(1, 9):
        assert len([probe for probe in proof.PROBES if f"T{number}" in probe.threats]) >= 2


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_attempts_fit_into_programs(machine: str) -> None:
    around = Surroundings(
        machine, addresses={"gateway": "172.17.0.1", "gateway6": "fd00::1", "neighbour": "172.17.0.2"}
    )
    assert proof.programmed("default", around, proof.PROBES).content
    assert workload_probes.setuid_program(machine)


@pytest.mark.parametrize(
    ("succeeded", "control", "verdict", "reason"),
    [
        (True, True, "exposed", "it does."),
        (False, True, "contained", "it does."),
        (None, True, "not_testable", "The probe gave no answer: it does."),
        (True, False, "not_testable", "Even with all rights it does not succeed here: it does."),
        (False, None, "not_testable", "The control arrangement gave no answer: it does."),
    ],
)
def test_verdicts_need_a_control(succeeded: bool | None, control: bool | None, verdict: str, reason: str) -> None:
    found = model.verdict(Observation(succeeded, "it does"), Observation(control, "it does"))
    assert (found.verdict, found.reason) == (verdict, reason)


def result(probe: str, default: str, hardened: str) -> dict[str, Any]:
    return {"id": probe, "default": {"verdict": default}, "hardened": {"verdict": hardened}}


def test_a_threat_is_as_bad_as_its_worst_probe() -> None:
    results = [
        result("neighbour", "exposed", "contained"),
        result("other_network", "contained", "not_testable"),
        result("raw_socket", "not_testable", "not_testable"),
    ]
    containers = [{"name": "web", "exposed": [{"probe": "neighbour"}]}, {"name": "safe", "exposed": []}]
    sums = model.by_threat(proof.PROBES, results, containers)
    assert list(sums) == [f"T{number}" for number in range(1, 9)]
    assert sums["T6"] == {"default": "exposed", "hardened": "contained", "exposed_containers": ["web"]}
    assert sums["T8"] == {"default": "not_testable", "hardened": "not_testable", "exposed_containers": []}
