"""Step and channel shifts of norms, and of residuals that are only rounded."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.integer.network import Norm
from model.quantisation.linear import Activation
from model.quantisation.steps import squared_error, to_integers
from rtl_gen.numerics import NORM_CHANNEL_SHIFT_BITS, NORM_MEAN_FRACTION_BITS, Scale

STEPS_PER_OCTAVE = 8
CLIPPED_OCTAVES = 3
"""Steps of a norm that are tried: down to 2^-3 of the one that clips no sample of any channel."""


def quantise_norm(norm: nn.LayerNorm, residual: Tensor, weight: Tensor) -> tuple[Norm, Activation]:
    """A norm whose outputs go to a layer of `weight` (M, D), and its outputs.

    residual: samples (rows, D) of its inputs
    """
    dim = residual.shape[1]
    normed = functional.layer_norm(residual, (dim,), eps=norm.eps)
    step, shift = _steps(normed, (weight * norm.weight).square().sum(dim=0))
    channel_step = step * 2.0**shift
    integer = to_integers(normed / channel_step, 8)
    scale = Scale.nearest(dim / ((1 << NORM_MEAN_FRACTION_BITS) * step))
    return Norm(scale, shift.to(torch.uint8)), Activation(
        channel_step * norm.weight, normed * norm.weight + norm.bias, integer
    )


def quantise_plain(
    residual: Tensor, residual_step: float, weight: Tensor
) -> tuple[Norm, Activation]:
    """The same without normalisation: residuals, which have a step, rounded to int8."""
    step, shift = _steps(residual, weight.square().sum(dim=0))
    channel_step = step * 2.0**shift
    scale = Scale.nearest(residual_step / ((1 << NORM_MEAN_FRACTION_BITS) * step))
    integer = to_integers(residual / channel_step, 8)
    return Norm(scale, shift.to(torch.uint8)), Activation(channel_step, residual, integer)


def _steps(values: Tensor, influence: Tensor) -> tuple[float, Tensor]:
    """The common step and the shift (D,) of each channel, of least error of values (rows, D), in
    which a channel's squares count by its influence (D,).

    Shifts span a factor of 128: a channel that varies less than the largest one by more takes the
    smallest step.
    """
    largest = values.abs().amax(dim=0)
    span = 1 << ((1 << NORM_CHANNEL_SHIFT_BITS) - 1)
    unclipped = (max(largest.min().item(), largest.max().item() / span) or 1.0) / 127
    octaves = CLIPPED_OCTAVES + (1 << NORM_CHANNEL_SHIFT_BITS)
    exponents = torch.arange(octaves * STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE - CLIPPED_OCTAVES
    steps = unclipped * 2.0**exponents
    errors = torch.stack([squared_error(values, step).mean(dim=0) * influence for step in steps])
    shifts = STEPS_PER_OCTAVE * torch.arange(1 << NORM_CHANNEL_SHIFT_BITS)
    candidates = range(CLIPPED_OCTAVES * STEPS_PER_OCTAVE, -1, -1)
    first = min(candidates, key=lambda index: errors[index + shifts].amin(dim=0).sum().item())
    return steps[first].item(), errors[first + shifts].argmin(dim=0)
