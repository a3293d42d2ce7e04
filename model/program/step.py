"""A command of a whole network's program, and what of the network it carries."""

from typing import NamedTuple

from model.program.memory_image import StoredTensor
from rtl_gen.control.commands import Opcode

TRANSFER = "transfer"
"""Commands that are no operation: their cycles are hidden behind others or lie in between."""


class Parameter(NamedTuple):
    """What of a network a step's payload and scales are made of."""

    name: str
    """Of the masks or of a field of `Parameters`, e.g. `masks.0.1` or `layers.0.projection`."""
    first: int = 0
    """First output of a linear layer."""
    outputs: int | None = None
    """So many of its outputs; None: all."""
    input_groups: int = 1
    """Equal parts of the inputs, each of which begins a row."""
    output_groups: int = 1
    """The same of the outputs."""


class Step(NamedTuple):
    """One command and what it is for."""

    operation: str
    """Name of a field of the cycle model's NetworkCycles, or TRANSFER."""
    opcode: Opcode
    fields: dict[str, int]
    """Those that shapes and schedule decide, by name as in a program."""
    parameter: Parameter | None = None
    stored: StoredTensor | None = None
    """What a STORE writes."""
    layer: int | None = None
    """None before the first layer and behind the last."""

    @property
    def command(self) -> dict[str, int]:
        """Opcode and fields."""
        return {"opcode": self.opcode, **self.fields}
