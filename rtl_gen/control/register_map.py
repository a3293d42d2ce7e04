"""The register map: names, offsets, fields and texts of what the host sees, in one table.

The hardware (registers.py), the manifest, the SystemRDL and all that is made of it, the benches and
the driver's header follow from it.
"""

import dataclasses
import enum
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.program import ErrorCode

ID = 0x53564954
"""What ID reads: "SVIT"."""
VERSION = 0x0001_0004
"""Of this register map: major in the upper half, minor in the lower."""

MAP_ADDRESS_BITS = 12
COUNTERS_OFFSET = 0x100
WORD_BYTES = axi.LITE_DATA_BITS // 8
ERROR_BITS = 8

CONSTANTS = ("id", "version", "config_low", "config_high")
"""Registers that never change."""

BOUNDS = {
    "read_base": "first byte that a program may lie at: a page of 4 KB begins",
    "read_limit": "last byte that a program may lie at: a page of 4 KB ends",
    "write_base": "first byte that a program may write: a page of 4 KB begins",
    "write_limit": "last byte that a program may write: a page of 4 KB ends",
}
"""Registers that `bounds_lock` freezes; by default they leave all memory to programs."""

PAGES = {"result_base": "byte address that STOREs count from: a page of 4 KB begins", **BOUNDS}
"""Registers whose bits above a page of 4 KB can be written, while not busy."""

ADDRESSES = ("program_address", *PAGES)
"""Registers that hold an address of memory, in two words if it has more than 32 bits."""


@dataclass(frozen=True)
class Field:
    """Bits of a register from bit `low` on, what they hold after a reset, names of their values."""

    name: str
    low: int
    width: int
    description: str
    reset: int = 0
    values: Mapping[str, int] = dataclasses.field(default_factory=dict)


CONTROL_FIELDS = (
    Field("start", 0, 1, "run the program at program_address; refused (SLVERR) while busy"),
    Field("clear", 1, 1, "acknowledge: done, error and the interrupt go"),
    Field("reset", 2, 1, "soft reset: a program ends at once; refused (SLVERR) with start"),
)
STATUS_FIELDS = (
    Field("busy", 0, 1, "a program runs"),
    Field("done", 1, 1, "a program has ended, with or without an error"),
    Field("error", 2, 1, "it ended with an error"),
    Field("quiet", 3, 1, "not busy, nothing outstanding on the memory port", reset=1),
)
CONTROL_BITS = {field.name: field.low for field in CONTROL_FIELDS}
STATUS_BITS = {field.name: field.low for field in STATUS_FIELDS}


class Access(enum.StrEnum):
    """What a host may do with a register; a write-only one reads as 0."""

    READ_ONLY = "ro"
    READ_WRITE = "rw"
    WRITE_ONLY = "wo"


@dataclass(frozen=True)
class Register:
    """One 32-bit word; `offset` in bytes. Bits that no field has read as 0."""

    name: str
    offset: int
    access: Access
    description: str
    fields: tuple[Field, ...]


class RegisterMap:
    """Every register by name, in order of offset.

    A number of more than 32 bits takes two registers, its upper half as `<name>_high`; that of an
    address has its place in any case.

    Parameters
    ----------
    counters : counter -> (width of at most 64 bits, what it counts). One of more than 32 bits is to
        be read while not busy
    """

    def __init__(self, config: AcceleratorConfig, counters: Mapping[str, tuple[int, str]]):
        self._registers: dict[str, Register] = {}
        self._add_identity(int(config.digest(), 16))
        self._add_control()
        self._add_addresses(config.address_bits)
        offset = COUNTERS_OFFSET
        for name, (width, description) in counters.items():
            offset = self._add_number(offset, name, Access.READ_ONLY, description, width)
        if offset > 1 << MAP_ADDRESS_BITS:
            raise ValueError(f"{len(counters)} counters do not fit the map")

    def _add_identity(self, digest: int) -> None:
        ro = Access.READ_ONLY
        low, high = digest % (1 << axi.LITE_DATA_BITS), digest >> axi.LITE_DATA_BITS
        self._add(0x00, "id", ro, f"{ID:#x}", reset=ID)
        self._add(
            0x04,
            "version",
            ro,
            "version of the register map: major 31:16, minor 15:0",
            Field("minor", 0, 16, "grows with additions", VERSION & 0xFFFF),
            Field("major", 16, 16, "grows with what breaks drivers", VERSION >> 16),
        )
        self._add(0x08, "config_low", ro, "configuration digest, lower 32 bits", reset=low)
        self._add(0x0C, "config_high", ro, "configuration digest, upper 32 bits", reset=high)

    def _add_control(self) -> None:
        self._add(
            0x10,
            "control",
            Access.WRITE_ONLY,
            f"write 1: {_bits(CONTROL_BITS)}; start while busy or with reset is refused (SLVERR)",
            *CONTROL_FIELDS,
        )
        self._add(
            0x14,
            "status",
            Access.READ_ONLY,
            f"{_bits(STATUS_BITS)}; quiet: not busy and nothing outstanding on the memory port, to "
            "be awaited before memory is used again after an error or a reset",
            *STATUS_FIELDS,
        )
        why = "why the last program stopped, 0 for no error"
        names = {code.name.lower(): int(code) for code in ErrorCode}
        code = Field("code", 0, ERROR_BITS, why, values=names)
        self._add(0x18, "error", Access.READ_ONLY, why, code)
        enable = Field("done", 0, 1, "irq is high while done")
        text = "bit 0: interrupt while done"
        self._add(0x20, "interrupt_enable", Access.READ_WRITE, text, enable)

    def _add_addresses(self, bits: int) -> None:
        rw, word = Access.READ_WRITE, axi.LITE_DATA_BITS
        self._add(0x1C, "program_address", rw, "byte address of the program")
        if bits > word:
            self._add_high(0x24, "program_address", rw, bits - word)
        offset = 0x28
        for name, text in PAGES.items():
            last = (1 << bits) - 1 if name.endswith("_limit") else 0
            self._add_number(offset, name, rw, f"{text}; refused while busy (SLVERR)", bits, last)
            offset += 2 * WORD_BYTES
        text = (
            f"bit 0: {', '.join(BOUNDS)} are refused (SLVERR) until a hard reset, which alone "
            "clears it"
        )
        self._add(offset, "bounds_lock", rw, text, Field("locked", 0, 1, "write 1 to lock them"))

    def _add_number(
        self, offset: int, name: str, access: Access, text: str, bits: int, reset: int = 0
    ) -> int:
        """In one register or two; the offset behind them."""
        word = axi.LITE_DATA_BITS
        self._add(offset, name, access, text, reset=reset % (1 << word))
        if bits <= word:
            return offset + WORD_BYTES
        self._add_high(offset + WORD_BYTES, name, access, bits - word, reset >> word)
        return offset + 2 * WORD_BYTES

    def _add_high(self, offset: int, name: str, access: Access, bits: int, reset: int = 0) -> None:
        text = f"upper half of {name}"
        self._add(offset, f"{name}_high", access, text, Field("value", 0, bits, text, reset))

    def _add(
        self,
        offset: int,
        name: str,
        access: Access,
        description: str,
        *fields: Field,
        reset: int = 0,
    ) -> None:
        """A register without `fields` is one, which holds `reset` after a reset."""
        if name in self._registers:
            raise ValueError(f"two registers are named {name}")
        fields = fields or (Field("value", 0, axi.LITE_DATA_BITS, description, reset),)
        self._registers[name] = Register(name, offset, access, description, fields)

    def __getitem__(self, name: str) -> Register:
        return self._registers[name]

    def words(self, name: str) -> list[Register]:
        """What holds a number, its lower half first."""
        halves = (name, f"{name}_high")
        return [self[half] for half in halves if half in self._registers]

    def __iter__(self) -> Iterator[Register]:
        return iter(sorted(self._registers.values(), key=lambda register: register.offset))

    def as_list(self) -> list[dict[str, Any]]:
        """For the manifest: every register with its fields."""
        return [asdict(register) for register in self]


def _bits(fields: Mapping[str, int]) -> str:
    return ", ".join(f"bit {bit}: {name}" for name, bit in fields.items())
