"""Integer golden model of masked attention and of token pruning, exact in every bit.

All tensors are int64 torch tensors that hold the narrower integers of docs/arithmetic.md. Leading
dimensions batch freely. Masks and live maps are bool, True = kept and True = live.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from rtl_gen import numerics
from rtl_gen.numerics import Scale, round_shift


@dataclass(frozen=True)
class HeadScales:
    """The two requantisation factors of one head.

    score: from q.k to powers of two with `SCORE_FRACTION_BITS` places, 1/sqrt(d) and log2(e)
    included output: from units of v to units of the output
    """

    score: Scale
    output: Scale


@dataclass(frozen=True)
class HeadTrace:
    """Every intermediate tensor of one head; n tokens, d channels. Dropped entries hold 0."""

    dot: Tensor  # (n, n) int32: q.k
    score: Tensor  # (n, n) int16: log2 domain
    row_max: Tensor  # (n,) int16: over kept entries
    exponential: Tensor  # (n, n) uint8: relative to the row's largest
    exp_sum: Tensor  # (n,) unsigned
    reciprocal: Tensor  # (n,) mantissa in [2^15, 2^16)
    weighted: Tensor  # (n, d) int32: sum of exponential times value
    output: Tensor  # (n, d) int8
    probability: Tensor  # (n, n) in units of 2^-16

    @property
    def importance(self) -> Tensor:
        """(n,) column sums of the probabilities."""
        return self.probability.sum(-2)

    def tensors(self) -> dict[str, Tensor]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Exact integer product: every partial sum is far below 2^53, so float64 holds it."""
    return (a.double() @ b.double()).long()


def saturate(x: Tensor, bits: int) -> Tensor:
    return x.clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def requantise(x: Tensor, multiplier, shift, bits: int) -> Tensor:
    """saturate(round_shift(x * multiplier, shift)); multiplier and shift may be tensors.

    A shift that leaves nothing of a 48-bit product rounds to zero, as the formula says.
    """
    return saturate(round_shift(x * multiplier, shift), bits)


def bit_length(x: Tensor) -> Tensor:
    """Number of bits of each non-negative integer below 2^53."""
    return torch.frexp(x.double())[1].long()


def exponential(distance: Tensor) -> Tensor:
    """255 * 2^(-distance / 2^SCORE_FRACTION_BITS) rounded, from the table, for distance >= 0."""
    table = torch.tensor(numerics.exp_table())
    fraction = distance & ((1 << numerics.SCORE_FRACTION_BITS) - 1)
    exponent = distance >> numerics.SCORE_FRACTION_BITS
    shift = numerics.EXP_TABLE_BITS - numerics.EXP_BITS + exponent.clamp(max=numerics.EXP_BITS)
    rounded = round_shift(table[fraction], shift)
    return torch.where(exponent <= numerics.EXP_BITS, rounded, 0)


def reciprocal(exp_sum: Tensor) -> tuple[Tensor, Tensor]:
    """(R, n) with 1 / exp_sum ~ R * 2^(1 - RECIPROCAL_BITS - n), n its bit length; R(0) = 0."""
    length = bit_length(exp_sum)
    numerator = (1 << (length + numerics.RECIPROCAL_BITS - 1)) - 1
    quotient = numerator // exp_sum.clamp(min=1)
    return torch.where(exp_sum > 0, quotient, 0), length


def attend(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor, live: Tensor, scales: HeadScales
) -> HeadTrace:
    """One head: q, k, v (n, d) int8; mask (n, n); live (n,). Rows of dead queries are empty."""
    kept = mask & live[..., None, :] & live[..., :, None]
    dot = matmul(q, k.transpose(-1, -2))
    score = requantise(dot, scales.score.multiplier, scales.score.shift, numerics.SCORE_BITS)
    lowest = -(1 << (numerics.SCORE_BITS - 1))
    row_max = torch.where(kept, score, lowest).amax(-1)
    exp = torch.where(kept, exponential((row_max[..., None] - score).clamp(min=0)), 0)
    exp_sum = exp.sum(-1)
    mantissa, length = reciprocal(exp_sum)
    weighted = matmul(exp, v)
    # An empty row has sum 0, hence mantissa 0 and output 0; its shifts only have to be legal.
    length = length.clamp(min=numerics.EXP_BITS)
    multiplier = round_shift(mantissa * scales.output.multiplier, numerics.MULTIPLIER_BITS)
    # A shift of 63 leaves nothing of a 40-bit product; beyond it int64 would wrap.
    shift = (scales.output.shift + length - 1).clamp(max=(1 << numerics.SHIFT_BITS) - 1)
    return HeadTrace(
        dot=torch.where(kept, dot, 0),
        score=torch.where(kept, score, 0),
        row_max=row_max,
        exponential=exp,
        exp_sum=exp_sum,
        reciprocal=mantissa,
        weighted=weighted,
        output=requantise(weighted, multiplier[..., None], shift[..., None], 8),
        probability=round_shift(exp * mantissa[..., None], (length - 1)[..., None]),
    )


def select_tokens(importance: Tensor, live: Tensor, keep: int, prefix: int) -> Tensor:
    """The new live map (n,): the `keep` live tokens of largest importance, ties to the lower index.

    The first `prefix` tokens of the sequence go before all others; `keep` counts them.
    """
    rank = importance.clone()
    rank[..., :prefix] = importance.amax() + 1
    rank = torch.where(live, rank, -1)
    order = rank.sort(dim=-1, descending=True, stable=True).indices
    chosen = torch.zeros_like(live).scatter(-1, order[..., :keep], True)
    return chosen & live
