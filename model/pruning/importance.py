"""Measures of a token's importance, by which pruning ranks tokens, and the package token.

A measure maps the attention of one layer, over live tokens only, to a number a token; larger stays
longer. b images, h heads, n live tokens, d channels a head:

    probabilities  (b, h, n, n), rows = queries      v  (b, h, n, d)      importance  (b, n)

Importance of token j, and the hardware that it takes beside that of `column_sum`, the one in RTL:

    column_sum       sum over heads and queries of p_ij (SpAtten, HPCA 2021).
    cls              sum over heads of p_0j (EViT, ICLR 2022). Less: sums listen to one query only.
                     Needs a class token, as the next.
    cls_and_columns  column sum / n + cls. A product by n for the CLS query, before it is added.
    accumulated      column sums added up over layers (SpAtten's cumulative form). Sums are not
                     cleared between layers and grow by 4 bits: the radix select takes 8 passes
                     instead of 7.
    value_norm       sum over heads of column sum times |v_j|. Squares of v as it is written, a root
                     and a product a key and head, a second bank of sums, as heads end apart.

The package token (EViT) takes the place of all tokens that a layer drops, as their mean weighted by
importance. It attends and is attended by all, and each later layer merges it with what that one
drops. In hardware: a pass of the array over the dropped rows of the residual stream and of the
attention output, scaled by importance, one division a layer, a mask row and column of ones, and one
token more in every later layer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rtl_gen.errors import UserError

OfLayer = Callable[[Tensor, Tensor], Tensor]
"""From probabilities and v to importance."""


@dataclass(frozen=True)
class Measure:
    """How importance comes about: from one layer, or added to that of the layers before it."""

    of_layer: OfLayer
    accumulated: bool = False
    of_class_token: bool = False
    """Whether it asks the first token, which has to be one of a prefix."""


def column_sum(probabilities: Tensor, v: Tensor) -> Tensor:  # noqa: ARG001
    """Attention that a token receives from all queries."""
    return probabilities.sum(dim=(1, 2), dtype=_at_least_float32(probabilities))


def cls(probabilities: Tensor, v: Tensor) -> Tensor:  # noqa: ARG001
    """Attention that a token receives from CLS."""
    return probabilities[:, :, 0].sum(dim=1, dtype=_at_least_float32(probabilities))


def cls_and_columns(probabilities: Tensor, v: Tensor) -> Tensor:
    """Both, CLS weighing as much as all queries together."""
    return column_sum(probabilities, v) / probabilities.shape[-1] + cls(probabilities, v)


def value_norm(probabilities: Tensor, v: Tensor) -> Tensor:
    """Attention that a token receives, times the length of what it gives in return."""
    received = probabilities.sum(dim=2, dtype=_at_least_float32(probabilities))
    return (received * v.norm(dim=-1)).sum(dim=1)


MEASURES: dict[str, Measure] = {
    "column_sum": Measure(column_sum),
    "cls": Measure(cls, of_class_token=True),
    "cls_and_columns": Measure(cls_and_columns, of_class_token=True),
    "accumulated": Measure(column_sum, accumulated=True),
    "value_norm": Measure(value_norm),
}

COLUMN_SUM = MEASURES["column_sum"]


def get_measure(name: str) -> Measure:
    if name not in MEASURES:
        raise UserError(f"unknown importance {name!r}: expected one of {', '.join(MEASURES)}")
    return MEASURES[name]


def weighted_mean(weights: Tensor, tensor: Tensor) -> Tensor:
    """Mean (b, 1, d) of a tensor (b, m, d), by weights (b, m), or plain if all are 0."""
    empty = weights.sum(dim=1, keepdim=True) == 0
    shares = torch.where(empty, 1.0, weights)
    shares = shares / shares.sum(dim=1, keepdim=True)
    return (tensor * shares[..., None]).sum(dim=1, keepdim=True)


def _at_least_float32(tensor: Tensor) -> torch.dtype:
    """Sums of many bfloat16 probabilities would tie where the probabilities do not."""
    return torch.promote_types(tensor.dtype, torch.float32)
