"""Row maximum: the first pass of softmax stores the scores and finds the largest of their row.

Scores of a row arrive a beat a cycle, with gaps or without. Each beat goes on to the store of
`Exponentials` at once; the row is offered once its maximum is known. Rows of one head use the
`row_slots` slots of the store in turn.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen import numerics
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, maximum_tree, tree_latency
from rtl_gen.common.queue import Queue
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import slot_write_layout
from rtl_gen.interfaces.ports import always


def score_beat_layout(config: AcceleratorConfig) -> StructLayout:
    """Scores of one beat (log2 domain): `token` is that of the row, `valid` a bit a lane."""
    return StructLayout(
        {
            "token": unsigned(config.token_bits),
            "last": 1,
            "valid": unsigned(config.lanes),
            "scores": ArrayLayout(signed(numerics.SCORE_BITS), config.lanes),
        }
    )


def stored_scores_layout(config: AcceleratorConfig) -> ArrayLayout:
    """What is kept of a beat: a score a lane, and whether it counts."""
    score = StructLayout({"valid": 1, "score": signed(numerics.SCORE_BITS)})
    return ArrayLayout(score, config.lanes)


def maximum_row_layout(config: AcceleratorConfig) -> StructLayout:
    """A stored row: its token, its last beat (beats - 1), its largest score."""
    return StructLayout(
        {
            "token": unsigned(config.token_bits),
            "last_beat": unsigned(config.word_bits),
            "row_max": signed(numerics.SCORE_BITS),
        }
    )


class RowMaximum(wiring.Component):
    """
    Attributes
    ----------
    beats : in, scores; always taken
    store : out, the same beats with their places, in the cycle in which they come
    rows : out, rows in order, `latency` cycles after their last beat; at most `row_slots` may wait
    """

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        stored = slot_write_layout(config, stored_scores_layout(config))
        super().__init__(
            {
                "beats": In(always(score_beat_layout(config))),
                "store": Out(always(stored)),
                "rows": Out(stream.Signature(maximum_row_layout(config))),
            }
        )

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        """Tree, running maximum, queue."""
        return tree_latency(config.lanes) + 1 + Queue.LATENCY

    def elaborate(self, platform):
        m = Module()
        config = self._config
        lanes = range(config.lanes)
        beat, stored = self.beats.payload, self.store.payload
        position, slot = Signal(config.word_bits), Signal(range(config.row_slots))
        with m.If(self.beats.valid):
            m.d.sync += position.eq(Mux(beat.last, 0, position + 1))
            with m.If(beat.last):
                m.d.sync += slot.eq(slot + 1)
        m.d.comb += [
            self.store.valid.eq(self.beats.valid),
            stored.address.eq(Cat(position, slot)),
            *(stored.data[lane].valid.eq(beat.valid[lane]) for lane in lanes),
            *(stored.data[lane].score.eq(beat.scores[lane]) for lane in lanes),
        ]

        lowest = -(1 << (numerics.SCORE_BITS - 1))
        candidates = [Mux(beat.valid[lane], beat.scores[lane], lowest) for lane in lanes]
        beat_max = maximum_tree(m, candidates, name="beat_max")
        tree = tree_latency(config.lanes)
        valid = delay(m, self.beats.valid, tree, name="valid", reset_less=False)
        last = delay(m, beat.last, tree, name="last")
        token = delay(m, beat.token, tree, name="token")
        place = delay(m, position, tree, name="place")

        m.submodules.queue = queue = Queue(maximum_row_layout(config), config.row_slots)
        row = queue.i.payload
        row_max = Signal(signed(numerics.SCORE_BITS), reset_less=True)
        larger = Mux((place == 0) | (beat_max > row_max), beat_max, row_max)
        m.d.comb += row.row_max.eq(row_max)
        m.d.sync += queue.i.valid.eq(valid & last)
        with m.If(valid):
            m.d.sync += [row_max.eq(larger), row.last_beat.eq(place), row.token.eq(token)]
        require(m, ~queue.i.valid | queue.i.ready, "softmax: more rows than slots wait")
        connect(m, queue.o, flipped(self.rows))
        return m
