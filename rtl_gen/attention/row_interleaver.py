"""Row interleaver: decides which row has the array, QK^T or PV.

With D = row_slots the order is fixed: QK^T of rows 0 .. D - 1, then PV 0, QK^T D, PV 1, ... and at
the end the last D rows of PV; a head of fewer rows does all QK^T first. A row's beats are taken
together. The turn waits (the array idles) while the beat whose turn it is is not there, and the
last beat of a PV row also waits until

* `width / output_columns` cycles after the last beat of the PV row before it, which is how long the
  output unit needs to requantise a row, and
* one of the output unit's OUTPUT_ROWS places for finished rows is free.

A beat taken in one cycle is in `issue` in the next (LATENCY = 1).
"""

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.attention.row_buffer import pv_beat_layout
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import data_register
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import beat_layout
from rtl_gen.interfaces.memories import OUTPUT_ROWS
from rtl_gen.interfaces.ports import always


def issue_layout(config: AcceleratorConfig) -> StructLayout:
    """A beat on its way to the array. In QK^T only `row.token` of `row` counts."""
    return StructLayout({"is_pv": 1, "beat": pv_beat_layout(config)})


class RowInterleaver(wiring.Component):
    """
    Attributes
    ----------
    start : in, the number of query rows begins a head; only when the one before has issued all
    qk, pv : in, beats that wait for the array
    freed : in, a finished row has left its place
    issue : out, beats that the array takes
    """

    LATENCY = 1

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__(
            {
                "start": In(always(unsigned(config.count_bits))),
                "qk": In(stream.Signature(beat_layout(config))),
                "pv": In(stream.Signature(pv_beat_layout(config))),
                "freed": In(always(unsigned(0))),
                "issue": Out(always(issue_layout(config))),
            }
        )

    @staticmethod
    def output_cycles(config: AcceleratorConfig) -> int:
        """Cycles of the output unit a row."""
        return config.width // config.output_columns

    def elaborate(self, platform):
        m = Module()
        config = self._config
        qk_left = Signal(config.count_bits)
        qk_done, full = Signal(init=1), Signal()
        ahead = Signal(range(config.row_slots + 1))
        places = Signal(range(OUTPUT_ROWS + 1), init=OUTPUT_ROWS)
        pause = Signal(range(self.output_cycles(config)))

        pv_turn = Signal()
        row_done = Signal()
        pv_blocked = Signal()
        m.d.comb += [
            pv_turn.eq(full | qk_done),
            pv_blocked.eq(self.pv.payload.last & ((pause != 0) | (places == 0))),
            self.qk.ready.eq(~pv_turn),
            self.pv.ready.eq(pv_turn & ~pv_blocked),
        ]
        qk_taken = self.qk.valid & self.qk.ready
        pv_taken = self.pv.valid & self.pv.ready
        m.d.comb += row_done.eq(pv_taken & self.pv.payload.last)

        with m.If(self.start.valid):
            m.d.sync += [qk_left.eq(self.start.payload), qk_done.eq(0)]
        with m.Elif(qk_taken & self.qk.payload.last):
            m.d.sync += [qk_left.eq(qk_left - 1), qk_done.eq(qk_left == 1)]
            m.d.sync += [ahead.eq(ahead + 1), full.eq(ahead == config.row_slots - 1)]
        with m.Elif(row_done):
            m.d.sync += [ahead.eq(ahead - 1), full.eq(0)]

        m.d.sync += places.eq(places + self.freed.valid - row_done)
        with m.If(row_done):
            m.d.sync += pause.eq(self.output_cycles(config) - 1)
        with m.Elif(pause != 0):
            m.d.sync += pause.eq(pause - 1)

        require(m, ~(qk_taken & pv_taken), "row interleaver: beats of both kinds at once")
        require(m, ~pv_taken | (ahead != 0), "row interleaver: PV of a row before its QK^T")
        require(
            m,
            ~self.start.valid | (qk_done & (ahead == 0)),
            "row interleaver: started while rows wait",
        )
        require(
            m,
            (places != OUTPUT_ROWS) | ~self.freed.valid | row_done,
            "row interleaver: a row was taken that was not there",
        )

        issue = data_register(m, self.issue.payload, name="issued")
        beat = issue.beat
        m.d.sync += [
            self.issue.valid.eq(qk_taken | pv_taken),
            issue.is_pv.eq(pv_turn),
        ]
        with m.If(pv_turn):
            m.d.sync += beat.eq(self.pv.payload)
        with m.Else():
            m.d.sync += [
                beat.valid.eq(self.qk.payload.valid),
                beat.word.eq(self.qk.payload.word),
                beat.row.token.eq(self.qk.payload.token),
                beat.first.eq(self.qk.payload.first),
                beat.last.eq(self.qk.payload.last),
            ]
        return m
