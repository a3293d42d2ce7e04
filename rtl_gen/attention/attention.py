"""Masked attention of one head on the shared MAC array, with importance sums.

    live list, mask memory          K/V banks, query memory
            |                               |
       QueryWalker -> MaskDecoder -> RowInterleaver -> array operands -> MacArray
                                       ^        |                       dots |  | columns
                                  PV beats   QK^T beats                      |  |
                                       |        v                            |  |
                                       +---- RowBuffer <---- Softmax <- Requantizer
                                                  |                             |
                                             Importance                     OutputUnit -> rows

Beats leave the interleaver one a cycle and then never stall. Seen from the cycle in which a beat is
in the interleaver's `issue` register:

    + 0                     K/V bank and query addresses; RowBuffer and Importance take the beat
    + OPERAND_LATENCY       operands at the array
    + dot / column latency  results of the array
    + Requantizer.LATENCY   scores at the softmax unit

`start` carries the head's factors. The unit is busy until all its output rows are taken.
"""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout, View
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen import numerics
from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.attention.importance import Importance
from rtl_gen.attention.mask_decoder import MaskDecoder
from rtl_gen.attention.output_unit import OutputUnit, output_row_layout
from rtl_gen.attention.query_walker import QueryWalker
from rtl_gen.attention.row_buffer import RowBuffer
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.attention.softmax import Softmax
from rtl_gen.common.pipeline import delay
from rtl_gen.common.requantize import Requantizer
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, Reach
from rtl_gen.interfaces.layouts import (
    columns_layout,
    dots_layout,
    row_layout,
    scale_layout,
    sums_layout,
)
from rtl_gen.memory.banked import BankedMemory
from rtl_gen.memory.row_memory import read_signature
from rtl_gen.pruning.live_tokens import token_read_signature


def _reaches(config: AcceleratorConfig, command: View) -> tuple[Reach]:
    """Row token * pitch + first of the hidden memory is written."""
    return (
        Reach(kind="written", pitch="pitch", offset=command.first, limit=config.hidden_rows - 1),
    )


ATTEND = Command(
    name="ATTEND",
    does="a head, with Q, K, V and mask on chip, into hidden row token * `pitch` + `first`; "
    "`accumulate`: importance sums; scales of scores and outputs",
    fields=("pitch", "first", "accumulate", "scale_a", "scale_b"),
    unit="attention",
    needs_tokens=True,
    reaches=_reaches,
)


def head_layout() -> StructLayout:
    """Factors of a head, and whether its probabilities count for the tokens' importance."""
    return StructLayout({"score": scale_layout(), "output": scale_layout(), "accumulate": 1})


class Attention(wiring.Component):
    """
    Attributes
    ----------
    start : a head's factors; accepted while idle
    count, live, list : the live tokens
    mask, query : read ports of the mask and query memories
    kv_address : read addresses of the K/V banks, bit 0 chooses V
    scalars, scale_lanes : beside the query's and the banks' latches, for the operand registers
    dots, columns : results of the array
    sort, clear : see Importance, while idle
    rows : output rows in token order
    idle : nothing under way
    qk_beat, pv_beat : the array takes a beat of either kind in this cycle
    """

    START_LATENCY = 1
    """From the transfer of `start` to the start of walker and interleaver."""
    OPERAND_LATENCY = BankedMemory.LATENCY + OperandRegisters.LATENCY
    """From a beat in `issue` to its operands at the array."""
    IDLE_LATENCY = 1
    """From the transfer of the last output row to `idle`."""

    FIRST_ISSUE_LATENCY = (
        START_LATENCY + QueryWalker.LATENCY + MaskDecoder.LATENCY + RowInterleaver.LATENCY
    )
    """From the transfer of `start` to the first beat in `issue`."""

    @classmethod
    def score_latency(cls, config: AcceleratorConfig) -> int:
        """From a QK^T beat in `issue` to its scores at the softmax unit."""
        return cls.OPERAND_LATENCY + MacArray.dot_latency(config) + Requantizer.LATENCY

    @classmethod
    def column_latency(cls, config: AcceleratorConfig) -> int:
        """From a PV beat in `issue` to its column sums at the output unit."""
        return cls.OPERAND_LATENCY + MacArray.column_latency(config)

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        lanes = config.lanes
        super().__init__(
            {
                "start": In(stream.Signature(head_layout())),
                "count": In(config.count_bits),
                "live": In(config.bank_depth * lanes),
                "list": Out(token_read_signature(config)),
                "mask": Out(read_signature(config.mask_depth, config.mask_word_bits)),
                "query": Out(read_signature(config.max_tokens, row_layout(config))),
                "kv_address": Out(ArrayLayout(unsigned(config.word_bits + 1), lanes)),
                "scalars": Out(ArrayLayout(unsigned(numerics.EXP_BITS), lanes)),
                "scale_lanes": Out(1),
                "dots": In(dots_layout(config)),
                "columns": In(columns_layout(config)),
                "sort": In(read_signature(config.bank_depth, sums_layout(config))),
                "clear": In(stream.Signature(unsigned(config.word_bits), always_ready=True)),
                "rows": Out(stream.Signature(output_row_layout(config))),
                "idle": Out(1),
                "qk_beat": Out(1),
                "pv_beat": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.walker = walker = QueryWalker(config)
        m.submodules.decoder = decoder = MaskDecoder(config)
        m.submodules.interleaver = interleaver = RowInterleaver(config)
        m.submodules.score_requantizer = score_requantizer = Requantizer(
            elements=config.lanes, input_bits=config.dot_bits, output_bits=numerics.SCORE_BITS
        )
        m.submodules.softmax = softmax = Softmax(config)
        m.submodules.row_buffer = row_buffer = RowBuffer(config)
        m.submodules.importance = importance = Importance(config)
        m.submodules.output_unit = output_unit = OutputUnit(config)

        # Control: one head at a time.
        head = Signal(head_layout(), reset_less=True)
        begin = Signal()
        rows_left = Signal(config.count_bits)
        more_rows = Signal()
        row_taken = Signal()
        m.d.comb += [
            self.idle.eq(~begin & ~more_rows),
            self.start.ready.eq(self.idle),
            row_taken.eq(self.rows.valid & self.rows.ready),
            walker.start.valid.eq(begin),
            walker.start.payload.eq(self.count),
            walker.live.eq(self.live),
            interleaver.start.valid.eq(begin),
            interleaver.start.payload.eq(self.count),
            interleaver.output_taken.eq(row_taken),
        ]
        m.d.sync += begin.eq(self.start.valid & self.start.ready)
        with m.If(self.start.valid & self.start.ready):
            m.d.sync += head.eq(self.start.payload)
        with m.If(begin):
            m.d.sync += [rows_left.eq(self.count), more_rows.eq(self.count != 0)]
        with m.Elif(row_taken):
            m.d.sync += [rows_left.eq(rows_left - 1), more_rows.eq(rows_left != 1)]

        # Rows to beats.
        connect(m, walker.list, flipped(self.list))
        connect(m, walker.mask, flipped(self.mask))
        connect(m, walker.rows, decoder.rows)
        connect(m, decoder.beats, interleaver.qk)
        connect(m, row_buffer.beats, interleaver.pv)

        # Beats to operands.
        issue, beat = interleaver.issue.payload, interleaver.issue.payload.beat
        qk_beat, pv_beat = self.qk_beat, self.pv_beat
        m.d.comb += [
            qk_beat.eq(interleaver.issue.valid & ~issue.is_pv),
            pv_beat.eq(interleaver.issue.valid & issue.is_pv),
            self.query.enable.eq(qk_beat & beat.first),
            self.query.address.eq(beat.row.token),
        ]
        for lane in range(config.lanes):
            m.d.comb += self.kv_address[lane].eq(Cat(issue.is_pv, beat.word[lane]))
        m.d.comb += [
            self.scalars.eq(delay(m, beat.exponentials, BankedMemory.LATENCY, name="scalars")),
            self.scale_lanes.eq(delay(m, issue.is_pv, BankedMemory.LATENCY, name="scale_lanes")),
        ]

        # Dots to scores to exponentials.
        to_scores = self.score_latency(config)
        scores = softmax.scores.payload
        m.d.comb += [
            score_requantizer.call.argument.values.eq(self.dots),
            score_requantizer.call.argument.scale.eq(head.score),
            softmax.scores.valid.eq(
                delay(m, qk_beat, to_scores, name="score_valid", reset_less=False)
            ),
            scores.last.eq(delay(m, beat.last, to_scores, name="score_last")),
            scores.token.eq(delay(m, beat.row.token, to_scores, name="score_token")),
            scores.valid.eq(delay(m, beat.valid, to_scores, name="score_lane_valid")),
            scores.scores.eq(score_requantizer.call.result),
            softmax.output_scale.eq(head.output),
            row_buffer.qk.valid.eq(qk_beat),
            row_buffer.qk.payload.valid.eq(beat.valid),
            row_buffer.qk.payload.word.eq(beat.word),
            row_buffer.qk.payload.last.eq(beat.last),
        ]
        connect(m, softmax.exponentials, row_buffer.exponentials)
        connect(m, softmax.rows, row_buffer.rows)

        # PV beats to importance and output rows.
        added = importance.beats.payload
        m.d.comb += [
            importance.beats.valid.eq(pv_beat & head.accumulate),
            added.valid.eq(beat.valid),
            added.word.eq(beat.word),
            added.exponentials.eq(beat.exponentials),
            added.mantissa.eq(beat.row.mantissa),
            added.length.eq(beat.row.length),
        ]
        connect(m, flipped(self.sort), importance.sort)
        connect(m, flipped(self.clear), importance.clear)
        to_columns = self.column_latency(config)
        columns = output_unit.beats.payload
        m.d.comb += [
            output_unit.beats.valid.eq(
                delay(m, pv_beat, to_columns, name="column_valid", reset_less=False)
            ),
            columns.first.eq(delay(m, beat.first, to_columns, name="column_first")),
            columns.last.eq(delay(m, beat.last, to_columns, name="column_last")),
            columns.row.eq(delay(m, beat.row, to_columns, name="column_row")),
            columns.columns.eq(self.columns),
        ]
        connect(m, output_unit.rows, flipped(self.rows))
        return m
