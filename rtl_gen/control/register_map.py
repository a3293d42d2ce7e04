"""The host's registers: the one definition of their names, offsets and bits."""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig

ID = 0x53564954
"""What ID reads: "SVIT"."""
VERSION = 0x0001_0003
"""Of this register map: major in the upper half, minor in the lower."""

MAP_ADDRESS_BITS = 12
COUNTERS_OFFSET = 0x100
WORD_BYTES = axi.LITE_DATA_BITS // 8

CONTROL_BITS = {"start": 0, "clear": 1, "reset": 2}
STATUS_BITS = {"busy": 0, "done": 1, "error": 2, "quiet": 3}

BOUNDS = {
    "read_base": "first byte that a program may lie at: a page of 4 KB begins",
    "read_limit": "last byte that a program may lie at: a page of 4 KB ends",
    "write_base": "first byte that a program may write: a page of 4 KB begins",
    "write_limit": "last byte that a program may write: a page of 4 KB ends",
}
"""Registers that `bounds_lock` freezes; by default they leave all memory to programs."""

ADDRESSES = ("program_address", "result_base", *BOUNDS)
"""Registers that hold an address of memory, in two words if it has more than 32 bits."""


class Access(enum.StrEnum):
    """What a host may do with a register; a write-only one reads as 0."""

    READ_ONLY = "ro"
    READ_WRITE = "rw"
    WRITE_ONLY = "wo"


@dataclass(frozen=True)
class Register:
    """One 32-bit word; `offset` in bytes."""

    name: str
    offset: int
    access: Access
    description: str


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
        ro, rw, wo = Access.READ_ONLY, Access.READ_WRITE, Access.WRITE_ONLY
        wide = config.address_bits > axi.LITE_DATA_BITS
        self._add(0x00, "id", ro, f"{ID:#x}")
        self._add(0x04, "version", ro, "version of the register map: major 31:16, minor 15:0")
        self._add(0x08, "config_low", ro, "configuration digest, lower 32 bits")
        self._add(0x0C, "config_high", ro, "configuration digest, upper 32 bits")
        self._add(
            0x10,
            "control",
            wo,
            f"write 1: {_bits(CONTROL_BITS)}; start while busy or with reset is refused (SLVERR)",
        )
        self._add(
            0x14,
            "status",
            ro,
            f"{_bits(STATUS_BITS)}; quiet: not busy and nothing outstanding on the memory port, to "
            "be awaited before memory is used again after an error or a reset",
        )
        self._add(0x18, "error", ro, "why the last program stopped, 0 for no error")
        self._add(0x1C, "program_address", rw, "byte address of the program")
        self._add(0x20, "interrupt_enable", rw, "bit 0: interrupt while done")
        if wide:
            self._add_high(0x24, "program_address", rw)
        pages = {"result_base": "byte address that STOREs count from: a page of 4 KB begins"}
        offset = 0x28
        for name, description in (pages | BOUNDS).items():
            self._add(offset, name, rw, f"{description}; refused while busy (SLVERR)")
            if wide:
                self._add_high(offset + WORD_BYTES, name, rw)
            offset += 2 * WORD_BYTES
        self._add(
            offset,
            "bounds_lock",
            rw,
            f"bit 0: {', '.join(BOUNDS)} are refused (SLVERR) until a hard reset, which alone "
            "clears it",
        )
        offset = COUNTERS_OFFSET
        for name, (width, description) in counters.items():
            self._add(offset, name, ro, description)
            offset += WORD_BYTES
            if width > axi.LITE_DATA_BITS:
                self._add_high(offset, name, ro)
                offset += WORD_BYTES
        if offset > 1 << MAP_ADDRESS_BITS:
            raise ValueError(f"{len(counters)} counters do not fit the map")

    def _add(self, offset: int, name: str, access: Access, description: str) -> None:
        if name in self._registers:
            raise ValueError(f"two registers are named {name}")
        self._registers[name] = Register(name, offset, access, description)

    def _add_high(self, offset: int, name: str, access: Access) -> None:
        self._add(offset, f"{name}_high", access, f"upper half of {name}")

    def __getitem__(self, name: str) -> Register:
        return self._registers[name]

    def words(self, name: str) -> list[Register]:
        """What holds a number, its lower half first."""
        halves = (name, f"{name}_high")
        return [self[half] for half in halves if half in self._registers]

    def __iter__(self) -> Iterator[Register]:
        return iter(self._registers.values())

    def as_list(self) -> list[dict[str, str | int]]:
        """For the manifest: name, offset, access and description of every register."""
        return [asdict(register) for register in self]


def _bits(fields: Mapping[str, int]) -> str:
    return ", ".join(f"bit {bit}: {name}" for name, bit in fields.items())
