"""What a program must end in, by the text of the format and of nothing else.

Reads the bytes of a memory as rtl_gen/interfaces/program.py describes them, without their
effects: the error codes that may come, the memory that its STOREs may touch, and a bound of its
cycles. Written apart from the dispatcher, whose checks it mirrors.
"""

import zlib
from dataclasses import dataclass, field

from amaranth.lib.data import StructLayout

from cocotb_tests.control.legality import Bounds, field_errors, goes_beyond, lies_within
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.packing import unpack
from rtl_gen.interfaces.program import (
    HEADER,
    MAGIC,
    VERSION,
    ErrorCode,
    command_layout,
    record_rows,
)
from rtl_gen.linear.weight_buffer import parameter_rows

UNIT_CYCLES = 1_000
"""More than any unit needs beside its loops, on the smallest preset."""
SLACK = 4
"""Factor between what a program may take by its loops and the bound."""


@dataclass(frozen=True)
class Memory:
    """What a program meets: contents from address 0, a range that answers with errors, its pace."""

    data: bytes
    faults: range = range(0)
    latency: int = 2
    row_cycles: int = 2
    """Of a row's transfer, stalls counted."""

    def answers(self, address: int, size: int) -> bool:
        """Whether no byte of it is out of memory or in the broken range."""
        inside = size == 0 or address + size <= len(self.data)
        return inside and not _meet(range(address, address + size), self.faults)


@dataclass
class Foreseen:
    """How a program may end."""

    codes: set[ErrorCode] = field(default_factory=set)
    """One of these."""
    stores: list[range] = field(default_factory=list)
    """Addresses that its STOREs may write, of all that were accepted."""
    cycles: int = UNIT_CYCLES
    """Bound."""
    certain: bool = True
    """False if it overwrites itself: then any code may come, and any STORE."""
    records: list[int] = field(default_factory=list)
    """Addresses of the commands that were decoded."""


class Decoder:
    """Follows one program through memory."""

    def __init__(self, config: AcceleratorConfig, memory: Memory, address: int):
        self._config, self._memory, self._address = config, memory, address
        self._bounds = Bounds.all_of(config)
        self._tokens = 0
        self._first_stays = True
        self._rows_left = record_rows(config)
        self._write_failed = False
        self._cut_off = False
        self._counted = bytearray()
        self.result = Foreseen()

    def run(self) -> Foreseen:
        """The whole program, or as far as it gets."""
        result, start = self.result, self._address
        last = self._follow()
        # What was handed on before a program's end is finished first, unless payload is missing.
        if self._write_failed:
            result.codes.add(ErrorCode.WRITE_FAILED)
        if not self._write_failed or self._cut_off:
            result.codes.add(last)
        end = self._address + self._rows_left * self._config.width
        read = range(start, min(end, self._bounds.reads.stop))
        if any(_meet(read, stored) for stored in result.stores):
            result.certain, result.codes = False, set(ErrorCode)
            result.cycles += len(read) // self._config.width * self._largest_step()
        result.cycles *= SLACK
        return result

    def _follow(self) -> ErrorCode:
        """The error that ends the program, if the memory port has none."""
        if self._address % self._config.bus_bytes:
            self._rows_left = 0
            return ErrorCode.NOT_ALIGNED
        if self._outside(record_rows(self._config)):
            self._rows_left = 0
            return ErrorCode.OUT_OF_BOUNDS
        header = self._record(HEADER)
        if header is None:
            return ErrorCode.READ_FAILED
        error = self._header_error(header)
        if error != ErrorCode.NONE:
            return error
        self._rows_left = header["rows"]
        while True:
            if self._rows_left < record_rows(self._config):
                return self._ended_early()
            self.result.records.append(self._address)
            command = self._record(command_layout(self._config))
            if command is None:
                return ErrorCode.READ_FAILED
            error = self._error(command)
            if error != ErrorCode.NONE:
                return error
            if command["opcode"] == Opcode.HALT:
                stated = int.from_bytes(self._counted[-4:], "little")
                intact = stated == zlib.crc32(self._counted[:-4])
                return ErrorCode.NONE if intact else ErrorCode.BAD_CHECKSUM
            self._execute(command)
            payload = self._payload_rows(command)
            if not (command["opcode"] == Opcode.LOAD and command["input"]):
                end = self._address + payload * self._config.width
                self._counted += self._memory.data[self._address : end]
            self._cut_off = payload > self._rows_left
            if self._cut_off:
                return self._ended_early()
            self._cut_off = not self._take(payload)
            if self._cut_off:
                return ErrorCode.READ_FAILED

    def _outside(self, rows: int) -> bool:
        """Whether the next rows, which are some, may not be read."""
        end = self._address + rows * self._config.width
        return not lies_within(range(self._address, end), self._bounds.reads)

    def _ended_early(self) -> ErrorCode:
        return ErrorCode.ENDED_EARLY if self._take(self._rows_left) else ErrorCode.READ_FAILED

    def _take(self, rows: int) -> bool:
        """Go on by some rows; whether memory answers for all of them."""
        size = rows * self._config.width
        answers = self._memory.answers(self._address, size)
        self._address += size
        self._rows_left -= rows
        inside = max(0, min(size, len(self._memory.data) - self._address + size))
        self.result.cycles += (inside // self._config.width + 1) * self._row_cycles()
        return answers

    def _record(self, layout: StructLayout) -> dict[str, int] | None:
        """The next header or command; None if memory does not answer for it."""
        first = self._address
        if not self._take(record_rows(self._config)):
            return None
        record = self._memory.data[first : self._address]
        self._counted += record
        bits = int.from_bytes(record, "little")
        return unpack(layout, bits & (1 << layout.size) - 1)

    def _row_cycles(self) -> int:
        return self._memory.row_cycles + self._memory.latency

    def _header_error(self, header: dict[str, int]) -> ErrorCode:
        for error, condition in (
            (ErrorCode.BAD_MAGIC, header["magic"] != MAGIC),
            (ErrorCode.BAD_VERSION, header["version"] != VERSION),
            (ErrorCode.BAD_CONFIG, header["digest"] != int(self._config.digest(), 16)),
            (ErrorCode.OUT_OF_BOUNDS, self._outside(header["rows"])),
        ):
            if condition:
                return error
        return ErrorCode.NONE

    def _error(self, command: dict[str, int]) -> ErrorCode:
        """Why a command is refused."""
        for error in field_errors(self._config, command, self._tokens):
            return error
        if goes_beyond(self._config, command, self._tokens, first_stays=self._first_stays):
            return ErrorCode.COUNT_OUT_OF_RANGE
        outside = self._bounds.refuse(self._config, command)
        return ErrorCode.OUT_OF_BOUNDS if outside else ErrorCode.NONE

    def _payload_rows(self, command: dict[str, int]) -> int:
        if command["opcode"] == Opcode.LOAD:
            return command["count"]
        if command["opcode"] == Opcode.LINEAR:
            group = parameter_rows(self._config) + command["slices"] * self._config.lanes
            return command["tiles"] * group
        return 0

    def _execute(self, command: dict[str, int]) -> None:
        config, opcode, result = self._config, command["opcode"], self.result
        result.cycles += UNIT_CYCLES
        if opcode == Opcode.SET_TOKENS:
            self._tokens, self._first_stays = command["count"], True
        elif opcode == Opcode.PRUNE:
            self._first_stays &= command["prefix"] > 0
        elif opcode == Opcode.LINEAR:
            result.cycles += command["tiles"] * command["slices"] * 2 * config.max_tokens
        elif opcode == Opcode.ATTEND:
            result.cycles += 2 * config.max_tokens**2
        elif opcode == Opcode.STORE:
            stored = self._bounds.stored(config, command)
            result.stores.append(stored)
            result.cycles += command["count"] * self._row_cycles()
            self._write_failed |= not self._memory.answers(stored.start, len(stored))

    def _largest_step(self) -> int:
        """More cycles than a row of any program can cost."""
        config = self._config
        passes = (4 * config.max_dim) ** 2 // (config.width * config.lanes)
        return UNIT_CYCLES + passes * config.max_tokens


def _meet(one: range, other: range) -> bool:
    return max(one.start, other.start) < min(one.stop, other.stop)
