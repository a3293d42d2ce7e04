"""A memory of one row a word: one write port, one read port that can hold its output.

Read data follows an enabled address by one cycle (the memory's latch) and stays until the next
enabled read. A word must not be read in the cycle in which it is written. The words lie in a
Verilog module of their own, see sram.py.
"""

from amaranth.hdl import ClockSignal, Const, Instance, Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.memory.sram import sram_name


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
        m.submodules.words = Instance(
            sram_name(self._depth, Shape.cast(self._shape).width, self._chunks),
            i_clk=ClockSignal(),
            i_write_enable=self.write_enable,
            i_write_address=self._address(self.write_address),
            i_write_data=Value.cast(self.write_data),
            i_read_enable=self.read.enable,
            i_read_address=self._address(self.read.address),
            o_read_data=Value.cast(self.read.data),
        )
        return m

    def _address(self, address: Value) -> Value:
        """As wide as the module's port, which has a bit even for a single word."""
        return address if self._depth > 1 else Const(0, 1)
