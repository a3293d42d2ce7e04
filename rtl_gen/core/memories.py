"""The memory plan, built: memories between the units, and the units' ports connected to them."""

from collections.abc import Mapping

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import connect

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import memory_plan
from rtl_gen.memory.bank import Bank
from rtl_gen.memory.share import share_read, share_write


def connect_memories(
    m: Module, config: AcceleratorConfig, units: Mapping[str, wiring.Component]
) -> None:
    """Builds what no unit holds, and connects `reads` and `writes` of all units."""
    for name, memory in memory_plan(config).items():
        readers = {unit: getattr(units[unit].reads, name) for unit in memory.readers}
        writers = {unit: getattr(units[unit].writes, name) for unit in memory.writers}
        if memory.holder is None:
            m.submodules[name] = bank = Bank(memory)
            for unit, port in readers.items():
                connect(m, port, getattr(bank.reads, unit))
            for unit, port in writers.items():
                connect(m, port, getattr(bank.writes, unit))
        elif readers:
            share_read(m, name, readers, getattr(units[memory.holder].held, name))
        elif writers:
            share_write(m, name, writers, getattr(units[memory.holder].held, name))
