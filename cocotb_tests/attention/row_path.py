"""Row interleaver and row buffer as attention wires them, with the softmax unit left to a bench."""

from amaranth.hdl import Module
from amaranth.lib.wiring import Component, connect, flipped

from rtl_gen.attention.row_buffer import RowBuffer
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.config import AcceleratorConfig


class RowPath(Component):
    """QK^T beats go to the array and leave their addresses; rows come back as PV beats.

    Attributes
    ----------
    start, qk, output_taken, issue
        Those of RowInterleaver.
    exponentials, rows
        Those of RowBuffer.
    """

    def __init__(self, config: AcceleratorConfig):
        self.interleaver = RowInterleaver(config)
        self.row_buffer = RowBuffer(config)
        control = self.interleaver.signature.members
        softmax = self.row_buffer.signature.members
        super().__init__(
            {
                **{n: control[n] for n in ("start", "qk", "output_taken")},
                **{n: softmax[n] for n in ("exponentials", "rows")},
                "issue": control["issue"],
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.interleaver = interleaver = self.interleaver
        m.submodules.row_buffer = row_buffer = self.row_buffer
        connect(m, flipped(self.start), interleaver.start)
        connect(m, flipped(self.qk), interleaver.qk)
        connect(m, flipped(self.rows), row_buffer.rows)
        connect(m, row_buffer.beats, interleaver.pv)
        connect(m, flipped(self.exponentials), row_buffer.exponentials)
        connect(m, interleaver.issue, flipped(self.issue))
        issued = interleaver.issue.payload
        m.d.comb += [
            interleaver.output_taken.eq(self.output_taken),
            row_buffer.qk.valid.eq(interleaver.issue.valid & ~issued.is_pv),
            row_buffer.qk.payload.valid.eq(issued.beat.valid),
            row_buffer.qk.payload.word.eq(issued.beat.word),
            row_buffer.qk.payload.last.eq(issued.beat.last),
        ]
        return m
