"""Normalisation: the third pass of softmax. A row's sum becomes the factors that normalise it.

The reciprocal of the sum gives the mantissa and length by which importance makes probabilities of
exponentials, and, with the head's output scale, the factor by which the output unit requantises the
row. A pipeline without back-pressure; rows wait in a queue for the array.
"""

from amaranth.hdl import Module, Mux, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen import numerics
from rtl_gen.attention.exponentials import ended_row_layout
from rtl_gen.common.contract import require
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.queue import Queue
from rtl_gen.common.reciprocal import Reciprocal
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import scale_layout
from rtl_gen.interfaces.ports import always


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


class Normalisation(wiring.Component):
    """
    Attributes
    ----------
    ended : in, rows in order; always taken, at most `row_slots` before their sums
    sums : in, the sums of the same rows
    scale : in, units of V to units of the output, from now on; only while no row waits for its sum
    rows : out, rows in order, LATENCY cycles after their sums; at most `row_slots` may wait
    """

    LATENCY = Reciprocal.LATENCY + 2 + Queue.LATENCY

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        exp_sum = unsigned(config.exp_sum_bits)
        super().__init__(
            {
                "ended": In(always(ended_row_layout(config))),
                "sums": In(always(exp_sum)),
                "scale": In(always(scale_layout())),
                "rows": Out(stream.Signature(normalised_row_layout(config))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        config = self._config
        m.submodules.reciprocal = reciprocal = Reciprocal(config.exp_sum_bits)
        m.d.comb += reciprocal.call.argument.eq(self.sums.payload)
        ready = delay(m, self.sums.valid, Reciprocal.LATENCY + 2, name="ready", reset_less=False)

        m.submodules.ended = ended = Queue(ended_row_layout(config), config.row_slots)
        m.submodules.normalised = normalised = Queue(
            normalised_row_layout(config), config.row_slots
        )
        row = normalised.i.payload
        m.d.comb += [
            ended.i.valid.eq(self.ended.valid),
            ended.i.payload.eq(self.ended.payload),
            ended.o.ready.eq(ready),
            normalised.i.valid.eq(ready),
            row.token.eq(ended.o.payload.token),
            row.last_beat.eq(ended.o.payload.last_beat),
            row.mantissa.eq(delay(m, reciprocal.call.result.mantissa, 2, name="mantissa")),
            row.length.eq(delay(m, reciprocal.call.result.length, 2, name="length")),
        ]
        self._factor(m, reciprocal.call.result, row)
        require(m, ~ended.i.valid | ended.i.ready, "softmax: more rows than slots ended")
        require(m, ~ready | ended.o.valid, "softmax: a sum without a row")
        require(m, ~self.scale.valid | ~ended.o.valid, "softmax: another scale in a head")
        require(m, ~ready | normalised.i.ready, "softmax: more normalised rows than slots wait")
        connect(m, normalised.o, flipped(self.rows))
        return m

    def _factor(self, m: Module, reciprocal, row) -> None:
        """Multiplier and shift of the row's output, 2 cycles behind the reciprocal."""
        scale = Signal(scale_layout(), reset_less=True)
        with m.If(self.scale.valid):
            m.d.sync += scale.eq(self.scale.payload)
        product = register(m, reciprocal.mantissa * scale.multiplier, name="product")
        half = 1 << (numerics.MULTIPLIER_BITS - 1)
        rounded = (product + half)[numerics.MULTIPLIER_BITS :]
        shift = register(m, scale.shift + reciprocal.length - 1, name="full_shift")
        # A shift of the format's largest value leaves nothing of a row, as any larger one.
        largest = (1 << numerics.SHIFT_BITS) - 1
        capped = Mux(shift > largest, largest, shift)[: numerics.SHIFT_BITS]
        m.d.comb += [
            row.multiplier.eq(register(m, rounded, name="multiplier")),
            row.shift.eq(register(m, capped, name="shift")),
        ]
