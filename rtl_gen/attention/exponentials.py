"""Exponentials: the second pass of softmax, over a stored row whose maximum is known.

Each score becomes 255 * 2^(score - maximum): one table look-up for the fraction, one rounding shift
for the integer part (docs/arithmetic.md). The beats stream out, a beat a cycle, and are summed. The
row's largest exponential is always 255: the array never sees a probability, so that the resolution
is relative to the row's largest one.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.attention.row_maximum import maximum_row_layout, stored_scores_layout
from rtl_gen.common.contract import require_places
from rtl_gen.common.pipeline import delay, reduce_tree, register, tree_latency
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import slot_address_bits, slot_write_layout
from rtl_gen.interfaces.ports import always
from rtl_gen.memory.row_memory import RowMemory


def exponentials_layout(config: AcceleratorConfig) -> ArrayLayout:
    """An exponential a lane, 0 where the lane is idle."""
    return ArrayLayout(unsigned(numerics.EXP_BITS), config.lanes)


def ended_row_layout(config: AcceleratorConfig) -> StructLayout:
    """A row whose last beat was read; its sum follows."""
    return StructLayout(
        {"token": unsigned(config.token_bits), "last_beat": unsigned(config.word_bits)}
    )


class Exponentials(wiring.Component):
    """
    Attributes
    ----------
    store : in, beats of scores and their places, always taken
    rows : in, stored rows in the order of their slots; a row is taken with its last beat
    beats : out, exponentials and their places, LATENCY cycles after the beat's turn
    ended : out, rows in order, a cycle after their last beat's turn
    sums : out, the rows' sums in order, `sum_latency` cycles after their last beat's turn
    """

    LATENCY = 6

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        scores = slot_write_layout(config, stored_scores_layout(config))
        beats = slot_write_layout(config, exponentials_layout(config))
        exp_sum = unsigned(config.exp_sum_bits)
        super().__init__(
            {
                "store": In(always(scores)),
                "rows": In(stream.Signature(maximum_row_layout(config))),
                "beats": Out(always(beats)),
                "ended": Out(always(ended_row_layout(config))),
                "sums": Out(always(exp_sum)),
            }
        )

    @classmethod
    def sum_latency(cls, config: AcceleratorConfig) -> int:
        """Exponential, tree, running sum."""
        return cls.LATENCY + tree_latency(config.lanes) + 1

    def elaborate(self, platform):
        m = Module()
        config = self._config
        row, active = self.rows.payload, self.rows.valid
        beat, slot = Signal(config.word_bits), Signal(range(config.row_slots))
        place = Cat(beat, slot)
        row_end = Signal()
        m.d.comb += [
            row_end.eq(active & (beat == row.last_beat)),
            self.rows.ready.eq(row_end),
        ]
        with m.If(active):
            m.d.sync += beat.eq(Mux(row_end, 0, beat + 1))
            with m.If(row_end):
                m.d.sync += slot.eq(slot + 1)

        fetched = register(m, self._read(m, active, place), name="fetched")
        row_max = delay(m, row.row_max, 2, name="row_max")
        beats = self.beats.payload
        m.d.comb += [
            self.beats.valid.eq(delay(m, active, self.LATENCY, name="valid", reset_less=False)),
            beats.address.eq(delay(m, place, self.LATENCY, name="place")),
        ]
        for lane in range(config.lanes):
            exponential = self._exponential(m, lane, fetched[lane], row_max)
            m.d.comb += beats.data[lane].eq(exponential)

        m.d.comb += [
            self.ended.valid.eq(register(m, row_end, name="ended", reset_less=False)),
            self.ended.payload.token.eq(register(m, row.token, name="ended_token")),
            self.ended.payload.last_beat.eq(register(m, row.last_beat, name="ended_beat")),
        ]
        self._sum(m, active, first=beat == 0, last=row_end)
        stored_beat = self.store.payload.address[: config.word_bits]
        require_places(
            m,
            config.row_slots,
            enters=self.store.valid & (stored_beat == 0),
            leaves=row_end,
            message="softmax: more rows of scores than slots, or a row without scores",
        )
        return m

    def _read(self, m: Module, active, place):
        """Scores at a place, a cycle after it was `active`."""
        depth = 1 << slot_address_bits(self._config)
        shape = stored_scores_layout(self._config)
        m.submodules.scores = scores = RowMemory(depth=depth, shape=shape)
        m.d.comb += [
            scores.write.enable.eq(self.store.valid),
            scores.write.address.eq(self.store.payload.address),
            scores.write.data.eq(self.store.payload.data),
            scores.read.enable.eq(active),
            scores.read.address.eq(place),
        ]
        return scores.read.data

    @staticmethod
    def _exponential(m: Module, lane: int, stored, row_max) -> Signal:
        """LATENCY - 2 cycles: distance, table, entry, rounding shift."""
        fraction_bits = numerics.SCORE_FRACTION_BITS
        distance = register(m, (row_max - stored.score).as_unsigned(), name=f"distance_{lane}")
        looked_up = Signal(numerics.EXP_TABLE_BITS, name=f"looked_up_{lane}", reset_less=True)
        with m.Switch(distance[:fraction_bits]):
            for fraction, power in enumerate(numerics.exp_table()):
                with m.Case(fraction):
                    m.d.sync += looked_up.eq(power)
        entry = register(m, looked_up, name=f"entry_{lane}")
        exponent = register(m, distance[fraction_bits:], name=f"exponent_{lane}")
        nothing_left = numerics.EXP_BITS + 1
        capped_exponent = register(
            m,
            Mux(exponent > nothing_left, nothing_left, exponent)[: nothing_left.bit_length()],
            name=f"capped_exponent_{lane}",
        )
        valid = delay(m, stored.valid, 3, name=f"lane_valid_{lane}")

        base_shift = numerics.EXP_TABLE_BITS - numerics.EXP_BITS
        halves = Signal(numerics.EXP_BITS + 1, name=f"halves_{lane}")
        with m.Switch(capped_exponent):
            for value in range(numerics.EXP_BITS + 1):
                with m.Case(value):
                    m.d.comb += halves.eq(entry >> (base_shift + value - 1))
        rounded = ((halves + 1) >> 1)[: numerics.EXP_BITS]
        return register(m, Mux(valid, rounded, 0), name=f"exponential_{lane}")

    def _sum(self, m: Module, active, *, first, last) -> None:
        """Of the beats' turns, the first and the last one of a row are named."""
        config = self._config
        to_sum = self.sum_latency(config) - 1
        valid = delay(m, active, to_sum, name="sum_valid", reset_less=False)
        first = delay(m, first, to_sum, name="sum_first")
        beat_sum = reduce_tree(m, list(self.beats.payload.data), _plus, name="beat_sum")
        total = Signal(config.exp_sum_bits, reset_less=True)
        with m.If(valid):
            m.d.sync += total.eq(Mux(first, 0, total) + beat_sum)
        m.d.comb += [
            self.sums.valid.eq(delay(m, last, to_sum + 1, name="sum_last", reset_less=False)),
            self.sums.payload.eq(total),
        ]


def _plus(a, b):
    return a + b
