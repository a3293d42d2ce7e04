"""Registers: the host's view of the accelerator, an AXI4-Lite subordinate with 32-bit words.

The host writes `program_address`, then `start` to `control`; `done` in `status`, and the interrupt
if enabled, tell the end and stay until `clear` or the next `start`. `busy` gives way to `done`,
with `error` where there is one, in one cycle. `RegisterMap` is the one definition of names and
offsets.

An access outside the map, one that is not at a whole word, a write to a read-only register, a start
while busy and a start together with a reset get SLVERR and do nothing. Write strobes choose bytes.
A read is answered READ_CYCLES cycles after the transfer of its address, a write acts (a pulse is
up, a register has its new value) and is answered WRITE_CYCLES cycles after the later one of its
address and its data.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import ADDRESS_BITS
from rtl_gen.interfaces.ports import always

ID = 0x53564954
"""What ID reads: "SVIT"."""
VERSION = 0x0001_0002
"""Of this register map: major in the upper half, minor in the lower."""

MAP_ADDRESS_BITS = 12
COUNTERS_OFFSET = 0x100
WORD_BYTES = axi.LITE_DATA_BITS // 8
ERROR_BITS = 8

CONTROL_BITS = {"start": 0, "clear": 1, "reset": 2}
STATUS_BITS = {"busy": 0, "done": 1, "error": 2, "quiet": 3}


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

    Parameters
    ----------
    counters : counter -> (width of at most 64 bits, what it counts). A counter of more than 32 bits
        takes two registers, its upper half as `<name>_high`, to be read while not busy
    """

    def __init__(self, counters: Mapping[str, tuple[int, str]]):
        self._registers: dict[str, Register] = {}
        ro, rw, wo = Access.READ_ONLY, Access.READ_WRITE, Access.WRITE_ONLY
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
        offset = COUNTERS_OFFSET
        for name, (width, description) in counters.items():
            self._add(offset, name, ro, description)
            offset += WORD_BYTES
            if width > axi.LITE_DATA_BITS:
                self._add(offset, f"{name}_high", ro, f"upper half of {name}")
                offset += WORD_BYTES
        if offset > 1 << MAP_ADDRESS_BITS:
            raise ValueError(f"{len(counters)} counters do not fit the map")

    def _add(self, offset: int, name: str, access: Access, description: str) -> None:
        if name in self._registers:
            raise ValueError(f"two registers are named {name}")
        self._registers[name] = Register(name, offset, access, description)

    def __getitem__(self, name: str) -> Register:
        return self._registers[name]

    def __iter__(self) -> Iterator[Register]:
        return iter(self._registers.values())

    def as_list(self) -> list[dict[str, str | int]]:
        """For the manifest: name, offset, access and description of every register."""
        return [asdict(register) for register in self]


def core_port() -> wiring.Signature:
    """The registers' side of the core.

    start: a pulse, with where the program is. reset: a pulse that asks for a soft reset of
    everything but the registers, where it clears done and error as the bit `clear` does; program
    address and interrupt enable stay. busy: a program runs; up to the cycle of `finished`, a pulse
    at its end with its `error` code or 0. quiet: not busy, nothing outstanding on the memory port.
    """
    return wiring.Signature(
        {
            "start": Out(always(ADDRESS_BITS)),
            "reset": Out(1),
            "busy": In(1),
            "quiet": In(1),
            "finished": In(1),
            "error": In(ERROR_BITS),
        }
    )


class Registers(wiring.Component):
    """
    Parameters
    ----------
    counters : those of RegisterMap

    Attributes
    ----------
    map : the RegisterMap
    bus : AXI4-Lite
    core : out, what the host wants of the core and sees of it
    irq : done and enabled
    counters : current value of each counter, by name
    """

    READ_CYCLES = 2
    WRITE_CYCLES = 2

    def __init__(self, config: AcceleratorConfig, counters: Mapping[str, tuple[int, str]]):
        self.map = RegisterMap(counters)
        self._config = config
        self._widths = {name: width for name, (width, _) in counters.items()}
        values = wiring.Signature({name: Out(width) for name, width in self._widths.items()})
        super().__init__(
            {
                "bus": In(axi.lite_signature(MAP_ADDRESS_BITS)),
                "core": Out(core_port()),
                "irq": Out(1),
                "counters": In(values),
            }
        )

    def elaborate(self, platform):
        m = Module()
        core = self.core
        done, error, enable, clear = Signal(), Signal(ERROR_BITS), Signal(), Signal()
        m.d.comb += self.irq.eq(done & enable)
        with m.If(core.start.valid | clear | core.reset):
            m.d.sync += [done.eq(0), error.eq(0)]
        # A `clear` is for what ended before; a reset is for everything.
        with m.If(core.finished & ~core.reset):
            m.d.sync += [done.eq(1), error.eq(core.error)]
        self._read(m, self._values(done, error, enable))
        self._write(m, {"start": core.start.valid, "clear": clear, "reset": core.reset}, enable)
        return m

    def _values(self, done, error, enable) -> dict[int, object]:
        """What each offset reads."""
        core = self.core
        digest = Const(int(self._config.digest(), 16), 2 * axi.LITE_DATA_BITS)
        status = {"busy": core.busy, "done": done, "error": error.any(), "quiet": core.quiet}
        values = {
            "id": ID,
            "version": VERSION,
            "config_low": digest[: axi.LITE_DATA_BITS],
            "config_high": digest[axi.LITE_DATA_BITS :],
            "control": 0,
            "status": Cat(status[name] for name in STATUS_BITS),
            "error": error,
            "program_address": core.start.payload,
            "interrupt_enable": enable,
        }
        for name, width in self._widths.items():
            counter = getattr(self.counters, name)
            values[name] = counter[: axi.LITE_DATA_BITS]
            if width > axi.LITE_DATA_BITS:
                values[f"{name}_high"] = counter[axi.LITE_DATA_BITS :]
        return {self.map[name].offset: value for name, value in values.items()}

    def _read(self, m: Module, values: dict[int, object]) -> None:
        bus = self.bus
        pending = Signal()
        address = Signal(MAP_ADDRESS_BITS, reset_less=True)
        m.d.comb += bus.arready.eq(~pending & ~bus.rvalid)
        with m.If(bus.rready):
            m.d.sync += bus.rvalid.eq(0)
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [address.eq(bus.araddr), pending.eq(1)]
        with m.If(pending):
            m.d.sync += [pending.eq(0), bus.rvalid.eq(1), bus.rresp.eq(axi.Response.OKAY)]
            with m.Switch(address):
                for offset, value in values.items():
                    with m.Case(offset):
                        m.d.sync += bus.rdata.eq(value)
                with m.Default():
                    m.d.sync += [bus.rdata.eq(0), bus.rresp.eq(axi.Response.SLVERR)]

    def _write(self, m: Module, pulses: Mapping[str, Signal], enable: Signal) -> None:
        bus = self.bus
        address_held, data_held = Signal(), Signal()
        address = Signal(MAP_ADDRESS_BITS, reset_less=True)
        data = Signal(axi.LITE_DATA_BITS, reset_less=True)
        strobe = Signal(WORD_BYTES, reset_less=True)
        m.d.comb += [bus.awready.eq(~address_held), bus.wready.eq(~data_held)]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += [address.eq(bus.awaddr), address_held.eq(1)]
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [data.eq(bus.wdata), strobe.eq(bus.wstrb), data_held.eq(1)]
        with m.If(bus.bready):
            m.d.sync += bus.bvalid.eq(0)

        start, reset = (data[CONTROL_BITS[name]] for name in ("start", "reset"))
        m.d.sync += [pulse.eq(0) for pulse in pulses.values()]
        with m.If(address_held & data_held & ~bus.bvalid):
            m.d.sync += [
                address_held.eq(0),
                data_held.eq(0),
                bus.bvalid.eq(1),
                bus.bresp.eq(axi.Response.OKAY),
            ]
            with m.Switch(address):
                with m.Case(self.map["control"].offset):
                    with m.If(strobe[0] & start & (self.core.busy | reset)):
                        m.d.sync += bus.bresp.eq(axi.Response.SLVERR)
                    with m.Elif(strobe[0]):
                        m.d.sync += [
                            pulse.eq(data[CONTROL_BITS[name]]) for name, pulse in pulses.items()
                        ]
                with m.Case(self.map["program_address"].offset):
                    for i in range(WORD_BYTES):
                        with m.If(strobe[i]):
                            m.d.sync += self.core.start.payload.word_select(i, 8).eq(
                                data.word_select(i, 8)
                            )
                with m.Case(self.map["interrupt_enable"].offset), m.If(strobe[0]):
                    m.d.sync += enable.eq(data[0])
                with m.Default():
                    m.d.sync += bus.bresp.eq(axi.Response.SLVERR)


def _bits(fields: Mapping[str, int]) -> str:
    return ", ".join(f"bit {bit}: {name}" for name, bit in fields.items())
