"""LayerNorm's step and channel shifts."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.calibration.linear import Activation
from model.calibration.steps import squared_error, to_integers
from model.integer.network import Norm
from rtl_gen.numerics import NORM_CHANNEL_SHIFT_BITS, NORM_MEAN_FRACTION_BITS, Scale

STEPS_PER_OCTAVE = 8
CLIPPED_OCTAVES = 3
"""Steps of a norm that are tried: down to 2^-3 of the one that clips no sample of any channel."""


def quantise_norm(norm: nn.LayerNorm, residual: Tensor, weight: Tensor) -> tuple[Norm, Activation]:
    """A norm whose outputs go to a layer of `weight` (M, D), and its outputs.

    Shifts span a factor of 128: a channel that varies less than the largest one by more takes the
    smallest step.
    """
    dim = residual.shape[1]
    normed = functional.layer_norm(residual, (dim,), eps=norm.eps)
    influence = (weight * norm.weight).square().sum(dim=0)
    largest = normed.abs().amax(dim=0)
    span = 1 << ((1 << NORM_CHANNEL_SHIFT_BITS) - 1)
    unclipped = (max(largest.min().item(), largest.max().item() / span) or 1.0) / 127
    octaves = CLIPPED_OCTAVES + (1 << NORM_CHANNEL_SHIFT_BITS)
    exponents = torch.arange(octaves * STEPS_PER_OCTAVE) / STEPS_PER_OCTAVE - CLIPPED_OCTAVES
    steps = unclipped * 2.0**exponents
    errors = torch.stack([squared_error(normed, step).mean(dim=0) * influence for step in steps])
    shifts = STEPS_PER_OCTAVE * torch.arange(1 << NORM_CHANNEL_SHIFT_BITS)
    candidates = range(CLIPPED_OCTAVES * STEPS_PER_OCTAVE, -1, -1)
    first = min(candidates, key=lambda index: errors[index + shifts].amin(dim=0).sum().item())
    step = steps[first].item()
    shift = errors[first + shifts].argmin(dim=0)
    channel_step = step * 2.0**shift
    integer = to_integers(normed / channel_step, 8)
    scale = Scale.nearest(dim / ((1 << NORM_MEAN_FRACTION_BITS) * step))
    return Norm(scale, shift.to(torch.uint8)), Activation(
        channel_step * norm.weight, normed * norm.weight + norm.bias, integer
    )
