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
    start, count, qk, output_taken, issue_valid, issue
        Those of RowInterleaver.
    exp_valid, exp_address, exponentials, rows
        Those of RowBuffer.
    """

    def __init__(self, config: AcceleratorConfig):
        self.interleaver = RowInterleaver(config)
        self.row_buffer = RowBuffer(config)
        control = self.interleaver.signature.members
        softmax = self.row_buffer.signature.members
        super().__init__(
            {
                **{n: control[n] for n in ("start", "count", "qk", "output_taken")},
                **{n: softmax[n] for n in ("exp_valid", "exp_address", "exponentials", "rows")},
                **{n: control[n] for n in ("issue_valid", "issue")},
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.interleaver = interleaver = self.interleaver
        m.submodules.row_buffer = row_buffer = self.row_buffer
        connect(m, flipped(self.qk), interleaver.qk)
        connect(m, flipped(self.rows), row_buffer.rows)
        connect(m, row_buffer.beats, interleaver.pv)
        issued = interleaver.issue
        m.d.comb += [
            interleaver.start.eq(self.start),
            interleaver.count.eq(self.count),
            interleaver.output_taken.eq(self.output_taken),
            self.issue_valid.eq(interleaver.issue_valid),
            self.issue.eq(issued),
            row_buffer.beat_valid.eq(interleaver.issue_valid & ~issued.is_pv),
            row_buffer.beat.valid.eq(issued.beat.valid),
            row_buffer.beat.word.eq(issued.beat.word),
            row_buffer.beat.last.eq(issued.beat.last),
            row_buffer.exp_valid.eq(self.exp_valid),
            row_buffer.exp_address.eq(self.exp_address),
            row_buffer.exponentials.eq(self.exponentials),
        ]
        return m
