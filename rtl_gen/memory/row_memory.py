"""A memory of one row a word: one write port, one read port that can hold its output.

Read data follows an enabled address by one cycle (the memory's latch) and stays until the next
enabled read.
"""

from amaranth.hdl import Module, Shape, Value
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
    chunks : equal parts of a word that are written separately

    Attributes
    ----------
    write_enable, write_address, write_data : write port, one enable a chunk
    read : read port
    """

    LATENCY = 1

    def __init__(self, *, depth: int, shape, chunks: int = 1):
        self._depth, self._shape, self._chunks = depth, shape, chunks
        super().__init__(
            {
                "write_enable": In(chunks),
                "write_address": In(range(depth)),
                "write_data": In(shape),
                "read": In(read_signature(depth, shape)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bits = Shape.cast(self._shape).width
        m.submodules.words = words = Memory(shape=bits, depth=self._depth, init=[])
        write, read = words.write_port(granularity=bits // self._chunks), words.read_port()
        m.d.comb += [
            write.en.eq(self.write_enable),
            write.addr.eq(self.write_address),
            write.data.eq(Value.cast(self.write_data)),
            read.en.eq(self.read.enable),
            read.addr.eq(self.read.address),
            Value.cast(self.read.data).eq(read.data),
        ]
        return m
