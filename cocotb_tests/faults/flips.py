"""Where a bit may flip, and random flips from a seed."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import accumulate

from cocotb_tests.faults.workload import Workload
from rtl_gen.emit.verilog import Design, module_texts


class Kind(StrEnum):
    """What a bit belongs to."""

    PROGRAM = "program"
    """Read data of the bus: header, commands, weights, masks, tables."""
    PICTURE = "picture"
    """Read data of the bus: the payload that the host replaces."""
    MEMORY = "memory"
    """A word of a memory on the chip, its parity among the bits."""
    REGISTER = "register"
    """A flip-flop of the accelerator."""


CLAIMED = (Kind.PROGRAM, Kind.MEMORY)
"""Kinds of which checksum and parity leave nothing silent."""

CHIP = ("system", "accelerator")
"""Below it lies what is flipped on the chip."""


@dataclass(frozen=True)
class Flip:
    """One bit, once."""

    number: int
    kind: Kind
    place: tuple[str, ...]
    """Names from the top to a memory or register; none for read data."""
    word: int
    """Of a memory, or the address of a byte that is read; 0 for a register."""
    bit: int
    cycle: int
    """After the start; read data are wrong whenever they come."""


@dataclass(frozen=True)
class Store:
    """Bits that one name has in the design."""

    place: tuple[str, ...]
    words: int
    bits: int


_REGISTER = re.compile(r"^  reg (?:signed )?(?:\[(\d+):0\] )?(\\\S+ |\w+);$", re.M)


class Places:
    """All bits that may flip while a workload runs on a design."""

    def __init__(self, design: Design, workload: Workload):
        self._workload = workload
        self.memories = [
            Store(place, memory.depth, memory.width)
            for memory in design.memories
            if memory.writable and _on_chip(place := tuple(memory.name.split(".")))
        ]
        text = module_texts(design.logic)
        self.registers = [
            Store((*place, name), 1, bits)
            for place, module in _instances(design, design.name, (design.name,))
            if _on_chip(place)
            for name, bits in _registers(text[module])
        ]

    @cached_property
    def _bytes(self) -> dict[Kind, list[int]]:
        return {
            Kind.PROGRAM: self._workload.program_bytes,
            Kind.PICTURE: self._workload.picture_bytes,
        }

    def draw(self, seed: int, number: int) -> Flip:
        """The flip `number` of a seed; kinds take turns, every bit of one is as likely."""
        rng = random.Random(f"{seed} {number}")
        kind = list(Kind)[number % len(Kind)]
        cycle = rng.randrange(max(self._workload.cycles))
        if kind in self._bytes:
            return Flip(number, kind, (), rng.choice(self._bytes[kind]), rng.randrange(8), cycle)
        stores = self.memories if kind is Kind.MEMORY else self.registers
        ends = list(accumulate(store.words * store.bits for store in stores))
        (store,) = rng.choices(stores, cum_weights=ends)
        word, bit = rng.randrange(store.words), rng.randrange(store.bits)
        return Flip(number, kind, store.place, word, bit, cycle)


def _on_chip(place: tuple[str, ...]) -> bool:
    return place[: len(CHIP)] == CHIP


def _instances(
    design: Design, module: str, place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every instance with its module, the top first."""
    yield place, module
    for name, child in design.modules[module].instances.items():
        yield from _instances(design, child, (*place, name))


def _registers(text: str) -> Iterator[tuple[str, int]]:
    """Names and widths of a module's registers: in emitted Verilog every `reg` is one."""
    for found in _REGISTER.finditer(text):
        yield found[2].strip("\\ "), int(found[1] or 0) + 1
