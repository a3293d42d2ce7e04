"""Reader, packer and writer as an accelerator wires them, on a simulated memory."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, In, connect, flipped

from cocotb_tests.bus.simulated_memory import CONTROL, SimulatedMemory
from rtl_gen.bus.row_packer import RowPacker
from rtl_gen.bus.row_writer import RowWriter
from rtl_gen.bus.stream_reader import StreamReader
from rtl_gen.config import AcceleratorConfig


class Streaming(Component):
    """StreamReader and RowPacker, RowWriter, SimulatedMemory.

    Parameters
    ----------
    beats : size of the memory

    Attributes
    ----------
    start : in, StreamReader's
    rows : out, RowPacker's
    write, status : in, out, RowWriter's `rows` and `status`
    memory : in, control of the memory
    """

    def __init__(self, config: AcceleratorConfig, beats: int):
        self._reader, self._packer = StreamReader(config), RowPacker(config)
        self._writer, self._memory = RowWriter(config), SimulatedMemory(config, beats)
        writer = self._writer.signature.members
        super().__init__(
            {
                "start": self._reader.signature.members["start"],
                "rows": self._packer.signature.members["rows"],
                "write": writer["rows"],
                "status": writer["status"],
                "memory": In(CONTROL),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self._reader
        m.submodules.packer = packer = self._packer
        m.submodules.writer = writer = self._writer
        m.submodules.memory_model = memory = self._memory
        connect(m, flipped(self.start), reader.start)
        connect(m, reader.out, packer.beats)
        connect(m, packer.rows, flipped(self.rows))
        connect(m, flipped(self.write), writer.rows)
        connect(m, reader.axi, memory.read)
        connect(m, writer.axi, memory.write)
        connect(m, flipped(self.memory), memory.control)
        m.d.comb += self.status.eq(writer.status)
        return m
