"""Softmax of query rows, in three overlapping passes that hide behind the array.

1. Scores (log2 domain, `SCORE_BITS` signed) arrive a beat a cycle, are stored, and their row
maximum is
   found.
2. A second pass over the stored row turns each score into 255 * 2^(score - max): one table look-up
   for the fraction, one rounding shift for the integer part. It streams out and is summed.
3. The sum's reciprocal becomes the row's normalisation. The array may then multiply the row's
   exponentials with V; it never sees a probability, so their resolution is relative to the row's
   largest one.

At most `row_slots` rows are between their first score and the pick-up of their normalisation; the
caller guarantees it, so there is no back-pressure. Rows of one head use the slots in turn.

Source of the base-2 softmax with an exact table: I-BERT / Softermax idea of a base change; the
widths and roundings are those of docs/arithmetic.md.
"""

from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from rtl_gen import numerics
from rtl_gen.common.layouts import scale_layout
from rtl_gen.common.pipeline import delay, maximum_tree, reduce_tree, register, tree_latency
from rtl_gen.common.queue import Queue
from rtl_gen.common.reciprocal import Reciprocal
from rtl_gen.config import AcceleratorConfig


def normalised_row_layout(config: AcceleratorConfig) -> StructLayout:
    """What PV, importance and output need to know of a row."""
    return StructLayout(
        {
            "token": unsigned(config.token_bits),
            "last_beat": unsigned(config.word_bits),
            "mantissa": unsigned(numerics.RECIPROCAL_BITS),
            "length": range(config.exp_sum_bits + 1),
            "multiplier": unsigned(numerics.MULTIPLIER_BITS),
            "shift": unsigned(numerics.SHIFT_BITS),
        }
    )


class Softmax(wiring.Component):
    """
    Attributes
    ----------
    valid, last, token, lane_valid, scores : one beat of scores; token belongs to the row
    output_scale : units of V to units of the output, constant while rows are in flight
    exp_valid, exp_address, exponentials : one beat of exponentials, address = (beat, slot)
    rows : normalised rows in order

    Latencies
    ---------
    row_max_latency : last scores of a row to the first possible cycle of its second pass
    normalise_latency : last cycle of the second pass to `rows.valid`
    """

    EXP_LATENCY = 6

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        lanes = config.lanes
        super().__init__(
            {
                "valid": In(1),
                "last": In(1),
                "token": In(config.token_bits),
                "lane_valid": In(lanes),
                "scores": In(ArrayLayout(signed(numerics.SCORE_BITS), lanes)),
                "output_scale": In(scale_layout()),
                "exp_valid": Out(1),
                "exp_address": Out(slot_address_bits(config)),
                "exponentials": Out(ArrayLayout(unsigned(numerics.EXP_BITS), lanes)),
                "rows": Out(stream.Signature(normalised_row_layout(config))),
            }
        )

    @staticmethod
    def row_max_latency(config: AcceleratorConfig) -> int:
        return tree_latency(config.lanes) + 1 + Queue.LATENCY

    @classmethod
    def normalise_latency(cls, config: AcceleratorConfig) -> int:
        exp_sum = cls.EXP_LATENCY + tree_latency(config.lanes) + 1
        return exp_sum + Reciprocal.LATENCY + 2 + Queue.LATENCY

    def elaborate(self, platform):
        m = Module()
        config = self._config
        lanes, slots = config.lanes, config.row_slots

        # Pass 1: store scores, find the row's maximum.
        score_shape = StructLayout({"valid": 1, "score": signed(numerics.SCORE_BITS)})
        m.submodules.scores = scores = Memory(
            shape=ArrayLayout(score_shape, lanes), depth=1 << slot_address_bits(config), init=[]
        )
        write, read = scores.write_port(), scores.read_port()
        write_beat, write_slot = Signal(config.word_bits), Signal(range(slots))
        m.d.comb += [
            write.en.eq(self.valid),
            write.addr.eq(Cat(write_beat, write_slot)),
        ]
        for lane in range(lanes):
            m.d.comb += [
                write.data[lane].valid.eq(self.lane_valid[lane]),
                write.data[lane].score.eq(self.scores[lane]),
            ]
        with m.If(self.valid):
            m.d.sync += write_beat.eq(Mux(self.last, 0, write_beat + 1))
            with m.If(self.last):
                m.d.sync += write_slot.eq(write_slot + 1)

        lowest = -(1 << (numerics.SCORE_BITS - 1))
        candidates = [Mux(self.lane_valid[i], self.scores[i], lowest) for i in range(lanes)]
        beat_max = maximum_tree(m, candidates, name="beat_max")
        tree = tree_latency(lanes)
        max_valid = delay(m, self.valid, tree, name="max_valid", reset_less=False)
        max_last = delay(m, self.last, tree, name="max_last")
        max_token = delay(m, self.token, tree, name="max_token")
        max_beat = delay(m, write_beat, tree, name="max_beat")

        m.submodules.pending = pending = Queue(
            StructLayout(
                {
                    "token": config.token_bits,
                    "last_beat": config.word_bits,
                    "row_max": signed(numerics.SCORE_BITS),
                }
            ),
            slots,
        )
        row = pending.i.payload
        row_max = Signal(signed(numerics.SCORE_BITS), reset_less=True)
        m.d.comb += row.row_max.eq(row_max)
        m.d.sync += pending.i.valid.eq(max_valid & max_last)
        with m.If(max_valid):
            m.d.sync += [
                row_max.eq(Mux(max_beat == 0, beat_max, _larger(beat_max, row_max))),
                row.last_beat.eq(max_beat),
                row.token.eq(max_token),
            ]

        # Pass 2: exponentials and their sum.
        read_beat, read_slot = Signal(config.word_bits), Signal(range(slots))
        head = pending.o.payload
        active = pending.o.valid
        row_end = Signal()
        m.d.comb += [
            read.en.eq(1),
            read.addr.eq(Cat(read_beat, read_slot)),
            row_end.eq(active & (read_beat == head.last_beat)),
            pending.o.ready.eq(row_end),
        ]
        with m.If(active):
            m.d.sync += read_beat.eq(Mux(row_end, 0, read_beat + 1))
            with m.If(row_end):
                m.d.sync += read_slot.eq(read_slot + 1)

        fetched = register(m, read.data, name="fetched")
        fetched_max = delay(m, head.row_max, 2, name="fetched_max")
        for lane in range(lanes):
            m.d.comb += self.exponentials[lane].eq(
                self._exponential(m, lane, fetched[lane], fetched_max)
            )
        exp_read = Cat(read_beat, read_slot)
        m.d.comb += [
            self.exp_valid.eq(
                delay(m, active, self.EXP_LATENCY, name="exp_valid", reset_less=False)
            ),
            self.exp_address.eq(delay(m, exp_read, self.EXP_LATENCY, name="exp_address")),
        ]

        to_sum = self.EXP_LATENCY + tree
        sum_valid = delay(m, active, to_sum, name="sum_valid", reset_less=False)
        sum_first = delay(m, read_beat == 0, to_sum, name="sum_first")
        sum_last = delay(m, row_end, to_sum + 1, name="sum_last", reset_less=False)
        beat_sum = reduce_tree(m, list(self.exponentials), _plus, name="beat_sum")
        exp_sum = Signal(config.exp_sum_bits, reset_less=True)
        with m.If(sum_valid):
            m.d.sync += exp_sum.eq(Mux(sum_first, 0, exp_sum) + beat_sum)

        # Pass 3: normalisation.
        m.submodules.reciprocal = reciprocal = Reciprocal(config.exp_sum_bits)
        m.d.comb += reciprocal.value.eq(exp_sum)
        mantissa, length = reciprocal.mantissa, reciprocal.length
        product = register(m, mantissa * self.output_scale.multiplier, name="normalise_product")
        half = 1 << (numerics.MULTIPLIER_BITS - 1)
        multiplier = register(
            m, (product + half)[numerics.MULTIPLIER_BITS :], name="normalise_multiplier"
        )
        shift = register(m, self.output_scale.shift + length - 1, name="normalise_shift")

        # A shift of the format's largest value leaves nothing of a row, as any larger one.
        largest_shift = (1 << numerics.SHIFT_BITS) - 1
        capped_shift = Mux(shift > largest_shift, largest_shift, shift)[: numerics.SHIFT_BITS]

        # Rows wait here for their normalisation, in order.
        m.submodules.waiting = waiting = Queue(
            StructLayout({"token": config.token_bits, "last_beat": config.word_bits}), slots
        )
        m.submodules.normalised = normalised = Queue(normalised_row_layout(config), slots)
        ready = delay(m, sum_last, Reciprocal.LATENCY + 2, name="normalised", reset_less=False)
        m.d.comb += [
            waiting.i.valid.eq(register(m, row_end, name="row_ended", reset_less=False)),
            waiting.i.payload.token.eq(register(m, head.token, name="ended_token")),
            waiting.i.payload.last_beat.eq(register(m, head.last_beat, name="ended_beat")),
            waiting.o.ready.eq(ready),
            normalised.i.valid.eq(ready),
            normalised.i.payload.token.eq(waiting.o.payload.token),
            normalised.i.payload.last_beat.eq(waiting.o.payload.last_beat),
            normalised.i.payload.mantissa.eq(delay(m, mantissa, 2, name="mantissa")),
            normalised.i.payload.length.eq(delay(m, length, 2, name="length")),
            normalised.i.payload.multiplier.eq(multiplier),
            normalised.i.payload.shift.eq(register(m, capped_shift, name="shift")),
        ]
        wiring.connect(m, normalised.o, wiring.flipped(self.rows))
        return m

    @staticmethod
    def _exponential(m: Module, lane: int, stored, row_max) -> Signal:
        """EXP_LATENCY - 2 cycles: distance, table latch, table register, rounding shift."""
        fraction_bits = numerics.SCORE_FRACTION_BITS
        distance = register(m, (row_max - stored.score).as_unsigned(), name=f"distance_{lane}")
        m.submodules[f"table_{lane}"] = table = Memory(
            shape=numerics.EXP_TABLE_BITS, depth=1 << fraction_bits, init=numerics.exp_table()
        )
        look_up = table.read_port()
        m.d.comb += [look_up.en.eq(1), look_up.addr.eq(distance[:fraction_bits])]
        entry = register(m, look_up.data, name=f"entry_{lane}")
        exponent = register(m, distance[fraction_bits:], name=f"exponent_{lane}")
        nothing_left = numerics.EXP_BITS + 1
        capped_exponent = register(
            m,
            Mux(exponent > nothing_left, nothing_left, exponent)[: nothing_left.bit_length()],
            name=f"capped_exponent_{lane}",
        )
        valid = delay(m, stored.valid, 3, name=f"exp_lane_valid_{lane}")

        base_shift = numerics.EXP_TABLE_BITS - numerics.EXP_BITS
        halves = Signal(numerics.EXP_BITS + 1, name=f"halves_{lane}")
        with m.Switch(capped_exponent):
            for value in range(numerics.EXP_BITS + 1):
                with m.Case(value):
                    m.d.comb += halves.eq(entry >> (base_shift + value - 1))
        rounded = ((halves + 1) >> 1)[: numerics.EXP_BITS]
        return register(m, Mux(valid, rounded, 0), name=f"exp_{lane}")


def slot_address_bits(config: AcceleratorConfig) -> int:
    """Address of a beat in a buffer of `row_slots` rows: the beat in the low bits."""
    return config.word_bits + (config.row_slots - 1).bit_length()


def _plus(a, b):
    return a + b


def _larger(a, b):
    return Mux(a > b, a, b)
