"""An accelerator with its memory: the top level of runs from image to results."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from cocotb_tests.bus.simulated_memory import CONTROL, SimulatedMemory
from rtl_gen.accelerator import Accelerator
from rtl_gen.bus import axi
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.register_map import MAP_ADDRESS_BITS


class System(wiring.Component):
    """
    Parameters
    ----------
    memory_beats : size of the memory

    Attributes
    ----------
    s_axil_*, irq : the accelerator's
    memory : control of the memory
    """

    def __init__(self, config: AcceleratorConfig, memory_beats: int):
        self._config, self._memory_beats = config, memory_beats
        self._lite = axi.flat_ports("s_axil", axi.lite_signature(MAP_ADDRESS_BITS).flip())
        super().__init__({"irq": Out(1), "memory": In(CONTROL), **self._lite})

    def elaborate(self, platform):
        m = Module()
        m.submodules.accelerator = accelerator = Accelerator(self._config)
        m.submodules.memory_model = memory = SimulatedMemory(self._config, self._memory_beats)
        connect(m, flipped(self.memory), memory.control)
        m.d.comb += self.irq.eq(accelerator.irq)
        for name, kind in self._lite.items():
            inside, outside = getattr(accelerator, name), getattr(self, name)
            m.d.comb += outside.eq(inside) if kind.flow is Out else inside.eq(outside)
        for bus in (memory.read, memory.write):
            for name, kind in bus.signature.members.items():
                inside, outside = getattr(bus, name), getattr(accelerator, f"m_axi_{name}")
                m.d.comb += outside.eq(inside) if kind.flow is Out else inside.eq(outside)
        return m
