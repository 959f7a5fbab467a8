# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Whatever an engine answers, a host's files hold or an evidence document says: the audit ends in time, with a finding
# for every control, without a traceback and without a secret.

from __future__ import annotations

import copy
import json
import time
from contextlib import suppress
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.breakwater.docker.plugins.module_utils.engine_api import EngineApi
from ansible_collections.breakwater.docker.plugins.module_utils.errors import EngineError
from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandResult
from ansible_collections.breakwater.docker.plugins.plugin_utils.model import STATUSES
from ansible_collections.breakwater.docker.plugins.plugin_utils.report import writer
from ansible_collections.breakwater.docker.plugins.plugin_utils.schema import scope_schema
from ansible_collections.breakwater.docker.tests.fuzz import mutations
from ansible_collections.breakwater.docker.tests.fuzz.estate import (
    CONTROLS,
    FILES,
    RECORDINGS,
    SECRET,
    Estate,
    judged,
    statuses,
)
from ansible_collections.breakwater.docker.tests.fuzz.mutations import GARBAGE, MEANINGFUL
from ansible_collections.breakwater.docker.tests.unit.fakes.dockerd import FakeDockerd
from ansible_collections.breakwater.docker.tests.unit.fakes.proc import dockerd
from ansible_collections.breakwater.docker.tests.unit.plugins.plugin_utils.report.factory import write_reports

#: Seconds of processor time for one host; a usual one takes 0.1.
BOUND = 5.0
DAMAGE = st.sampled_from([value for value in (*GARBAGE, *MEANINGFUL) if value is not mutations.REMOVED])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=12,
)
TEXT = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(
        [b"", b"\0", b"\n" * 5000, b"x" * 70_000, b":" * 5000, b"[" * 5000, b"\xef\xbb\xbf{}", b"\xff\xfe{\0}\0"]
    ),
    st.lists(
        st.sampled_from(
            ["-w", "-p", "-a", "always,exit", "-F", "path=/etc", "a0=", ":", "\t", "9" * 5000, "²", "{", '"', "\\"]
        )
    ).map(lambda words: " ".join(words).encode()),
)


@pytest.fixture(scope="module", params=RECORDINGS[::3])
def estate(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Estate:
    return Estate(tmp_path_factory.mktemp("host"), request.param)


def audited(estate: Estate, changes: dict[str, Any] | None = None) -> dict[str, Any]:
    """Collect, judge and check what always holds; return the evidence."""
    start = time.process_time()
    evidence = json.loads(json.dumps(estate.evidence(changes, deep_scan=True)))
    report = judged(evidence)
    assert time.process_time() - start < BOUND
    assert SECRET not in json.dumps(evidence)
    if report.assessed:
        assert {finding.control for finding in report.findings} == {item.control.id for item in CONTROLS}
        assert {finding.status for finding in report.findings} <= set(STATUSES)
    else:
        assert report.reason
        assert report.findings == ()
    return evidence


def damage(data: st.DataObject, document: Any, most: int = 4) -> Any:
    """Damage a document at a few places, each as it is by then."""
    for _round in range(data.draw(st.integers(1, most))):
        every = list(mutations.places(document)) if isinstance(document, (dict, list)) else []
        if not every:
            return document
        document = mutations.damaged(document, data.draw(st.sampled_from(every)), data.draw(DAMAGE | JSON))
    return document


@given(data=st.data())
def test_engine_documents(estate: Estate, data: st.DataObject) -> None:
    places = data.draw(st.lists(st.sampled_from(sorted(estate.documents)), min_size=1, max_size=5, unique=True))
    changes = {
        place: data.draw(DAMAGE | JSON) if data.draw(st.integers(0, 9)) == 0 else damage(data, estate.documents[place])
        for place in places
    }
    audited(estate, changes)


@given(data=st.data())
def test_one_containers_garbage_leaves_the_others_alone(estate: Estate, data: st.DataObject) -> None:
    paths = [path for path in estate.documents if path.startswith("/containers/") and path.endswith("/json")]
    place = data.draw(st.sampled_from(paths))
    changed = damage(data, estate.documents[place])
    others = [estate.documents[path]["Id"] for path in paths if path != place]
    shared = ("container_volumes_separated",)
    before, after = (
        {
            key: status
            for key, status in statuses(found, ("container",)).items()
            if key[1] in others and key[0] not in shared
        }
        for found in (estate.evidence(), estate.evidence({place: changed}))
    )
    if changed.get("Id") not in others:
        assert before == after


@given(data=st.data())
def test_host_files_and_commands(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    estate = Estate(tmp_path_factory.mktemp("host"), "26.1-rootful")
    processes = [str(path.relative_to(estate.root)) for path in estate.root.glob("proc/[0-9]*/*") if path.is_file()]
    for name in data.draw(st.lists(st.sampled_from([*sorted(FILES), *sorted(processes)]), max_size=6)):
        path = estate.root / name.lstrip("/")
        old = path.read_bytes()
        cut = data.draw(st.integers(0, len(old)))
        garbage = data.draw(TEXT)
        path.write_bytes(
            data.draw(st.sampled_from([garbage, old[:cut], old[:cut] + garbage + old[cut:], old + garbage]))
        )
    for command in data.draw(
        st.lists(st.sampled_from(["auditctl -l", "auditctl -s", "getent group", "tail", "gzip"]), max_size=3)
    ):
        code = data.draw(st.sampled_from([None, 0, 1, 2]))
        text = data.draw(TEXT).decode("utf-8", "replace")
        estate.commands.answers[command] = CommandResult(code, text, text)
    dockerd(
        estate.root,
        *data.draw(
            st.lists(
                st.sampled_from(
                    [
                        "-H",
                        "--host=",
                        "--labels",
                        "--label",
                        "--log-opt",
                        "a=b",
                        "-",
                        "--",
                        "--icc",
                        "=",
                        "--tlsverify",
                        "--config-file",
                        "/\ufffd",
                        "--data-root=",
                    ]
                ),
                max_size=6,
            )
        ),
        pid=701,
    )
    audited(estate)


@given(data=st.data())
def test_bytes_on_the_socket(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    head = data.draw(
        st.sampled_from(
            [
                b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n",
                b"HTTP/1.1 200 OK\r\n\r\n",
                b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
                b"",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n28\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffff\r\n",
                b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            ]
        )
    )
    body = data.draw(TEXT | JSON.map(lambda value: json.dumps(value).encode()))
    path = tmp_path_factory.mktemp("s") / "sock"
    documents = {"/info": head + body}
    with FakeDockerd(path, documents) as engine, EngineApi(engine.path, timeout=2) as api, suppress(EngineError):
        json.dumps(api.get("/info"))


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return Estate(tmp_path_factory.mktemp("host"), "26.1-rootful").evidence()


@given(data=st.data())
def test_evidence_documents(
    tmp_path_factory: pytest.TempPathFactory, evidence: dict[str, Any], data: st.DataObject
) -> None:
    report = judged(json.loads(json.dumps(damage(data, evidence, most=6))))
    directory = tmp_path_factory.mktemp("reports")
    write_reports(directory, [report], *writer.FORMATS)
    assert json.loads((directory / "report.json").read_text())["hosts"][0]["assessed"] == report.assessed
    ElementTree.parse(directory / "report.junit.xml")


@given(data=st.data())
def test_evidence_garbage_never_passes(evidence: dict[str, Any], data: st.DataObject) -> None:
    scope, place = data.draw(
        st.sampled_from(
            [
                ("host", "host"),
                ("daemon", "daemon"),
                ("swarm", "swarm"),
                ("file", "files"),
                ("image", "images"),
                ("container", "containers"),
                ("network", "networks"),
                ("registry", "registries"),
                ("engine", "engine"),
            ]
        )
    )
    field = data.draw(st.sampled_from(sorted(scope_schema(scope).fields)))
    value = data.draw(DAMAGE | JSON)
    document = copy.deepcopy(evidence)
    for subject in document[place] if isinstance(document[place], list) else [document[place]]:
        subject[field] = value
    name = f"engine.{field}" if scope == "engine" else field
    if field in ("id", "name", "status", "reason") or scope_schema(scope).fields[field].accepts(value):
        return
    readers = {item.control.id for item in CONTROLS if name in item.reads and scope in (item.control.scope, "engine")}
    assert [key for key, status in statuses(document).items() if key[0] in readers and status == "pass"] == []
