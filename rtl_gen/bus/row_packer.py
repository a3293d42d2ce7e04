"""Row packer: collects beats of `bus_bytes` into rows of `width` bytes, first beat in the low bits.

A row is offered LATENCY cycles after the transfer of its last beat. A beat is taken every cycle,
without a gap between rows: the first beat of the next row comes in while a row is taken.
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import program_beat_layout, program_row_layout


class RowPacker(wiring.Component):
    """
    Attributes
    ----------
    beats : in
    rows : out; `lost` stays until `clear`
    clear : in, forget what was collected; from the next cycle on nothing is offered, even if it was
    """

    LATENCY = 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "beats": In(stream.Signature(program_beat_layout(config))),
                "rows": Out(stream.Signature(program_row_layout(config))),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        last = self._config.row_beats - 1
        beat = Signal(range(last + 1))
        lost = self.rows.payload.lost
        row = Signal(self._config.row_bits, reset_less=True)
        m.d.comb += [
            self.beats.ready.eq(~self.rows.valid | self.rows.ready),
            self.rows.payload.data.eq(row),
        ]
        with m.If(self.rows.ready):
            m.d.sync += self.rows.valid.eq(0)
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += [
                row.eq(Cat(row, self.beats.payload.data)[-len(row) :]),
                beat.eq(Mux(beat == last, 0, beat + 1)),
                self.rows.valid.eq(beat == last),
                lost.eq(lost | self.beats.payload.lost),
            ]
        with m.If(self.clear):
            m.d.sync += [beat.eq(0), self.rows.valid.eq(0), lost.eq(0)]
        return m
