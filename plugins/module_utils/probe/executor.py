# Copyright: (c) 2026, Breakwater maintainers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# Static programs of a few hundred bytes that make given system calls, for containers without any file of an image.
# Their machine code is always the same: it goes through records, makes the call of each and keeps its result. Its
# source is tests/unit/plugins/module_utils/probe/*.s. Sources: elf(5), syscall(2) for the calling conventions.

from __future__ import annotations

import contextlib
import struct
from typing import Iterator, Mapping, NamedTuple, Union

from ansible_collections.breakwater.docker.plugins.module_utils.errors import InputError
from ansible_collections.breakwater.docker.plugins.module_utils.seccomp import syscalls


class _Machine(NamedTuple):
    elf: int
    code: bytes


#: By what uname(1) calls the machine.
_MACHINES = {
    "x86_64": _Machine(
        62,
        bytes.fromhex(
            "bb00105000488d7310488b4b08488d534048ad48d1e97303488b00504839d675f041594158415a5a5e5f488b034885c0"
            "78040f05eb034889f848894340488b7b484885ff741ab91000000048c1c00489c283e20f83c261881748ffc7ffc975eb"
            "488b73504883c3584885c075984885f6480f45deeb8f"
        ),
    ),
    "aarch64": _Machine(
        183,
        bytes.fromhex(
            "130082d2130aa0f274420091750640f9160080d2ffc300d1977a76f855000036f70240f9b5fe41d3f77b36f8d6060091"
            "df1a00f121ffff54e007c1a8e20fc1a8e417c1a8680240f94800f8b7010000d4602200f9742640f9140100b4160280d2"
            "00f0c093170c4092f786019197160038d60600f161ffff54742a40f97362019140fcffb534fcffb4f30314aadfffff17"
        ),
    ),
}
_CODE_BASE = 0x400000
_RECORDS = 0x501000
#: In the file; addresses and offsets agree modulo the largest page size, 64 KiB.
_RECORDS_OFFSET = 0x1000
#: Number of the call, bits of arguments that are addresses of the value, six arguments, result, address of its text,
#: address of the record that follows a result of zero (0: the next one).
_RECORD = struct.Struct("<qQ6QqQQ")
_RESULT_OFFSET = 64
#: In place of a number: the first argument is the result.
_VALUE = -1
_DIGITS = b"abcdefghijklmnop"
_SIGCHLD = 17


class Word(NamedTuple):
    """Eight bytes of a program's memory, whose value when the program gets there is the argument of a call."""

    address: int


#: A text ends with a zero byte.
Argument = Union[int, str, bytes, Word]


class Program:
    """A program under construction; every method adds what it does next."""

    def __init__(self, machine: str, calls: int = 64) -> None:
        """Begin a program of at most `calls` system calls, results that are told counting twice."""
        require_supported(machine)
        self._machine = _MACHINES[machine]
        self._numbers = {name: number for number, name in syscalls.numbers(machine).items()}
        self._capacity = calls
        self._records: list[list[int]] = []
        self._data = bytearray()

    def data(self, content: bytes) -> int:
        """Return the address of memory with this content, which the program may overwrite."""
        self._data += bytes(-len(self._data) % 8)
        address = _RECORDS + self._capacity * _RECORD.size + len(self._data)
        self._data += content
        return address

    def call(self, name: str, *arguments: Argument, tell: str | None = None) -> Word:
        """Make a system call; the result is written to standard output under the name `tell`, if there is one."""
        return self._add(self._numbers[name], arguments, tell)

    def tell(self, name: str, value: Argument) -> None:
        """Write a value to standard output."""
        self._add(_VALUE, (value,), name)

    @contextlib.contextmanager
    def after_zero(self, result: Word) -> Iterator[None]:
        """Do what is added only where the result of a call was zero."""
        self._add(_VALUE, (result,), None)
        test = len(self._records) - 1
        self._add(_VALUE, (0,), None)
        self._records[test][-1] = _address(len(self._records))
        yield
        self._records[test + 1][-1] = _address(len(self._records))

    @contextlib.contextmanager
    def child(self, tell: str | None = None) -> Iterator[None]:
        """Let a process of its own do what is added meanwhile and end, and wait for that; `tell` its wait status.

        Nothing happens in it where no further process may be started.
        """
        with self.after_zero(self._fork()):
            yield
            self.call("exit_group", 0)
        status = self.data(b"\xff" * 8)
        self.call("wait4", -1, status, 0, 0)
        if tell:
            self.tell(tell, Word(status))

    def sleeper(self, seconds: int) -> Word:
        """Start a process that waits and ends by itself; return its id, or why there is none."""
        started = self._fork()
        with self.after_zero(started):
            self.wait(seconds)
            self.call("exit_group", 0)
        return started

    def wait(self, seconds: int | None) -> None:
        """Do nothing for so long, or for ever."""
        until = 0 if seconds is None else self.data(struct.pack("<qq", seconds, 0))
        self.call("ppoll", 0, 0, until, 0, 0)

    def elf(self) -> bytes:
        """Return the file; the program ends well when it has done everything."""
        self.call("exit_group", 0)
        if len(self._records) > self._capacity:
            raise ValueError(f"{len(self._records)} records don't fit into {self._capacity}")
        records = b"".join(_RECORD.pack(*record) for record in self._records)
        memory = records.ljust(self._capacity * _RECORD.size, b"\0") + self._data
        code = self._machine.code
        start = 64 + 3 * 56
        ident = b"\x7fELF\2\1\1"
        header = struct.pack(
            *("<16sHHIQQQIHHHHHH", ident, 2, self._machine.elf, 1, _CODE_BASE + start, 64, 0, 0, 64, 56, 3, 0, 0, 0)
        )
        size = start + len(code)
        segments = (
            (1, 5, 0, _CODE_BASE, _CODE_BASE, size, size, 0x1000),
            (1, 6, _RECORDS_OFFSET, _RECORDS, _RECORDS, len(memory), len(memory), 0x1000),
            (0x6474E551, 6, 0, 0, 0, 0, 0, 16),  # a stack that holds no code
        )
        text = header + b"".join(struct.pack("<IIQQQQQQ", *segment) for segment in segments) + code
        return text.ljust(_RECORDS_OFFSET, b"\0") + memory

    def _add(self, number: int, arguments: tuple[Argument, ...], tell: str | None) -> Word:
        values, bits = [0] * 6, 0
        for position, argument in enumerate(arguments):
            if isinstance(argument, Word):
                bits |= 1 << position
                values[position] = argument.address
            elif isinstance(argument, int):
                values[position] = argument & (1 << 64) - 1
            else:
                content = argument if isinstance(argument, bytes) else argument.encode() + b"\0"
                values[position] = self.data(content)
        line = b"" if tell is None else f"{tell} {'-' * 16}\n".encode()
        text = self.data(line) if line else 0
        self._records.append([number, bits, *values, 0, text and text + len(line) - 17, 0])
        result = Word(_address(len(self._records) - 1) + _RESULT_OFFSET)
        if line:
            self.call("write", 1, text, len(line))
        return result

    def _fork(self) -> Word:
        return self.call("clone", _SIGCHLD, 0, 0, 0, 0)


def require_supported(machine: str) -> None:
    """Raise InputError for a machine that there is no code for."""
    if machine not in _MACHINES:
        raise InputError(f"There is no probe for {machine}: only {', '.join(_MACHINES)} are supported.")


def told(output: str) -> Mapping[str, int]:
    """Return what programs told by name, as signed 64-bit numbers; an error number is negative."""
    found = {}
    for line in output.splitlines():
        name, _space, digits = line.partition(" ")
        if len(digits) == 16 and not digits.encode().strip(_DIGITS):
            number = int.from_bytes(bytes.fromhex(digits.translate(_HEX)), "big", signed=True)
            found[name] = number
    return found


_HEX = str.maketrans(_DIGITS.decode(), "0123456789abcdef")


def _address(record: int) -> int:
    return _RECORDS + record * _RECORD.size
