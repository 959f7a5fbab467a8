# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Break the rule engine and the daemon configuration in some 2,000 small ways, and count what the unit tests notice.

`mutants.py DIRECTORY` runs mutmut over a copy of the checkout in DIRECTORY, prints each change that no test noticed as
a diff, and exits with 1 when too many are left. Results are kept there: a second run tries only what has changed.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections import Counter
from pathlib import Path

import checkout

COLLECTION = "ansible_collections/breakwater/docker"
#: What is broken, and the tests that have to notice.
BROKEN = (
    "plugin_utils/rules.py",
    "plugin_utils/expressions.py",
    "plugin_utils/waivers.py",
    "module_utils/daemon_config/*.py",
)
JUDGES = (
    "plugin_utils/test_rules.py",
    "plugin_utils/test_expressions.py",
    "plugin_utils/test_waivers.py",
    "plugin_utils/test_catalogue_loader.py",
    "module_utils/daemon_config",
)
#: The percentage of changes that tests must notice. What is left is mostly the wording of messages.
WANTED = 90


def stage(directory: Path) -> None:
    """Copy the checkout to where Python finds it as a collection, and write mutmut's settings beside it."""
    checkout.copy(directory / COLLECTION)
    settings = {
        "source_paths": ["ansible_collections"],
        "only_mutate": [f"{COLLECTION}/plugins/{name}" for name in BROKEN],
        "pytest_add_cli_args_test_selection": [f"{COLLECTION}/tests/unit/plugins/{name}" for name in JUDGES],
        "pytest_add_cli_args": ["--rootdir=.", "--import-mode=importlib", "-p", "no:cacheprovider"],
    }
    lines = [f"{key} =\n" + "".join(f"    {value}\n" for value in values) for key, values in settings.items()]
    (directory / "setup.cfg").write_text("[mutmut]\n" + "".join(lines))


def main() -> int:
    """Run mutmut and return the exit code."""
    directory = Path(sys.argv[1]).resolve()
    stage(directory)
    os.chdir(directory)
    # Imported here, since mutmut reads its settings at the import.
    from mutmut import __main__ as mutmut  # noqa: PLC0415
    from mutmut.mutation import mutators  # noqa: PLC0415

    # Another text in a message breaks nothing.
    mutators.mutation_operators[:] = [
        (node, change) for node, change in mutators.mutation_operators if change is not mutators.operator_string
    ]
    mutmut.cli(["run"], standalone_mode=False)
    with contextlib.redirect_stdout(io.StringIO()) as listed:
        mutmut.cli(["results", "--all", "true"], standalone_mode=False)
    verdicts = dict(line.strip().split(": ", 1) for line in listed.getvalue().splitlines() if ": " in line)
    for name in sorted(name for name, verdict in verdicts.items() if verdict in ("survived", "no tests")):
        mutmut.cli(["show", name], standalone_mode=False)
    counted = Counter(verdicts.values())
    noticed = 100 * (counted["killed"] + counted["timeout"]) / max(1, len(verdicts))
    print(f"{len(verdicts)} changes, {noticed:.1f} % noticed by a test (wanted: {WANTED} %): {dict(counted)}")
    return 0 if noticed >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
