# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Ansible's strings, lists and dictionaries remember where they come from, and JMESPath takes none for what it is.

from __future__ import annotations

import json
from typing import Any


def plain(value: Any) -> Any:
    """Return a copy of what JSON can say, in Python's own types."""
    return json.loads(json.dumps(value))
