"""Row packer: collects beats of `bus_bytes` into rows of `width` bytes, first beat in the low bits.

A row is offered LATENCY cycles after the transfer of its last beat. A beat is taken every cycle,
without a gap between rows: the first beat of the next row comes in while a row is taken.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig


class RowPacker(wiring.Component):
    """
    Attributes
    ----------
    beats : input
    beat_lost : the beat is lost
    rows : output
    row_lost : a beat of the row on `rows`, or of one before it, is lost; stays until `clear`
    clear : forget what was collected; from the next cycle on nothing is offered, even if it was
    """

    LATENCY = 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "beats": In(stream.Signature(unsigned(8 * config.bus_bytes))),
                "beat_lost": In(1),
                "rows": Out(stream.Signature(unsigned(config.row_bits))),
                "row_lost": Out(1),
                "clear": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        last = self._config.row_beats - 1
        beat = Signal(range(last + 1))
        row = Signal(self._config.row_bits, reset_less=True)
        m.d.comb += [
            self.beats.ready.eq(~self.rows.valid | self.rows.ready),
            self.rows.payload.eq(row),
        ]
        with m.If(self.rows.ready):
            m.d.sync += self.rows.valid.eq(0)
        with m.If(self.beats.valid & self.beats.ready):
            m.d.sync += [
                row.eq(Cat(row, self.beats.payload)[-len(row) :]),
                beat.eq(Mux(beat == last, 0, beat + 1)),
                self.rows.valid.eq(beat == last),
                self.row_lost.eq(self.row_lost | self.beat_lost),
            ]
        with m.If(self.clear):
            m.d.sync += [beat.eq(0), self.rows.valid.eq(0), self.row_lost.eq(0)]
        return m
