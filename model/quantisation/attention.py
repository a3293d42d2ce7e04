"""Float to integer: symmetric int8 tensors and the factors of an attention head."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from model.integer.attention import HeadScales
from model.integer.attention_layers import AttentionLayer
from rtl_gen.numerics import SCORE_FRACTION_BITS, SMALLEST_FACTOR, Scale

INT8_MAX = 127


def int8_step(x: Tensor) -> float:
    """The step that puts the largest magnitude of `x` at 127; 1 for an all-zero tensor."""
    return x.abs().max().item() / INT8_MAX or 1.0


def to_int8(x: Tensor, step: float) -> Tensor:
    """The nearest int8 values (int64 tensor) of x / step."""
    return (x / step).round().clamp(-INT8_MAX - 1, INT8_MAX).long()


def head_scales(
    q_step: float, k_step: float, v_step: float, out_step: float, dim: int
) -> HeadScales:
    """Factors of a head from the steps of its tensors; `dim` is the head dimension.

    Scores are in powers of two with SCORE_FRACTION_BITS places, so the natural exponent's log2(e)
    and the 1 / sqrt(dim) of attention belong to their factor. Factors that leave nothing but 0 are
    the smallest one.
    """
    places = 1 << SCORE_FRACTION_BITS
    score = q_step * k_step / math.sqrt(dim) * math.log2(math.e) * places
    factors = (max(factor, SMALLEST_FACTOR) for factor in (score, v_step / out_step))
    return HeadScales(*map(Scale.nearest, factors))


def masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Float attention of one head over the kept entries: (n, d)."""
    scores = (q @ k.T) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~mask, -torch.inf).softmax(-1) @ v


def quantise_attention(
    q: Sequence[Tensor] | Tensor, k: Tensor, v: Tensor, mask: Tensor, keep: int | None = None
) -> AttentionLayer:
    """Float q, k, v (h, n, d) and mask (h, n, n) as the integer inputs of a layer.

    Each head has its own steps; the output's step fits what float attention gives.
    """
    scales, integers = [], []
    for queries, keys, values, kept in zip(q, k, v, mask, strict=True):
        tensors = queries, keys, values
        q_step, k_step, v_step = steps = [int8_step(x) for x in tensors]
        out_step = int8_step(masked_attention(queries, keys, values, kept))
        scales.append(head_scales(q_step, k_step, v_step, out_step, queries.shape[-1]))
        integers.append([to_int8(x, step) for x, step in zip(tensors, steps, strict=True)])
    int_q, int_k, int_v = (torch.stack(parts) for parts in zip(*integers, strict=True))
    return AttentionLayer(int_q, int_k, int_v, mask=mask, scales=tuple(scales), keep=keep)
