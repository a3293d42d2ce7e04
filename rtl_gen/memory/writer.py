"""Row writer: sends output rows to memory, `bus_bytes` a beat.

Row of token j goes to base + j * width. A row is taken with its last beat; a stall of the memory
port stalls the row stream.
"""

from amaranth.hdl import Cat, Const, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.attention.output_unit import output_row_layout
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.command import ADDRESS_BITS
from rtl_gen.memory.port import write_layout


class RowWriter(wiring.Component):
    """
    Attributes
    ----------
    base : address of token 0's row, whole beats
    rows : output rows
    write : beats for the memory port
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "base": In(ADDRESS_BITS),
                "rows": In(stream.Signature(output_row_layout(config))),
                "write": Out(stream.Signature(write_layout(config))),
            }
        )

    @staticmethod
    def row_beats(config: AcceleratorConfig) -> int:
        """Beats, and without stalls cycles, of one row."""
        return config.width // config.bus_bytes

    def elaborate(self, platform):
        m = Module()
        config = self._config
        beats = self.row_beats(config)
        beat = Signal(range(beats))
        last = Signal()
        slices = Signal(ArrayLayout(unsigned(8 * config.bus_bytes), beats))
        byte_in_beat = Const(0, (config.bus_bytes - 1).bit_length())
        row = self.rows.payload
        m.d.comb += [
            last.eq(beat == beats - 1),
            slices.as_value().eq(row.data),
            self.write.valid.eq(self.rows.valid),
            self.write.payload.address.eq(self.base + Cat(byte_in_beat, beat, row.token)),
            self.write.payload.data.eq(slices[beat]),
            self.rows.ready.eq(self.write.ready & last),
        ]
        with m.If(self.write.valid & self.write.ready & ~last):
            m.d.sync += beat.eq(beat + 1)
        with m.Elif(self.write.valid & self.write.ready):
            m.d.sync += beat.eq(0)
        return m
