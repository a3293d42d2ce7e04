"""Linear layers in integers: steps of rows, rounded weights, biases.

A weight that is 0 stays 0, whether pruning or chance made it so.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from model.integer.network import Linear
from model.quantisation.steps import CLIPPING, squared_error
from rtl_gen.numerics import SMALLEST_FACTOR, Scale

DAMPING = 0.1
"""Of the inputs' mean variance: what is added to each when weights are rounded."""

LARGEST_BIAS = 1 << 29
"""Of a row in integers, which leaves the accumulator room for products."""


@dataclass(frozen=True)
class Activation:
    """An int8 tensor: what is real is step * integer + offset, each one number or one a channel.

    real, integer: samples (rows, channels), before and after rounding
    """

    step: Tensor
    real: Tensor
    integer: Tensor


def quantise_linear(
    weight: Tensor, bias: Tensor, x: Activation, out_step: float | Tensor
) -> Linear:
    """Outputs in units of `out_step` (one number or one a channel)."""
    layer, real_bias = without_bias(weight, bias, x, out_step)
    scale = layer.multiplier.double() * 2.0 ** -layer.shift.double() * out_step
    return Linear(
        layer.weight, (real_bias / scale).round().to(torch.int32), layer.multiplier, layer.shift
    )


def without_bias(
    weight: Tensor, bias: Tensor, x: Activation, out_step: float | Tensor
) -> tuple[Linear, Tensor]:
    """The layer without its bias, and the bias in float.

    A row of zeros, or of next to nothing beside its bias, has the least step at which the bias fits
    and its factor is not below the smallest one; what is left of such weights is rounded to it.
    """
    folded = weight * x.step
    inputs = x.integer.float()
    mean = inputs.mean(dim=0)
    covariance = (inputs - mean).T @ (inputs - mean) / len(inputs)
    offset = bias + weight @ x.real.mean(dim=0)
    least = torch.maximum(
        (offset - folded @ mean).abs() / LARGEST_BIAS,
        torch.as_tensor(out_step * SMALLEST_FACTOR),
    )
    step = torch.maximum(_row_steps(folded, covariance.diagonal()), least)
    integer = _round_weights(folded / step[:, None], covariance, zero=weight == 0)
    scales = [Scale.nearest(max(factor, SMALLEST_FACTOR)) for factor in (step / out_step).tolist()]
    layer = Linear(
        weight=integer.to(torch.int8),
        bias=torch.zeros(len(weight), dtype=torch.int32),
        multiplier=torch.tensor([scale.multiplier for scale in scales], dtype=torch.int32),
        shift=torch.tensor([scale.shift for scale in scales], dtype=torch.uint8),
    )
    return layer, offset - step * (integer @ mean)


def bias_of(layer: nn.Linear | nn.Conv2d) -> Tensor:
    """(M,) zeros where there is none."""
    return torch.zeros(len(layer.weight)) if layer.bias is None else layer.bias


def _round_weights(weight: Tensor, covariance: Tensor, zero: Tensor) -> Tensor:
    """int8 values of weights (M, K), each column making up for the rounding of those before it.

    GPTQ (Frantar et al., ICLR 2023): least error of the outputs for inputs of a covariance (K, K).
    Where `zero` (M, K) is true the value is 0.
    """
    damping = DAMPING * covariance.diagonal().mean()
    damped = covariance + torch.where(damping > 0, damping, 1.0) * torch.eye(len(covariance))
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(damped))
    factor = torch.linalg.cholesky(inverse, upper=True)
    weight, rounded = weight.clone(), torch.empty_like(weight)
    for column in range(weight.shape[1]):
        nearest = weight[:, column].round().clamp(-128, 127)
        rounded[:, column] = nearest.masked_fill(zero[:, column], 0)
        error = (weight[:, column] - rounded[:, column]) / factor[column, column]
        weight[:, column:] -= error[:, None] * factor[column, column:]
    return rounded


def _row_steps(weight: Tensor, power: Tensor) -> Tensor:
    """(M,) steps of least squared error of weights (M, K) whose inputs have a mean square (K,).

    0 for a row of zeros.
    """
    largest = weight.abs().amax(dim=1) / 127
    candidates = torch.stack([largest * fraction for fraction in CLIPPING])
    errors = torch.stack(
        [(squared_error(weight, step[:, None]) * power).sum(dim=1) for step in candidates]
    )
    return candidates.gather(0, errors.argmin(dim=0, keepdim=True))[0]
