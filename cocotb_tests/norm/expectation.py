"""LayerNorm of a token in plain integers and fractions, apart from the RTL and the golden model."""

from collections.abc import Sequence
from fractions import Fraction
from math import isqrt

from model.tests.formulas import half_up, reciprocal, requantised

Factor = tuple[int, int]
"""A scale m * 2^-s as (m, s)."""


def scale(factor: Factor) -> dict[str, int]:
    """As the hardware's `scale_layout`."""
    return {"multiplier": factor[0], "shift": factor[1]}


def statistics(channels: Sequence[int]) -> tuple[int, int]:
    """Sum and sum of squares."""
    return sum(channels), sum(x * x for x in channels)


def token_factor(
    total: int,
    squares: int,
    dim: int,
    mean_scale: Factor,
    norm_scale: Factor,
    *,
    plain: bool = False,
) -> tuple[int, int, int]:
    """Mean in 1/16; multiplier, 0 if all channels are equal; shift before a channel's own."""
    if plain:
        return 0, half_up(Fraction(norm_scale[0] * 0xFFFF, 2**16)), norm_scale[1]
    mean = half_up(Fraction(total * mean_scale[0], 2 ** mean_scale[1]))
    root = isqrt(dim * squares - total * total)
    if root == 0:
        return mean, 0, 0
    mantissa, length = reciprocal(root)
    return mean, half_up(Fraction(mantissa * norm_scale[0], 2**16)), norm_scale[1] + length - 1


def normalised(
    channels: Sequence[int],
    dim: int,
    mean_scale: Factor,
    norm_scale: Factor,
    channel_shifts: Sequence[int],
    *,
    plain: bool = False,
) -> list[int]:
    """int8 results of a token; channels beyond `dim` are 0 and change nothing but their own."""
    total, squares = statistics(channels)
    mean, multiplier, shift = token_factor(total, squares, dim, mean_scale, norm_scale, plain=plain)
    return [
        requantised(16 * x - mean, multiplier, shift + k, 8)
        for x, k in zip(channels, channel_shifts, strict=True)
    ]
