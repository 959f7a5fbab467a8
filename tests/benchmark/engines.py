# Many fake engines in one process: python engines.py DIRECTORY HOSTS CONTAINERS serves DIRECTORY/NNNN.sock, each an
# engine with that many containers, made of recorded documents. It says "ready" on standard output and ends on SIGTERM.

from __future__ import annotations

import asyncio
import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

ENGINE = Path(__file__).parents[1] / "unit/fixtures/engines/26.1-rootful.json"
#: Stands for the host's number in the documents; both have four characters, so that no length changes.
_NUMBER = b"@@@@"


def documents(containers: int) -> dict[str, Any]:
    """Return the documents by path of an engine with that many containers, copies of the recorded ones."""
    found = json.loads(ENGINE.read_text(encoding="utf-8"))
    listed = found["/containers/json?all=1"]
    originals = [(entry, found.pop(f"/containers/{entry['Id']}/json")) for entry in listed]
    found["/containers/json?all=1"] = []
    for number in range(containers):
        entry, inspected = originals[number % len(originals)]
        identity = f"{number:060x}{_NUMBER.decode()}"
        name = f"{inspected['Name']}-{number}-of-{_NUMBER.decode()}"
        found["/containers/json?all=1"].append({**entry, "Id": identity, "Names": [name]})
        found[f"/containers/{identity}/json"] = {**inspected, "Id": identity, "Name": name}
    found["/info"] = {**found["/info"], "Name": f"host-{_NUMBER.decode()}"}
    return found


def _answers(containers: int) -> dict[bytes, bytes]:
    answers = {}
    for path, document in documents(containers).items():
        body = json.dumps(document).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        answers[path.encode()] = head + body
    return answers


async def _serve(
    number: bytes, answers: dict[bytes, bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    missing = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}"
    try:
        while True:
            request = await reader.readuntil(b"\r\n\r\n")
            writer.write(answers.get(request.split(b" ", 2)[1], missing).replace(_NUMBER, number))
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main(directory: Path, hosts: int, containers: int) -> None:
    """Serve until the process is ended."""
    answers = _answers(containers)
    for host in range(hosts):
        number = f"{host:04d}".encode()
        own = {path.replace(_NUMBER, number): answer for path, answer in answers.items()}
        await asyncio.start_unix_server(partial(_serve, number, own), directory / f"{host:04d}.sock", backlog=16)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
