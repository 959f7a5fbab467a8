# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

#: `make fuzz` takes minutes, everybody else seconds.
EXAMPLES = 1000 if "FUZZ" in os.environ else 10

settings.register_profile(
    "breakwater",
    max_examples=EXAMPLES,
    deadline=None,  # the tests have a bound of their own, in processor time
    suppress_health_check=list(HealthCheck),
    derandomize="FUZZ" not in os.environ,  # what is run before each commit always tries the same
    database=None,
)
settings.load_profile("breakwater")
