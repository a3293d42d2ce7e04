"""Steps of least squared error, and rounding to them."""

from torch import Tensor

from model.integer.attention import saturate

HEADROOM = 1.5
"""The largest residual and logit seen may grow by so much on other images."""

CLIPPING = [1 - index / 25 for index in range(20)]
"""Ranges that are tried, as fractions of the largest magnitude."""


def best_step(samples: Tensor) -> float:
    """The symmetric int8 step of least squared error; 0 for samples that are all 0."""
    largest = samples.abs().max().item() / 127
    return min(
        (largest * fraction for fraction in CLIPPING),
        key=lambda step: squared_error(samples, step).sum().item(),
    )


def squared_error(x: Tensor, step: float | Tensor) -> Tensor:
    return ((x / step).round().clamp(-128, 127) * step - x).square()


def to_integers(x: Tensor, bits: int) -> Tensor:
    return saturate(x.round().long(), bits)


def step_below(largest: float, bits: int) -> float:
    """The step of integers of `bits` bits that holds a largest magnitude with room to spare, or of
    nothing but 0.
    """
    return (largest or 1.0) * HEADROOM / (1 << (bits - 1))
