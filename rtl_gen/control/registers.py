"""Registers: the host's view of the accelerator, an AXI4-Lite subordinate with 32-bit words.

The host writes `program_address`, then `start` to `control`; `done` in `status`, and the interrupt
if enabled, tell the end and stay until `clear` or the next `start`. `busy` gives way to `done`,
with `error` where there is one, in one cycle. `RegisterMap` (register_map.py) is the one definition
of names and offsets.

An access outside the map, one that is not at a whole word, a write to a read-only register, a start
while busy and a start together with a reset get SLVERR and do nothing. Write strobes choose bytes.
A read is answered READ_CYCLES cycles after the transfer of its address, a write acts (a pulse is
up, a register has its new value) and is answered WRITE_CYCLES cycles after the later one of its
address and its data.
"""

from collections.abc import Mapping

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import (
    CONSTANTS,
    CONTROL_BITS,
    ERROR_BITS,
    MAP_ADDRESS_BITS,
    STATUS_BITS,
    WORD_BYTES,
    RegisterMap,
)
from rtl_gen.interfaces.layouts import ADDRESS_BITS
from rtl_gen.interfaces.ports import always


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
        self.map = RegisterMap(counters, int(config.digest(), 16))
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
        status = {"busy": core.busy, "done": done, "error": error.any(), "quiet": core.quiet}
        values = {
            **{name: self._constant(name) for name in CONSTANTS},
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
