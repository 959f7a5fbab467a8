# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Keeps clients of published ports from being refused while dockerd starts: it builds its address translation anew, and
# until that is there the host itself would answer, by a reset. Where the host drops the connection request instead, the
# client's kernel sends it again after a second (RFC 6298, section 2.1) and finds the container.

from __future__ import annotations

import contextlib
import re
import time
from typing import Iterator

from ansible_collections.breakwater.docker.plugins.module_utils.ports import CommandRunner

_COMMENT = "breakwater-restart"
_PUBLISHED = re.compile(r"^-A DOCKER .*-p tcp .*--dport (\d+) -j DNAT ", re.MULTILINE)
_OURS = re.compile(rf"^-A (INPUT .*--comment {_COMMENT} .*)$", re.MULTILINE)
#: What one rule of the multiport match can name.
_PORTS_OF_A_RULE = 15


@contextlib.contextmanager
def held_ports(commands: CommandRunner, seconds: float) -> Iterator[None]:
    """Drop new connections to published TCP ports that nothing leads to, for as long as the context lasts.

    After `seconds` the rules have no effect any more, should a killed run leave them; the next one removes them. Where
    the engine does not work by iptables nothing happens.
    """
    end = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + seconds))
    for command in ("iptables", "ip6tables"):
        _release(commands, command)
        shown = commands.run((command, "-w", "-t", "nat", "-S", "DOCKER")).stdout
        ports = sorted(set(_PUBLISHED.findall(shown)), key=int)
        for start in range(0, len(ports), _PORTS_OF_A_RULE):
            named = ",".join(ports[start : start + _PORTS_OF_A_RULE])
            matches = f"-p tcp --syn -m multiport --dports {named} -m time --datestop {end}"
            commands.run(
                (command, "-w", "-I", "INPUT", *matches.split(), "-m", "comment", "--comment", _COMMENT, "-j", "DROP")
            )
    try:
        yield
    finally:
        for command in ("iptables", "ip6tables"):
            _release(commands, command)


def _release(commands: CommandRunner, command: str) -> None:
    for rule in _OURS.findall(commands.run((command, "-w", "-S", "INPUT")).stdout):
        commands.run((command, "-w", "-D", *rule.split()))
