# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Kills Ansible (SIGKILL) when the task named in KILL_AT is about to start.

from __future__ import annotations

import os
import signal

from ansible.playbook.task import Task
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: kill_at
type: aggregate
short_description: Kills Ansible at a task
description: For tests of what a killed run leaves behind.
"""


class CallbackModule(CallbackBase):
    """Dies when its task comes."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "kill_at"
    CALLBACK_NEEDS_ENABLED = True

    def v2_playbook_on_task_start(self, task: Task, is_conditional: bool) -> None:
        """Die at a task."""
        if task.name == os.environ["KILL_AT"]:
            os.kill(os.getpid(), signal.SIGKILL)

    def v2_playbook_on_handler_task_start(self, task: Task) -> None:
        """Die at a handler."""
        self.v2_playbook_on_task_start(task, False)
