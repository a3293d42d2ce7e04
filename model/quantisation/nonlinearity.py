"""The nonlinearity of an FFN as a table from int8 to int8."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model.quantisation.linear import Activation
from model.quantisation.steps import CLIPPING

LOWS = [-low / 4 for low in (0, *range(6, 20, 2))]
"""Lower ends of a table's inputs that are tried where the function is flat to the left of them all,
as GELU, QuickGELU and ReLU are; of others, such as SiLU, samples give the lower end."""

FAR_LOW = -64.0
FLAT = 2.0**-6
"""A function is flat if it changes by less between FAR_LOW and the lowest end."""

LEAST_END = 2.0**-8
"""Least distance of a table's ends from 0."""

BINS = 8192
"""Of the histogram of inputs that decides on a table."""


@dataclass(frozen=True)
class NonlinearityTable:
    """A function of single values between `low` and `high`; outputs take all of int8."""

    function: Callable[[Tensor], Tensor]
    low: float
    high: float

    @classmethod
    def fit(cls, function: Callable[[Tensor], Tensor], samples: Tensor) -> "NonlinearityTable":
        """The table of least squared error; inputs outside its range saturate.

        It reaches above 0 even if no sample does.
        """
        counts, edges = torch.histogram(samples.flatten(), BINS)
        values = (edges[1:] + edges[:-1]) / 2
        largest = max(edges[-1].item(), LEAST_END)
        lows = LOWS
        left = function(torch.linspace(FAR_LOW, min(LOWS), BINS))
        if (left - left[-1]).abs().max() >= FLAT:
            smallest = min(edges[0].item(), -LEAST_END)
            lows = [smallest * fraction for fraction in CLIPPING]
        candidates = [
            cls(function, low, largest * fraction) for low in lows for fraction in CLIPPING
        ]
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
        """1 of a function that is constant."""
        return (self._outputs.max() - self._outputs.min()).item() / 255 or 1.0

    @property
    def entries(self) -> Tensor:
        """(256,) int8 values."""
        return ((self._outputs - self._outputs.min()) / self.output_step).round().long() - 128

    @property
    def _outputs(self) -> Tensor:
        return self.function(torch.linspace(self.low, self.high, 256))

    def apply(self, values: Tensor) -> Tensor:
        index = ((values - self.low) / self.input_step).round().long().clamp(0, 255)
        return self.entries[index]

    def output(self, samples: Tensor) -> Activation:
        step = torch.tensor(self.output_step)
        return Activation(step, self.function(samples.clone()), self.apply(samples))

    def _error(self, values: Tensor) -> Tensor:
        restored = (self.apply(values) + 128) * self.output_step + self._outputs.min()
        return (restored - self.function(values.clone())).square()
