"""A memory of `lanes` banks that are read at separate addresses in the same cycle.

One row, or some of its chunks, is written a cycle, into one bank. Read data follows its address by
LATENCY = 1 cycle, the memory's own latch; the operand registers of the array come behind it.
Reading a word in the cycle in which it is written gives anything.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.memory.row_memory import RowMemory


class BankedMemory(wiring.Component):
    """
    Parameters
    ----------
    banks, depth, shape : `banks` memories of `depth` words of `shape`
    chunks : equal parts of a word that are written separately

    Attributes
    ----------
    write_enable, write_chunks : one bit a bank, one bit a chunk
    write_address, write_data : the word to write, common to the banks
    enable, address : reads, with an address for every bank
    data : what the banks held there, LATENCY cycles later
    """

    LATENCY = 1

    def __init__(self, *, banks: int, depth: int, shape, chunks: int = 1):
        self._banks, self._depth, self._shape, self._chunks = banks, depth, shape, chunks
        super().__init__(
            {
                "write_enable": In(banks),
                "write_chunks": In(chunks, init=(1 << chunks) - 1),
                "write_address": In(range(depth)),
                "write_data": In(shape),
                "enable": In(1),
                "address": In(ArrayLayout(range(depth), banks)),
                "data": Out(ArrayLayout(shape, banks)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        for bank in range(self._banks):
            memory = RowMemory(depth=self._depth, shape=self._shape, chunks=self._chunks)
            m.submodules[f"bank_{bank}"] = memory
            with m.If(self.write_enable[bank]):
                m.d.comb += memory.write_enable.eq(self.write_chunks)
            m.d.comb += [
                memory.write_address.eq(self.write_address),
                memory.write_data.eq(self.write_data),
                memory.read.enable.eq(self.enable),
                memory.read.address.eq(self.address[bank]),
                self.data[bank].eq(memory.read.data),
            ]
        return m
