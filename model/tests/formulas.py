"""The formulas of docs/arithmetic.md in plain integers and fractions, for tests.

Written apart from the golden model, the RTL and `rtl_gen.numerics`, none of which is imported here:
a test that compares with these functions fails if any of them departs from the document.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from math import floor

SCORE_BITS = 16
OUTPUT_BITS = 8


def half_up(x: Fraction) -> int:
    """The nearest integer, halves towards plus infinity."""
    return floor(x + Fraction(1, 2))


def saturated(x: int, bits: int) -> int:
    return min(max(x, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)


def requantised(x: int, multiplier: int, shift: int, bits: int) -> int:
    return saturated(half_up(Fraction(x * multiplier, 2**shift)), bits)


@cache
def table_entry(fraction: int) -> int:
    """255 * 256 * 2^(-fraction / 256), rounded: decided in integers, by the 256th power."""
    target = (2 * 255 * 256) ** 256
    low, high = 0, 255 * 256  # the largest t with 2 t - 1 <= 2 * 255 * 256 * 2^(-fraction / 256)
    while low < high:
        middle = (low + high + 1) // 2
        if (2 * middle - 1) ** 256 * 2**fraction <= target:
            low = middle
        else:
            high = middle - 1
    return low


def exponential(distance: int) -> int:
    """255 * 2^(-distance / 256) from the table; 0 from 9 whole powers of two on."""
    whole, fraction = divmod(distance, 256)
    return half_up(Fraction(table_entry(fraction), 2 ** (8 + whole))) if whole <= 8 else 0


def reciprocal(exp_sum: int) -> tuple[int, int]:
    """Mantissa and bit length of a positive sum."""
    length = next(n for n in range(64) if exp_sum < 2**n)
    return floor(Fraction(2 ** (length + 15) - 1, exp_sum)), length


def probability(exponential: int, mantissa: int, length: int) -> int:
    return half_up(Fraction(exponential * mantissa, 2 ** (length - 1)))


def row_factor(mantissa: int, length: int, multiplier: int, shift: int) -> tuple[int, int]:
    """A row's output factor as multiplier and shift."""
    return half_up(Fraction(mantissa * multiplier, 2**16)), shift + length - 1


def attention_row(
    query: Sequence[int],
    keys: Sequence[Sequence[int]],
    values: Sequence[Sequence[int]],
    kept: Sequence[int],
    score_scale: tuple[int, int],
    output_scale: tuple[int, int],
) -> tuple[list[int], dict[int, int]]:
    """One query: its output row, and the probability in units of 2^-16 of every kept key."""
    channels = range(len(values[0]))
    if not kept:
        return [0 for _ in channels], {}
    scores = {
        j: requantised(
            sum(a * b for a, b in zip(query, keys[j], strict=True)), *score_scale, SCORE_BITS
        )
        for j in kept
    }
    largest = max(scores.values())
    exponentials = {j: exponential(largest - score) for j, score in scores.items()}
    mantissa, length = reciprocal(sum(exponentials.values()))
    factor = row_factor(mantissa, length, *output_scale)
    weighted = [sum(exponentials[j] * values[j][c] for j in kept) for c in channels]
    output = [requantised(w, *factor, OUTPUT_BITS) for w in weighted]
    return output, {j: probability(e, mantissa, length) for j, e in exponentials.items()}
