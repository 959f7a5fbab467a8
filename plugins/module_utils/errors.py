# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# The exceptions of the collection's core. A plugin turns them into `fail_json` in one place.

from __future__ import annotations


class BreakwaterError(Exception):
    """A failure told as one sentence: what is wrong, where, and what to do."""


class InputError(BreakwaterError):
    """What the user asked for can't be right; nothing was changed."""


class EngineError(BreakwaterError):
    """The Docker Engine can't be examined; `status` is one of absent, stopped, unreadable, invalid."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status
