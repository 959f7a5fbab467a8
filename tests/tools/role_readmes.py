# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The README of each role, from its argument specs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROLES = Path(__file__).parents[2] / "roles"
NOTICE = "<!-- Generated from meta/argument_specs.yml by `make docs`; edit that file. -->"
_MARKUP = re.compile(r"\b([CVOPML])\(([^)]*)\)")


def text(words: str | list[str], joint: str = " ") -> str:
    """Return a description as Markdown: C(), V(), O() as code, modules and playbooks by their names."""
    paragraphs = [words] if isinstance(words, str) else words
    plain = joint.join(" ".join(paragraph.split()) for paragraph in paragraphs)
    return _MARKUP.sub(lambda match: f"`{match[2].partition('#')[0]}`", plain)


def default(option: dict[str, Any]) -> str:
    """Return an option's default as it would be written in YAML's flow style."""
    if option.get("required"):
        return "required"
    value = option.get("default")
    return f"`{value if isinstance(value, str) and value else json.dumps(value)}`"


def readme(role: str, spec: dict[str, Any]) -> str:
    """Return the README of a role for its main entry point."""
    main = spec["argument_specs"]["main"]
    lines = [
        f"# breakwater.docker.{role}",
        NOTICE,
        text(main["description"], "\n\n"),
        "## Variables",
        "| variable | type | default | meaning |\n|---|---|---|---|",
    ]
    for name, option in main["options"].items():
        choices = f" One of {', '.join(f'`{choice}`' for choice in option['choices'])}." if "choices" in option else ""
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        meaning = (text(option["description"]) + choices).replace("|", "\\|")
        lines[-1] += f"\n| `{name}` | {kind} | {default(option).replace('|', chr(92) + '|')} | {meaning} |"
    example = f"```yaml\n- hosts: docker\n  roles:\n    - role: breakwater.docker.{role}\n```"
    return "\n\n".join([*lines, "## Example", example]) + "\n"


def pages() -> dict[Path, str]:
    """Return the README of every role that has argument specs, by its path."""
    specs = sorted(ROLES.glob("*/meta/argument_specs.yml"))
    return {
        spec.parents[1] / "README.md": readme(spec.parents[1].name, yaml.safe_load(spec.read_text(encoding="utf-8")))
        for spec in specs
    }
