# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# What check mode said beside what a run then did, by the records of the callback plugin `changes`.

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Sequence

import pytest

ROOT = Path(__file__).parents[2]
#: Lists the tasks of which check mode may say more than a run then does, with the reasons.
DOCUMENT = ROOT / "docs/check_mode.md"
_ROW = re.compile(r"(?m)^\| `(docker_\w+: [^`]+)` \|")
_OURS = "breakwater.docker."
_ROLES = "/breakwater/docker/roles/"


@dataclass(frozen=True)
class Run:
    """A run of a playbook, and how many items of which task of a role changed by (host, task)."""

    playbook: str
    check: bool
    changed: Counter[tuple[str, str]]


def environment(directory: Path) -> dict[str, str]:
    """Return the variables by which Ansible records its runs in the directory."""
    return {
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "tests/integration/callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "changes",
        "CHANGES_DIRECTORY": str(directory),
    }


def recorded(directory: Path, playbook: str | None = None) -> list[Run]:
    """Return the runs in their order, all or those of a playbook."""
    found = [_run(json.loads(path.read_text(encoding="utf-8"))) for path in sorted(directory.glob("*.json"))]
    return [run for run in found if playbook in (None, run.playbook)]


def _run(record: dict[str, Any]) -> Run:
    changed: Counter[tuple[str, str]] = Counter()
    for host, task, path, items in record["changed"]:
        # A role may include a file of the user's, whose tasks are not the role's.
        if task.startswith(_OURS) and _ROLES in path:
            changed[host, task.removeprefix(_OURS).replace(" : ", ": ", 1)] += items
    return Run(str(record["playbook"]), bool(record["check"]), changed)


def exceptions() -> set[str]:
    """Return the tasks, as `role: task`, of which check mode may say that they change though they then don't."""
    return set(_ROW.findall(DOCUMENT.read_text(encoding="utf-8")))


def differences(predicted: Run, real: Run) -> list[str]:
    """Return in words what check mode said in vain, but for the documented exceptions, and what it did not say."""
    assert (predicted.check, real.check) == (True, False), "a run in check mode, and the real one after it"
    excused = exceptions()
    found = []
    for host, task in sorted({**predicted.changed, **real.changed}):
        said, done = predicted.changed[host, task], real.changed[host, task]
        if said < done or (said > done and task not in excused):
            found.append(f"{host}: {task}: predicted {said}, changed {done}")
    return found


def judged(runs: Sequence[Run]) -> list[str]:
    """Return the differences of a host's first four runs: check mode, for real, once more, check mode."""
    first, converged, again, last = runs
    assert converged.changed, "the record is of these runs"
    return [*differences(first, converged), *differences(last, again)]


def tried(converge: Callable[..., object], directory: Path) -> list[str]:
    """Converge a host, by a function that takes options of Ansible's, in the four runs; return the differences."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment(directory).items():
            patch.setenv(name, value)
        for options in (("--check", "--diff"), (), (), ("--check", "--diff")):
            converge(*options)
    return judged(recorded(directory))
