"""From a token's statistics to the numbers that normalise its channels.

With S1 and S2 the sum and the sum of squares of the D channels of a token:

    mean       = round_shift(S1 * m_D, s_D)     (m_D, s_D) = 2^NORM_MEAN_FRACTION_BITS / D
    root       = isqrt(D * S2 - S1^2)           exact, D times the standard deviation
    n, R       = bit length of root, floor((2^(n + 15) - 1) / root)
    multiplier = round_shift(R * m_N, 16)       (m_N, s_N) = D / (2^NORM_MEAN_FRACTION_BITS * step)
    a channel  : sat8(round_shift((16 x - mean) * multiplier, s_N + n - 1 + k))

The multiplier is 0 if the root is: all channels are equal, the results are 0. LayerNorm's usual
epsilon is left out, because a root of at least 1 needs none. The integer mean and deviation follow
I-BERT (ICML 2021); the root is exact where I-BERT and I-ViT iterate. A `plain` norm has a mean of 0
and a root of 1, whatever the statistics.

The result's shift is less by one than the rounding needs, which adds the last bit after it:
round_shift(p, s) = ((p >> (s - 1)) + 1) >> 1. It is cut where every product is only its sign.

One token a cycle, latency(config) cycles, no back-pressure.
"""

from amaranth.hdl import Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.data import StructLayout, View
from amaranth.lib.wiring import In

from rtl_gen import numerics
from rtl_gen.common.pipeline import delay, register
from rtl_gen.common.products import PART_BITS
from rtl_gen.common.reciprocal import Reciprocal
from rtl_gen.common.requantize import Requantizer
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import scale_layout, statistics_layout
from rtl_gen.interfaces.ports import function
from rtl_gen.norm.square_root import SquareRoot

DEVIATION_BITS = numerics.RESIDUAL_BITS + numerics.NORM_MEAN_FRACTION_BITS + 1
"""Signed mean, and signed distance of a channel from it, in units of the mean.

The mean is off by at most 9 units: 8 through its scale, 1 by rounding. The distance is thus at most
16 * 65535 + 9 < 2^20.
"""

NORMALISED_BITS = DEVIATION_BITS + numerics.MULTIPLIER_BITS
"""Signed product of a distance and the multiplier."""


def norm_token_layout(config: AcceleratorConfig) -> StructLayout:
    """`plain`, D, (m_D, s_D), (m_N, s_N), the same for all tokens under way; S1 and S2 of one."""
    return StructLayout(
        {
            "plain": 1,
            "dim": unsigned(config.dim_bits),
            "mean_scale": scale_layout(),
            "norm_scale": scale_layout(),
            "statistics": statistics_layout(config),
        }
    )


def norm_factor_layout() -> StructLayout:
    """What normalises a token: its channels differ only by their own shift."""
    return StructLayout(
        {
            "mean": signed(DEVIATION_BITS),
            "multiplier": unsigned(numerics.MULTIPLIER_BITS),
            "shift": unsigned((NORMALISED_BITS - 1).bit_length()),
        }
    )


class NormFactor(wiring.Component):
    """
    Attributes
    ----------
    call : in, a function of latency(config) cycles: from a token to its factor
    """

    @staticmethod
    def latency(config: AcceleratorConfig) -> int:
        """Products, variance; root; reciprocal; product with the scale, rounding."""
        return 2 + SquareRoot.latency(config.variance_bits) + Reciprocal.LATENCY + 2

    def __init__(self, config: AcceleratorConfig):
        self._config = config
        super().__init__({"call": In(function(norm_token_layout(config), norm_factor_layout()))})

    def elaborate(self, platform):
        m = Module()
        token, factor = self.call.argument, self.call.result
        m.d.comb += factor.mean.eq(self._mean(m, token))
        m.submodules.square_root = square_root = SquareRoot(self._config.variance_bits)
        m.d.comb += square_root.call.argument.eq(self._variance(m, token))
        root = square_root.call.result
        m.submodules.reciprocal = reciprocal = Reciprocal(len(root))
        m.d.comb += reciprocal.call.argument.eq(root)
        self._scale(m, token.norm_scale, reciprocal.call.result)
        return m

    def _mean(self, m: Module, token: View) -> Value:
        """Beside the root, and held back until the multiplier is there."""
        config = self._config
        m.submodules.mean = mean = Requantizer(
            elements=1, input_bits=config.channel_sum_bits, output_bits=DEVIATION_BITS
        )
        m.d.comb += [
            mean.call.argument.values[0].eq(token.statistics.total),
            mean.call.argument.scale.eq(token.mean_scale),
        ]
        value = Mux(token.plain, 0, mean.call.result[0])
        return delay(m, value, self.latency(config) - mean.LATENCY, name="mean")

    def _variance(self, m: Module, token: View) -> Signal:
        """D^2 times the variance: products of parts, so that a register follows every multiplier;
        one sum of all of them.
        """
        total, squares = token.statistics.total, token.statistics.squares
        parts = range(0, len(squares), PART_BITS)
        scaled_squares = sum(
            register(m, squares[low : low + PART_BITS] * token.dim, name=f"scaled_{low}") << low
            for low in parts
        )
        low, high = total[:PART_BITS], total[PART_BITS:].as_signed()
        squared_total = (
            register(m, low * low, name="squared_low")
            + (register(m, low * high, name="crossed") << (PART_BITS + 1))
            + (register(m, high * high, name="squared_high") << (2 * PART_BITS))
        )
        variance = Signal(self._config.variance_bits, reset_less=True)
        m.d.sync += variance.eq(scaled_squares - squared_total)
        with m.If(token.plain):
            m.d.sync += variance.eq(1)
        return variance

    def _scale(self, m: Module, scale: View, inverse: View) -> None:
        """Multiplier and shift: the norm scale times the reciprocal of the root."""
        factor = self.call.result
        product = register(m, inverse.mantissa * scale.multiplier, name="scaled_mantissa")
        is_zero = register(m, inverse.length == 0, name="is_zero")
        multiplier = Signal(numerics.MULTIPLIER_BITS, reset_less=True)
        m.d.sync += multiplier.eq(
            Mux(is_zero, 0, numerics.round_shift(product, numerics.MULTIPLIER_BITS))
        )

        exponent = register(m, scale.shift + inverse.length, name="exponent")
        shift = Signal(factor.shift.shape(), reset_less=True)
        most = NORMALISED_BITS - 1
        m.d.sync += shift.eq(Mux(exponent > most + 2, most, exponent - 2))
        m.d.comb += [factor.multiplier.eq(multiplier), factor.shift.eq(shift)]
