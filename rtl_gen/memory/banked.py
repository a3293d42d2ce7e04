"""A memory of `lanes` banks that are read at separate addresses in the same cycle.

One row is written a cycle, into one bank. Read data follows its address by LATENCY = 2 cycles (the
memory's own latch and an output register). Reading a word in the cycle in which it is written
gives the old value.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen.common.pipeline import register


class BankedMemory(wiring.Component):
    """
    Parameters
    ----------
    banks, depth, shape : `banks` memories of `depth` words of `shape`

    Attributes
    ----------
    write_enable : one bit a bank
    write_address, write_data : the word to write, common to the banks
    address : read address of every bank
    data : what the banks held there, LATENCY cycles later
    """

    LATENCY = 2

    def __init__(self, *, banks: int, depth: int, shape):
        self._banks, self._depth, self._shape = banks, depth, shape
        super().__init__(
            {
                "write_enable": In(banks),
                "write_address": In(range(depth)),
                "write_data": In(shape),
                "address": In(ArrayLayout(range(depth), banks)),
                "data": Out(ArrayLayout(shape, banks)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for bank in range(self._banks):
            memory = Memory(shape=self._shape, depth=self._depth, init=[])
            m.submodules[f"bank_{bank}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.en.eq(self.write_enable[bank]),
                write.addr.eq(self.write_address),
                write.data.eq(self.write_data),
                read.addr.eq(self.address[bank]),
                read.en.eq(1),
                self.data[bank].eq(register(m, read.data, name=f"data_{bank}")),
            ]
        return m
