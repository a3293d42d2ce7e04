"""Number formats and rounding, stated once: the RTL, the golden model and the compiler import them.

The arithmetic as formulas, with widths and sources, is in docs/arithmetic.md.
"""

import math
from typing import NamedTuple

SCORE_BITS = 16
"""A score after requantisation: signed, in powers of two (log2 domain)."""

SCORE_FRACTION_BITS = 8
"""Binary places of a score: its step is 2^-8 of a power of two."""

EXP_BITS = 8
EXP_MAX = (1 << EXP_BITS) - 1
"""The exponential of a row's largest score; the others are relative to it."""

EXP_TABLE_BITS = 16

RECIPROCAL_BITS = 16
"""A reciprocal is a mantissa in [2^15, 2^16) with the bit length of its argument as exponent."""

PROBABILITY_FRACTION_BITS = 16
"""A probability that enters the importance sums is in units of 2^-16."""

STORED_IMPORTANCE_BITS = 32
"""An importance sum in memory, filled up with zeros."""

MULTIPLIER_BITS = 16
"""Mantissa of a requantisation scale: unsigned, in [2^15, 2^16)."""

SHIFT_BITS = 6
"""Exponent of a requantisation scale: a right shift of 1 to 63."""

RESIDUAL_BITS = 16
"""A channel of the residual stream: signed, one step for the whole network."""

NORM_MEAN_FRACTION_BITS = 4
"""Binary places of a token's mean in LayerNorm, below a step of the residual stream."""

NORM_CHANNEL_SHIFT_BITS = 3
"""LayerNorm's step of a channel is a power of two, 2^0 to 2^7, times the common step."""

ACCUMULATOR_BITS = 32
"""Partial sums and biases of linear layers."""

LOGIT_BITS = 16
"""Output of the classifier: signed, one step for all classes."""

GELU_ENTRIES = 256
"""GELU is a table with an entry for every int8."""

SORT_DIGIT_BITS = 4
"""The top-k sorter decides this many bits of the importance a pass."""


def exp_table() -> list[int]:
    """255 * 2^8 * 2^(-f / 256) for every fraction f, rounded to the nearest integer."""
    scale = EXP_MAX << (EXP_TABLE_BITS - EXP_BITS)
    steps = 1 << SCORE_FRACTION_BITS
    return [round(scale * 2.0 ** (-f / steps)) for f in range(steps)]


def round_shift(x, shift):
    """x / 2^shift rounded half up, for shift >= 1: the only rounding rule of the project.

    Works alike on Python integers and on integer tensors.
    """
    return (x + (1 << (shift - 1))) >> shift


SMALLEST_FACTOR = 2.0**-48
"""Of what a `Scale` stands for: it leaves 0 of every accumulator, score and output."""


class Scale(NamedTuple):
    """The positive real factor multiplier * 2^-shift, as requantisation applies it."""

    multiplier: int
    shift: int

    @classmethod
    def nearest(cls, factor: float) -> "Scale":
        """The closest representable factor; raises ValueError outside 2^-48 .. 2^14."""
        if not SMALLEST_FACTOR <= factor < 2.0**14:
            raise ValueError(f"scale {factor!r}: expected a factor from 2^-48 to 2^14")
        mantissa, exponent = math.frexp(factor)
        multiplier = round(mantissa * (1 << MULTIPLIER_BITS))
        if multiplier == 1 << MULTIPLIER_BITS:
            multiplier, exponent = multiplier >> 1, exponent + 1
        return cls(multiplier, MULTIPLIER_BITS - exponent)

    @property
    def factor(self) -> float:
        return self.multiplier * 2.0**-self.shift
