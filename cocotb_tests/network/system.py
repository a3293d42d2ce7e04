"""An accelerator with its memory: the top level of runs from image to results.

The rules of its buses (proofs/rules) watch both ports in every cycle, also where the memory is a
bench's own (`Watched`): a simulation in which one is broken stops with its message.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from cocotb_tests.bus.simulated_memory import CONTROL, SimulatedMemory
from proofs.rules.axi4 import ReadRules, WriteRules
from proofs.rules.axi_lite import LiteRules
from proofs.watch import watch
from rtl_gen.accelerator import Accelerator
from rtl_gen.bus import axi
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import MAP_ADDRESS_BITS


def watch_buses(
    m: Module, top: Accelerator, config: AcceleratorConfig, *, memory_obeys: bool
) -> None:
    """Asserts the rules of `top` at its ports. Only what a memory that keeps its own rules answers
    can be counted.
    """
    reads = config.stream_beats // axi.BURST_BEATS + 2 if memory_obeys else None
    writes = RowWriter.ROWS_IN_FLIGHT if memory_obeys else None
    m.submodules.read_rules = read_rules = ReadRules(config, most_bursts=reads)
    m.submodules.write_rules = write_rules = WriteRules(config, most_bursts=writes)
    m.submodules.lite_rules = lite_rules = LiteRules(MAP_ADDRESS_BITS)
    watch(m, read_rules, top, "m_axi_")
    watch(m, write_rules, top, "m_axi_")
    watch(m, lite_rules, top, "s_axil_")


class Watched(wiring.Component):
    """An accelerator with its ports and its rules; parameters as those of `watch_buses`."""

    def __init__(self, config: AcceleratorConfig, *, memory_obeys: bool):
        self._config, self._memory_obeys = config, memory_obeys
        self.top = Accelerator(config)
        super().__init__(dict(self.top.signature.members))

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = top = self.top
        for name, kind in self.signature.members.items():
            inside, outside = getattr(top, name), getattr(self, name)
            m.d.comb += outside.eq(inside) if kind.flow is Out else inside.eq(outside)
        watch_buses(m, top, self._config, memory_obeys=self._memory_obeys)
        return m


class System(wiring.Component):
    """
    Parameters
    ----------
    memory_beats : size of the memory
    rules : whether the rules of the buses are watched, the memory's own among them

    Attributes
    ----------
    s_axil_*, irq : the accelerator's
    memory : control of the memory
    """

    def __init__(self, config: AcceleratorConfig, memory_beats: int, *, rules: bool = True):
        self._config, self._memory_beats, self._rules = config, memory_beats, rules
        self._lite = axi.flat_ports("s_axil", axi.lite_signature(MAP_ADDRESS_BITS).flip())
        super().__init__({"irq": Out(1), "memory": In(CONTROL), **self._lite})

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(self._config)
        m.submodules.memory_model = memory = SimulatedMemory(
            self._config, self._memory_beats, strict=self._rules
        )
        connect(m, flipped(self.memory), memory.control)
        m.d.comb += self.irq.eq(accelerator.irq)
        for name, kind in self._lite.items():
            inside, outside = getattr(accelerator, name), getattr(self, name)
            m.d.comb += outside.eq(inside) if kind.flow is Out else inside.eq(outside)
        for bus in (memory.read, memory.write):
            for name, kind in bus.signature.members.items():
                inside, outside = getattr(bus, name), getattr(accelerator, f"m_axi_{name}")
                m.d.comb += outside.eq(inside) if kind.flow is Out else inside.eq(outside)
        if self._rules:
            watch_buses(m, accelerator, self._config, memory_obeys=True)
        return m
