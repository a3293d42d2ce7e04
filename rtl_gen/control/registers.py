"""Registers: the host's view of the accelerator, an AXI4-Lite subordinate with 32-bit words.

The host writes `program_address`, then `start` to `control`; `done` in `status`, and the interrupt
if enabled, tell the end and stay until `clear` or the next `start`. `busy` gives way to `done`,
with `error` where there is one, in one cycle. `RegisterMap` (register_map.py) is the one definition
of names and offsets.

An access outside the map, one that is not at a whole word, a write to a read-only register, a start
while busy and a start together with a reset get SLVERR and do nothing. So do writes of the result
base and the bounds while busy, and of the bounds once they are locked; of these registers only the
bits above a page of 4 KB can be written. Write strobes choose bytes.
A read is answered READ_CYCLES cycles after the transfer of its address, a write acts (a pulse is
up, a register has its new value) and is answered WRITE_CYCLES cycles after the later one of its
address and its data.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import (
    ADDRESSES,
    BOUNDS,
    CONSTANTS,
    CONTROL_BITS,
    ERROR_BITS,
    MAP_ADDRESS_BITS,
    STATUS_BITS,
    WORD_BYTES,
    RegisterMap,
)
from rtl_gen.interfaces.layouts import PAGE_BITS, bounds_layout
from rtl_gen.interfaces.ports import always


def core_port(config: AcceleratorConfig) -> wiring.Signature:
    """The registers' side of the core.

    start: a pulse, with where the program is. bounds: what of memory is the program's, constant
    while busy. reset: a pulse that asks for a soft reset of everything but the registers, where it
    clears done and error as the bit `clear` does; what was written to them stays. busy: a program
    runs; up to the cycle of `finished`, a pulse at its end with its `error` code or 0. quiet: not
    busy, nothing outstanding on the memory port.
    """
    return wiring.Signature(
        {
            "start": Out(always(config.address_bits)),
            "bounds": Out(bounds_layout(config)),
            "reset": Out(1),
            "busy": In(1),
            "quiet": In(1),
            "finished": In(1),
            "error": In(ERROR_BITS),
        }
    )


@dataclass(frozen=True, eq=False)
class _Address:
    """A register of an address: the bits from `lowest` on can be written, `rest` is below them."""

    bits: Signal
    lowest: int = 0
    rest: int = 0

    @property
    def value(self) -> Value:
        return Cat(Const(self.rest, self.lowest), self.bits)

    def write(self, m: Module, word: int, data: Value, strobe: Value) -> None:
        """Bytes of the low word (0) or the high one (1)."""
        for i in range(WORD_BYTES):
            first = word * axi.LITE_DATA_BITS + 8 * i
            low, high = max(first, self.lowest), min(first + 8, len(self.value))
            if low < high:
                part = data.word_select(i, 8)[low - first : high - first]
                with m.If(strobe[i]):
                    m.d.sync += self.bits[low - self.lowest : high - self.lowest].eq(part)


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
        self.map = RegisterMap(config, counters)
        self._config = config
        self._widths = {name: width for name, (width, _) in counters.items()}
        values = wiring.Signature({name: Out(width) for name, width in self._widths.items()})
        super().__init__(
            {
                "bus": In(axi.lite_signature(MAP_ADDRESS_BITS)),
                "core": Out(core_port(config)),
                "irq": Out(1),
                "counters": In(values),
            }
        )
        self._addresses = {name: self._address(name) for name in ADDRESSES}

    def _address(self, name: str) -> _Address:
        bits = self._config.address_bits
        if name == "program_address":
            return _Address(Signal(bits, name=name))
        pages = bits - PAGE_BITS
        if name.endswith("_limit"):
            last = Signal(pages, name=name, init=(1 << pages) - 1)
            return _Address(last, PAGE_BITS, (1 << PAGE_BITS) - 1)
        return _Address(Signal(pages, name=name), PAGE_BITS)

    def elaborate(self, platform):
        m = Module()
        core = self.core
        done, error, enable, clear = Signal(), Signal(ERROR_BITS), Signal(), Signal()
        locked = Signal()
        pages = {name: address.bits for name, address in self._addresses.items()}
        m.d.comb += [
            self.irq.eq(done & enable),
            core.start.payload.eq(pages["program_address"]),
            core.bounds.results.eq(pages["result_base"]),
            core.bounds.reads.first.eq(pages["read_base"]),
            core.bounds.reads.last.eq(pages["read_limit"]),
            core.bounds.writes.first.eq(pages["write_base"]),
            core.bounds.writes.last.eq(pages["write_limit"]),
        ]
        with m.If(core.start.valid | clear | core.reset):
            m.d.sync += [done.eq(0), error.eq(0)]
        # A `clear` is for what ended before; a reset is for everything.
        with m.If(core.finished & ~core.reset):
            m.d.sync += [done.eq(1), error.eq(core.error)]
        self._read(m, self._values(done, error, enable, locked))
        pulses = {"start": core.start.valid, "clear": clear, "reset": core.reset}
        self._write(m, pulses, enable, locked)
        return m

    def _values(self, done, error, enable, locked) -> dict[int, object]:
        """What each offset reads."""
        core = self.core
        status = {"busy": core.busy, "done": done, "error": error.any(), "quiet": core.quiet}
        values = {
            **{name: self._constant(name) for name in CONSTANTS},
            "control": 0,
            "status": Cat(status[name] for name in STATUS_BITS),
            "error": error,
            "interrupt_enable": enable,
            "bounds_lock": locked,
        }
        numbers = {name: address.value for name, address in self._addresses.items()}
        numbers |= {name: getattr(self.counters, name) for name in self._widths}
        for name, number in numbers.items():
            for i, register in enumerate(self.map.words(name)):
                first = i * axi.LITE_DATA_BITS
                values[register.name] = number[first : first + axi.LITE_DATA_BITS]
        return {self.map[name].offset: value for name, value in values.items()}

    def _constant(self, name: str) -> int:
        """What a register that never changes holds."""
        return sum(field.reset << field.low for field in self.map[name].fields)

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

    def _write(
        self, m: Module, pulses: Mapping[str, Signal], enable: Signal, locked: Signal
    ) -> None:
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
                for name, address in self._addresses.items():
                    self._write_address(m, name, address, locked, data, strobe)
                with m.Case(self.map["interrupt_enable"].offset), m.If(strobe[0]):
                    m.d.sync += enable.eq(data[0])
                with m.Case(self.map["bounds_lock"].offset), m.If(strobe[0]):
                    m.d.sync += locked.eq(locked | data[0])
                with m.Default():
                    m.d.sync += bus.bresp.eq(axi.Response.SLVERR)

    def _write_address(self, m: Module, name: str, address: _Address, locked, data, strobe) -> None:
        """Cases of a register's words."""
        refused = Const(0)
        if name != "program_address":
            refused = self.core.busy | locked if name in BOUNDS else self.core.busy
        for word, register in enumerate(self.map.words(name)):
            with m.Case(register.offset):
                with m.If(refused):
                    m.d.sync += self.bus.bresp.eq(axi.Response.SLVERR)
                with m.Else():
                    address.write(m, word, data, strobe)
