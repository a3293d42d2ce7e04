"""Masked attention of one head on the shared MAC array, with importance sums: an SDDMM under
ViTCoD's static mask, a softmax between integers, an SpMM, and SpAtten's cumulative attention.

    live list, mask memory       kv banks, query memory
            |                            |
       QueryWalker -> MaskDecoder -> RowInterleaver -> operands -> MacArray
                                       ^        |                 dots |  | columns
                                  PV beats   QK^T beats                |  |
                                       |        v                      |  |
                                       +---- RowBuffer <- Softmax <- Requantizer
                                                  |                       |
                                             Importance              OutputUnit -> hidden memory

Beats leave the interleaver one a cycle and then never stall. Seen from the cycle in which a beat is
in the interleaver's `issue` register:

    + 0                     kv and query addresses; RowBuffer and Importance take the beat
    + OPERAND_LATENCY       operands at the array
    + dot / column latency  results of the array
    + Requantizer.LATENCY   scores at the softmax unit

A head is under way until its last output row leaves the output unit; that row is in the hidden
memory STORE_LATENCY cycles later.
"""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen import numerics
from rtl_gen.array.mac_array import MacArray
from rtl_gen.array.operands import OperandRegisters
from rtl_gen.attention.importance import Importance
from rtl_gen.attention.mask_decoder import MaskDecoder
from rtl_gen.attention.output_unit import OutputUnit
from rtl_gen.attention.query_walker import QueryWalker
from rtl_gen.attention.row_buffer import RowBuffer
from rtl_gen.attention.row_interleaver import RowInterleaver
from rtl_gen.attention.softmax import Softmax
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.requantize import Requantizer
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.command import Command, Reach
from rtl_gen.interfaces.layouts import array_sums_layout, operands_layout
from rtl_gen.interfaces.memories import READ_LATENCY, held, reads, words, writes
from rtl_gen.interfaces.ports import always, function


def _reaches(config: AcceleratorConfig, command: View) -> tuple[Reach]:
    """Row token * pitch + first of the hidden memory is written."""
    last_row = words(config, "hidden") - 1
    return (Reach(kind="written", pitch="pitch", offset=command.first, limit=last_row),)


ATTEND = Command(
    name="ATTEND",
    does="a head, with Q, K, V and mask on chip, into hidden row token * `pitch` + `first`; "
    "`accumulate`: importance sums; scales of scores and outputs",
    fields=("pitch", "first", "accumulate", "scale_a", "scale_b"),
    unit="attention",
    needs_tokens=True,
    reaches=_reaches,
)


class Attention(wiring.Component):
    """
    Attributes
    ----------
    attend : in, a head; accepted while idle
    idle : out, no head is under way
    count, live : in, how many tokens are live, and a bit a token; constant while a head runs
    reads : out, ports of the query, kv, mask and live_list memories; bit 0 of a kv address
        chooses V
    writes : out, port of the hidden memory, which takes every output row at once
    held : in, read port of the importance sums, while idle
    clear : in, words of importance sums to zero, while idle
    operands : out, what the operand registers take in this cycle, latches of query and kv memories
        among it; the array's sums `dot_latency` and `column_latency` behind the registers
    events : out, the array takes a beat of either kind in this cycle
    """

    START_LATENCY = 1
    """From the transfer of `attend` to the start of walker and interleaver."""
    OPERAND_LATENCY = READ_LATENCY + OperandRegisters.LATENCY
    """From a beat in `issue` to its operands at the array."""
    IDLE_LATENCY = 1
    """From an offer of the last output row to `idle`."""
    STORE_LATENCY = 2
    """From an output row's offer to its write: the row's place is a product and a sum."""

    FIRST_ISSUE_LATENCY = (
        START_LATENCY + QueryWalker.LATENCY + MaskDecoder.LATENCY + RowInterleaver.LATENCY
    )
    """From the transfer of `attend` to the first beat in `issue`."""

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
        super().__init__(
            {
                "attend": In(ATTEND.signature(config)),
                "idle": Out(1),
                "count": In(config.count_bits),
                "live": In(config.bank_depth * config.lanes),
                "reads": Out(reads(config, "attention")),
                "writes": Out(writes(config, "attention")),
                "held": In(held(config, "attention")),
                "clear": In(always(unsigned(config.word_bits))),
                "operands": Out(function(operands_layout(config), array_sums_layout(config))),
                "events": Out(StructLayout({"qk_beat": 1, "pv_beat": 1})),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.interleaver = interleaver = RowInterleaver(self._config)
        m.submodules.row_buffer = row_buffer = RowBuffer(self._config)
        m.submodules.softmax = softmax = Softmax(self._config)
        m.submodules.output_unit = output_unit = OutputUnit(self._config)
        start = self.attend.valid & self.attend.ready
        begin = register(m, start, name="begin", reset_less=False)
        head = self._head(m, start)

        connect(m, self._rows_to_beats(m, begin), interleaver.qk)
        connect(m, row_buffer.beats, interleaver.pv)
        m.d.comb += [
            interleaver.start.valid.eq(begin),
            interleaver.start.payload.eq(self.count),
            interleaver.freed.valid.eq(output_unit.rows.valid),
            softmax.scale.valid.eq(start),
            softmax.scale.payload.eq(self.attend.payload.scale_b),
        ]
        issue, events = interleaver.issue, self.events
        m.d.comb += [
            events.qk_beat.eq(issue.valid & ~issue.payload.is_pv),
            events.pv_beat.eq(issue.valid & issue.payload.is_pv),
        ]
        self._beats_to_operands(m, issue)
        self._keep_keys(m, issue.payload.beat, row_buffer)
        self._dots_to_scores(m, issue.payload.beat, head, softmax)
        connect(m, softmax.exponentials, row_buffer.exponentials)
        connect(m, softmax.rows, row_buffer.rows)
        self._accumulate_importance(m, issue.payload.beat, head)
        self._columns_to_rows(m, issue.payload.beat, output_unit)
        self._store(m, output_unit.rows, head)
        self._count_rows(m, start, output_unit.rows)
        return m

    def _head(self, m: Module, start):
        """What is kept of a command while its head runs; softmax keeps the scale of outputs."""
        layout, kept = ATTEND.layout(self._config), ("pitch", "first", "accumulate", "scale_a")
        head = Signal(StructLayout({name: layout[name].shape for name in kept}), reset_less=True)
        with m.If(start):
            m.d.sync += [head[name].eq(self.attend.payload[name]) for name in kept]
        return head

    def _rows_to_beats(self, m: Module, begin):
        """Mask rows of the live queries as QK^T beats."""
        m.submodules.walker = walker = QueryWalker(self._config)
        m.submodules.decoder = decoder = MaskDecoder(self._config)
        m.d.comb += [
            walker.start.valid.eq(begin),
            walker.start.payload.eq(self.count),
            walker.live.eq(self.live),
        ]
        connect(m, walker.live_list, flipped(self.reads.live_list))
        connect(m, walker.mask, flipped(self.reads.mask))
        connect(m, walker.rows, decoder.rows)
        return decoder.beats

    def _beats_to_operands(self, m: Module, issue) -> None:
        """A query row's latch stays until the next row's first beat."""
        is_pv, beat = issue.payload.is_pv, issue.payload.beat
        query, kv = self.reads.query, self.reads.kv
        operands = self.operands.argument
        m.d.comb += [
            query.enable.eq(self.events.qk_beat & beat.first),
            query.address.eq(beat.row.token),
            kv.enable.eq(issue.valid),
            *(kv.address[i].eq(Cat(is_pv, beat.word[i])) for i in range(self._config.lanes)),
            operands.row.eq(query.data),
            operands.vectors.eq(kv.data),
            operands.lanes.scalars.eq(delay(m, beat.exponentials, READ_LATENCY, name="scalars")),
            operands.lanes.scale_lanes.eq(delay(m, is_pv, READ_LATENCY, name="scale_lanes")),
        ]

    def _keep_keys(self, m: Module, beat, row_buffer: RowBuffer) -> None:
        m.d.comb += [
            row_buffer.qk.valid.eq(self.events.qk_beat),
            row_buffer.qk.payload.valid.eq(beat.valid),
            row_buffer.qk.payload.word.eq(beat.word),
            row_buffer.qk.payload.last.eq(beat.last),
        ]

    def _dots_to_scores(self, m: Module, beat, head, softmax: Softmax) -> None:
        m.submodules.score_requantizer = requantizer = Requantizer(
            elements=self._config.lanes,
            input_bits=self._config.dot_bits,
            output_bits=numerics.SCORE_BITS,
        )
        latency, scores = self.score_latency(self._config), softmax.scores.payload
        valid = delay(m, self.events.qk_beat, latency, name="score_valid", reset_less=False)
        m.d.comb += [
            requantizer.call.argument.values.eq(self.operands.result.dots),
            requantizer.call.argument.scale.eq(head.scale_a),
            softmax.scores.valid.eq(valid),
            scores.last.eq(delay(m, beat.last, latency, name="score_last")),
            scores.token.eq(delay(m, beat.row.token, latency, name="score_token")),
            scores.valid.eq(delay(m, beat.valid, latency, name="score_lane_valid")),
            scores.scores.eq(requantizer.call.result),
        ]

    def _accumulate_importance(self, m: Module, beat, head) -> None:
        m.submodules.importance = importance = Importance(self._config)
        added = importance.beats.payload
        m.d.comb += [
            importance.beats.valid.eq(self.events.pv_beat & head.accumulate),
            added.valid.eq(beat.valid),
            added.word.eq(beat.word),
            added.exponentials.eq(beat.exponentials),
            added.mantissa.eq(beat.row.mantissa),
            added.length.eq(beat.row.length),
        ]
        connect(m, flipped(self.held.importance), importance.read)
        connect(m, flipped(self.clear), importance.clear)

    def _columns_to_rows(self, m: Module, beat, output_unit: OutputUnit) -> None:
        latency, columns = self.column_latency(self._config), output_unit.beats.payload
        valid = delay(m, self.events.pv_beat, latency, name="column_valid", reset_less=False)
        m.d.comb += [
            output_unit.beats.valid.eq(valid),
            columns.first.eq(delay(m, beat.first, latency, name="column_first")),
            columns.last.eq(delay(m, beat.last, latency, name="column_last")),
            columns.row.eq(delay(m, beat.row, latency, name="column_row")),
            columns.columns.eq(self.operands.result.columns),
        ]

    def _store(self, m: Module, rows, head) -> None:
        """Row token * pitch + first of the hidden memory, STORE_LATENCY cycles after its offer."""
        hidden, row = self.writes.hidden, rows.payload
        base = register(m, row.token * head.pitch, name="output_base")
        address = register(m, (base + head.first)[: len(hidden.address)], name="output_row")
        valid = delay(m, rows.valid, self.STORE_LATENCY, name="output_valid", reset_less=False)
        m.d.comb += [
            rows.ready.eq(1),
            hidden.enable.eq(valid),
            hidden.chunks.eq(~0),
            hidden.address.eq(address),
            hidden.data.eq(delay(m, row.data, self.STORE_LATENCY, name="output_data")),
        ]

    def _count_rows(self, m: Module, start, rows) -> None:
        """A head runs until the output rows of all live tokens are on their way to memory."""
        running, left = Signal(), Signal(self._config.count_bits)
        m.d.comb += [self.idle.eq(~running), self.attend.ready.eq(~running)]
        with m.If(start):
            m.d.sync += [running.eq(1), left.eq(self.count)]
        with m.Elif(rows.valid):
            m.d.sync += [running.eq(left != 1), left.eq(left - 1)]
        require(m, ~rows.valid | running, "attention: an output row of no head")
