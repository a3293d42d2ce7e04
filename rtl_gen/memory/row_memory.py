"""A memory of one row a word: one write port, one read port that can hold its output.

Read data follows an enabled address by one cycle (the memory's latch) and stays until the next
enabled read.
"""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


def read_signature(depth: int, shape) -> wiring.Signature:
    """A reader's side: `data` answers `address` a cycle later if `enable` was high."""
    return wiring.Signature({"enable": Out(1), "address": Out(range(depth)), "data": In(shape)})


class RowMemory(wiring.Component):
    """
    Parameters
    ----------
    depth, shape : `depth` words of `shape`

    Attributes
    ----------
    write_enable, write_address, write_data : write port
    read : read port
    """

    LATENCY = 1

    def __init__(self, *, depth: int, shape):
        self._depth, self._shape = depth, shape
        super().__init__(
            {
                "write_enable": In(1),
                "write_address": In(range(depth)),
                "write_data": In(shape),
                "read": In(read_signature(depth, shape)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.words = words = Memory(shape=self._shape, depth=self._depth, init=[])
        write, read = words.write_port(), words.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(self.write_data),
            read.en.eq(self.read.enable),
            read.addr.eq(self.read.address),
            self.read.data.eq(read.data),
        ]
        return m
