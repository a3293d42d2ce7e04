"""GELU as a table from int8 to int8."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from model.calibration.linear import Activation
from model.calibration.steps import CLIPPING

GELU_LOWS = [-low / 4 for low in range(6, 20, 2)]
"""Lower ends of a table's inputs that are tried."""

LEAST_HIGH = 2.0**-8
"""Least upper end of a table's inputs."""

GELU_BINS = 8192
"""Of the histogram of inputs that decides on a table."""


@dataclass(frozen=True)
class GeluTable:
    """GELU from inputs between `low` and `high`, outputs over all of int8."""

    low: float
    high: float

    @classmethod
    def fit(cls, samples: Tensor) -> "GeluTable":
        """The table of least squared error; inputs outside its range saturate.

        It reaches above 0 even if no sample does.
        """
        counts, edges = torch.histogram(samples.flatten(), GELU_BINS)
        values = (edges[1:] + edges[:-1]) / 2
        largest = max(edges[-1].item(), LEAST_HIGH)
        candidates = [cls(low, largest * fraction) for low in GELU_LOWS for fraction in CLIPPING]
        return min(candidates, key=lambda table: table._error(values) @ counts)

    @property
    def input_step(self) -> float:
        return (self.high - self.low) / 255

    @property
    def input_offset(self) -> float:
        """The input that integer 0 stands for."""
        return self.low + 128 * self.input_step

    @property
    def output_step(self) -> float:
        return (self._outputs.max() - self._outputs.min()).item() / 255

    @property
    def entries(self) -> Tensor:
        """(256,) int8 values."""
        return ((self._outputs - self._outputs.min()) / self.output_step).round().long() - 128

    @property
    def _outputs(self) -> Tensor:
        return functional.gelu(torch.linspace(self.low, self.high, 256))

    def apply(self, values: Tensor) -> Tensor:
        index = ((values - self.low) / self.input_step).round().long().clamp(0, 255)
        return self.entries[index]

    def output(self, samples: Tensor) -> Activation:
        step = torch.tensor(self.output_step)
        return Activation(step, functional.gelu(samples), self.apply(samples))

    def _error(self, values: Tensor) -> Tensor:
        restored = (self.apply(values) + 128) * self.output_step + self._outputs.min()
        return (restored - functional.gelu(values)).square()
