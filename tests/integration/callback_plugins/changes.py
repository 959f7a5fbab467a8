# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Writes what each run of a playbook changed, or would change in check mode, into a file of CHANGES_DIRECTORY.

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible import context
from ansible.executor.stats import AggregateStats
from ansible.executor.task_result import CallbackTaskResult
from ansible.playbook import Playbook
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: changes
type: aggregate
short_description: Writes what a run changed
description: For tests that compare what check mode said with what a run then did.
"""


class CallbackModule(CallbackBase):
    """Writes {"playbook": name, "check": bool, "changed": [[host, task, its file, items changed]]} when the run ends.

    A task is named with its role. A task without a loop counts as one item; a task may come several times.
    """

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "changes"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._playbook = ""
        self._changed: list[tuple[str, str, str, int]] = []

    def v2_playbook_on_start(self, playbook: Playbook) -> None:
        """Note the playbook's name."""
        self._playbook = Path(playbook._file_name).name

    def v2_runner_on_ok(self, result: CallbackTaskResult) -> None:
        """Note a task that changed something."""
        found: dict[str, Any] = result.result
        if found.get("changed"):
            items = sum(bool(item.get("changed")) for item in found.get("results", [found]))
            task = result.task
            self._changed.append((result.host.get_name(), task.get_name(), str(task.get_path()), items))

    def v2_playbook_on_stats(self, stats: AggregateStats) -> None:
        """Write the file, whose name sorts by time."""
        directory = Path(os.environ["CHANGES_DIRECTORY"])
        directory.mkdir(parents=True, exist_ok=True)
        record = {
            "playbook": self._playbook,
            "check": bool(context.CLIARGS.get("check")),
            "changed": sorted(self._changed),
        }
        (directory / f"{time.time_ns()}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
