"""What a program that ran in a bench did, for the bins."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from cocotb_tests.fuzz.foresight import Decoder, Memory
from cocotb_tests.harness.bench import bins_file
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.packing import unpack
from rtl_gen.interfaces.program import ErrorCode, command_layout, record_bytes
from sim_models.memory import LATENCY_MIN


class Done(NamedTuple):
    """A command that a program got to, and what it met: words of `bins`."""

    command: str
    tokens: str
    kept: str


@dataclass(frozen=True)
class Whole(Memory):
    """A memory of which `data` are the beginning."""

    size: int = 0
    """Bytes."""

    def answers(self, address: int, size: int) -> bool:
        return address + size <= self.size


def count_program(
    config: AcceleratorConfig, memory: Whole, address: int, error: int, stalls: str
) -> None:
    """Sample a program that ended, where coverage is measured.

    One that ends as its text does not say, because its memory broke the rules, is left out: it is
    not known how far it got.
    """
    path = bins_file()
    if path is None:
        return
    from cocotb_tests.coverage import bins  # It is of the extra `dev`.

    code = ErrorCode(error)
    foreseen = Decoder(config, memory, address).run()
    if code not in foreseen.codes:
        return
    done = list(_followed(config, memory.data, foreseen.records))
    if code == ErrorCode.WRITE_FAILED:
        last = Opcode.STORE.name
    else:
        last = done[-1].command if done else bins.HEADER
    bins.sample_end(last, code.name, stalls)
    for one in done if code == ErrorCode.NONE else done[:-1]:
        bins.sample_work(*one, stalls)
    bins.write_bins(path)


def pace(latency: int, rate: int | None, stall: float) -> str:
    """The word for a memory."""
    if stall:
        return "random"
    return "fixed" if latency > LATENCY_MIN or rate else "none"


def _followed(config: AcceleratorConfig, memory: bytes, records: list[int]) -> Iterator[Done]:
    """The commands at these addresses, in this order."""
    layout, size = command_layout(config), record_bytes(config)
    names = {int(opcode): opcode.name for opcode in Opcode}
    tokens, kept = 0, "all"
    for address in records:
        record = memory[address : address + size]
        if len(record) < size:  # It lies beyond the end.
            yield Done("unknown", _many(config, tokens), kept)
            return
        command = unpack(layout, int.from_bytes(record, "little") & (1 << layout.size) - 1)
        if command["opcode"] == Opcode.SET_TOKENS:
            tokens, kept = command["count"], "all"
        elif command["opcode"] == Opcode.PRUNE and command["count"] < tokens:
            tokens = command["count"]
            kept = "prefix" if command["prefix"] == tokens else "some"
        yield Done(names.get(command["opcode"], "unknown"), _many(config, tokens), kept)


def _many(config: AcceleratorConfig, tokens: int) -> str:
    if tokens <= 1:
        return ("none", "one")[tokens]
    if tokens >= config.max_tokens:
        return "full"
    return "few" if 2 * tokens <= config.max_tokens else "many"
