"""Seeded random networks of any shape, for tests whose values only have to be well spread.

Weights are uniform; every factor follows from the number of terms that a layer adds up, so that
activations of any depth fill about a third of their format and a few of them saturate.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from model.integer.attention import HeadScales
from model.integer.network import (
    IntegerNetwork,
    Layer,
    Linear,
    Norm,
    Parameters,
    Renormalisation,
)
from model.network.shape import Network
from rtl_gen.numerics import NORM_MEAN_FRACTION_BITS, SCORE_FRACTION_BITS, Scale

SPREAD = 42.0
"""Standard deviation aimed at for int8 activations."""
RESIDUAL_SPREAD = 1500.0
"""That of what one linear layer adds to the residual stream."""
SCORE_SPREAD = 1.5
"""That of attention scores, in powers of two."""
GELU_RANGE = 4.0
"""GELU is tabulated over -GELU_RANGE to GELU_RANGE."""
LARGEST_SHIFT = 3
"""Channel shifts of norms are 0 to this."""


def random_network(shape: Network, seed: int) -> IntegerNetwork:
    """The network of a seed; shapes with a head dimension of 8 and 17 tokens are fine."""
    draw = _Draw(torch.Generator().manual_seed(seed))
    dim, hidden = shape.dim, shape.hidden
    return IntegerNetwork(
        shape=shape,
        parameters=Parameters(
            initial=draw.integers((shape.tokens, dim), int(RESIDUAL_SPREAD)).to(torch.int16),
            patch=draw.linear(shape.patch_inputs, dim, RESIDUAL_SPREAD, bias=False),
            layers=tuple(
                Layer(
                    norm1=draw.norm(dim),
                    qkv=draw.linear(dim, 3 * dim, SPREAD),
                    heads=tuple(draw.head(shape.head_dim) for _ in range(shape.heads)),
                    projection=draw.linear(dim, dim, RESIDUAL_SPREAD),
                    norm2=draw.norm(dim),
                    ffn1=draw.linear(dim, hidden, SPREAD),
                    nonlinearity=_gelu_table(),
                    ffn2=draw.linear(hidden, dim, RESIDUAL_SPREAD),
                )
                for _ in range(shape.layers)
            ),
            norm=draw.plain_norm(dim) if shape.plain_readout else draw.norm(dim),
            classifier=draw.linear(shape.read_tokens * dim, shape.outputs, 8 * RESIDUAL_SPREAD),
            pre_norm=draw.renormalisation(dim) if shape.pre_norm else None,
            mean=draw.renormalisation(dim) if shape.averages_normalised else None,
        ),
        metadata={"seed": seed},
    )


def random_patches(shape: Network, images: int, seed: int) -> Tensor:
    """Patches (images, patches, K) of values -128 to 127."""
    draw = _Draw(torch.Generator().manual_seed(seed))
    return draw.integers((images, shape.patch_tokens, shape.patch_inputs), 128).clamp(max=127)


@dataclass(frozen=True)
class _Draw:
    generator: torch.Generator

    def integers(self, size: tuple[int, ...], largest: int) -> Tensor:
        return torch.randint(-largest, largest + 1, size, generator=self.generator)

    def factor(self, middle: float) -> float:
        """A factor up to a half octave to either side of `middle`."""
        return middle * 2.0 ** (torch.rand((), generator=self.generator).item() - 0.5)

    def linear(self, inputs: int, outputs: int, spread: float, *, bias: bool = True) -> Linear:
        """A layer whose outputs have about the standard deviation `spread`."""
        weight = self.integers((outputs, inputs), 127)
        acc_spread = math.sqrt(inputs) * SPREAD * 127 / math.sqrt(3)
        scales = [Scale.nearest(self.factor(spread / acc_spread)) for _ in range(outputs)]
        return Linear(
            weight=weight.to(torch.int8),
            bias=self.integers((outputs,), round(acc_spread) if bias else 0).to(torch.int32),
            multiplier=torch.tensor([s.multiplier for s in scales], dtype=torch.int32),
            shift=torch.tensor([s.shift for s in scales], dtype=torch.uint8),
        )

    def norm(self, dim: int) -> Norm:
        factor = self.factor(dim * SPREAD / (1 << NORM_MEAN_FRACTION_BITS))
        return Norm(Scale.nearest(factor), self.shifts(dim))

    def shifts(self, dim: int) -> Tensor:
        """Channel shifts of a norm."""
        shifts = torch.randint(0, LARGEST_SHIFT + 1, (dim,), generator=self.generator)
        return shifts.to(torch.uint8)

    def plain_norm(self, dim: int) -> Norm:
        """For the residual stream as it is."""
        step = self.factor(RESIDUAL_SPREAD / SPREAD)
        return Norm(Scale.nearest(1 / (step * (1 << NORM_MEAN_FRACTION_BITS))), self.shifts(dim))

    def renormalisation(self, dim: int) -> Renormalisation:
        return Renormalisation(self.norm(dim), self.linear(dim, dim, RESIDUAL_SPREAD))

    def head(self, head_dim: int) -> HeadScales:
        score = SCORE_SPREAD * (1 << SCORE_FRACTION_BITS) / (math.sqrt(head_dim) * SPREAD**2)
        return HeadScales(Scale.nearest(self.factor(score)), Scale.nearest(self.factor(2.0)))


def _gelu_table() -> Tensor:
    inputs = torch.arange(-128, 128, dtype=torch.float64) * (GELU_RANGE / 128)
    outputs = torch.nn.functional.gelu(inputs) * (127 / GELU_RANGE)
    return outputs.round().to(torch.int8)
