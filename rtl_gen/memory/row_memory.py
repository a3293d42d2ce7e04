"""A memory of one row a word: one write port, one read port that can hold its output.

Read data follows an enabled address by READ_LATENCY = 1 cycle (the memory's latch) and stays until
the next enabled read. A word must not be read in the cycle in which it is written. In Verilog the
words lie in a module of their own, see sram.py; Amaranth's simulator has a memory of its own. With
parity (parity.py) each chunk has a bit more.
"""

from amaranth.hdl import (
    ClockSignal,
    Const,
    Instance,
    Module,
    Mux,
    Shape,
    ShapeLike,
    Signal,
    Value,
)
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In

from rtl_gen.common.pipeline import register
from rtl_gen.interfaces.ports import read_port, write_port
from rtl_gen.memory.parity import guard_of
from rtl_gen.memory.sram import VERILOG, sram_name


class RowMemory(wiring.Component):
    """
    Parameters
    ----------
    depth, shape : `depth` words of `shape`
    chunks : equal parts of a word that are written separately

    Attributes
    ----------
    read, write : in, its ports
    """

    def __init__(self, *, depth: int, shape: ShapeLike, chunks: int = 1):
        self._depth, self._shape, self._chunks = depth, shape, chunks
        super().__init__(
            {"read": In(read_port(depth, shape)), "write": In(write_port(depth, shape, chunks))}
        )

    def elaborate(self, platform):
        m = Module()
        guard, chunks = guard_of(platform), self._chunks
        word = Value.cast(self.read.data)
        if extra := guard.bits(chunks):
            word = Signal(len(word) + extra, name="word")
            m.d.comb += Value.cast(self.read.data).eq(guard.data(word, chunks))
            guard.watch(m, word, register(m, self._valid(), name="new", reset_less=False), chunks)
        data = guard.stored(Value.cast(self.write.data), chunks)
        make = self._verilog if guard.platform is VERILOG else self._simulated
        m.submodules.sram = make(m, data, word)
        return m

    def _valid(self) -> Value:
        """A word is read that there is, and that is not written at once."""
        address = self.read.address
        same = self._write_enable().any() & (self.write.address == address)
        return self.read.enable & ~same & (address < self._depth)

    def _verilog(self, m: Module, data: Value, word: Value) -> Instance:
        even = len(word) != Shape.cast(self._shape).width
        return Instance(
            sram_name(self._depth, len(word), self._chunks, even=even),
            i_clk=ClockSignal(),
            i_write_enable=self._write_enable(),
            i_write_address=self._address(self.write.address),
            i_write_data=data,
            i_read_enable=self.read.enable,
            i_read_address=self._address(self.read.address),
            o_read_data=word,
        )

    def _simulated(self, m: Module, data: Value, word: Value) -> memory.Memory:
        bits = len(word)
        words = memory.Memory(shape=bits, depth=self._depth, init=[])
        read = words.read_port()
        write = words.write_port(granularity=bits // self._chunks)
        m.d.comb += [
            read.en.eq(self.read.enable),
            read.addr.eq(self.read.address),
            word.eq(read.data),
            write.en.eq(self._write_enable()),
            write.addr.eq(self.write.address),
            write.data.eq(data),
        ]
        return words

    def _write_enable(self) -> Value:
        """A bit a chunk."""
        enable = self.write.enable
        return enable if self._chunks == 1 else Mux(enable, self.write.chunks, 0)

    def _address(self, address: Value) -> Value:
        """As wide as the module's port, which has a bit even for a single word."""
        return address if self._depth > 1 else Const(0, 1)
