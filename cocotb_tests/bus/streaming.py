"""The memory system as an accelerator wires it, on a simulated memory."""

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
    start, read_idle : StreamReader's
    clear : of StreamReader, RowPacker and RowWriter
    rows, row_lost : RowPacker's
    write, write_idle, write_error : RowWriter's
    memory : control of the memory
    """

    def __init__(self, config: AcceleratorConfig, beats: int):
        self.config = config
        self.reader, self.packer = StreamReader(config), RowPacker(config)
        self.writer, self.memory_model = RowWriter(config), SimulatedMemory(config, beats)
        reader, writer = self.reader.signature.members, self.writer.signature.members
        super().__init__(
            {
                "start": reader["start"],
                "clear": reader["clear"],
                "read_idle": reader["idle"],
                "rows": self.packer.signature.members["rows"],
                "row_lost": self.packer.signature.members["row_lost"],
                "write": writer["rows"],
                "write_idle": writer["idle"],
                "write_error": writer["error"],
                "memory": In(CONTROL),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.reader = reader = self.reader
        m.submodules.packer = packer = self.packer
        m.submodules.writer = writer = self.writer
        m.submodules.memory_model = memory = self.memory_model
        connect(m, flipped(self.start), reader.start)
        connect(m, reader.out, packer.beats)
        connect(m, packer.rows, flipped(self.rows))
        connect(m, flipped(self.write), writer.rows)
        connect(m, reader.axi, memory.read)
        connect(m, writer.axi, memory.write)
        connect(m, flipped(self.memory), memory.control)
        m.d.comb += [
            reader.clear.eq(self.clear),
            packer.clear.eq(self.clear),
            writer.clear.eq(self.clear),
            self.read_idle.eq(reader.idle),
            packer.beat_lost.eq(reader.error),
            self.row_lost.eq(packer.row_lost),
            self.write_idle.eq(writer.idle),
            self.write_error.eq(writer.error),
        ]
        return m
