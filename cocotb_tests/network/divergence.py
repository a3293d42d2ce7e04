"""Where a run leaves the golden model: the first value that differs, and the unit that wrote it.

The order of the program decides what is first. Behind it everything may differ, since later results
are made of earlier ones, so it is where to look.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from cocotb_tests.network.check import golden_of
from cocotb_tests.network.run import RtlRun
from model.program.memory_image import Image
from model.program.step import Step
from model.program.writers import unit_of


@dataclass(frozen=True, kw_only=True)
class Divergence:
    """One value, as stored and as expected."""

    core: int
    tensor: str
    """As the golden model names it, with layer and head."""
    token: int | None
    """In the sequence; None: of no token, as logits are."""
    channel: int | None
    """None: of a token as a whole, as its importance is."""
    expected: int
    found: int
    differing: int
    """Values of the same tensor that differ."""
    unit: str
    """Of the core, by its name in the memory plan."""
    operation: str
    command: str

    def __str__(self) -> str:
        place = [f"core {self.core}", self.tensor]
        place += [] if self.token is None else [f"token {self.token}"]
        place += [] if self.channel is None else [f"channel {self.channel}"]
        return (
            f"{', '.join(place)}: expected {self.expected}, found {self.found} "
            f"({self.differing:,} values of it differ); "
            f"written by the unit {self.unit} ({self.command} of {self.operation})"
        )


def first_divergence(
    image: Image, trace: Mapping[str, Tensor], run: RtlRun, writers: Mapping[str, Step]
) -> Divergence | None:
    """The first stored value of a whole network that is not the golden model's.

    Args:
        image: stores every tensor, in the order of the program.
        trace: of the golden model, for a picture a core.
        run: what the accelerator stored.
        writers: the step that wrote each tensor, see `model.program.writers`.
    """
    for tensor in image.stored:
        stored = image.read(run.memory, tensor)
        of_core = {name: values[tensor.core] for name, values in trace.items()}
        expected, live = golden_of(tensor.name, of_core)
        wrong = stored != expected
        if live is not None:
            wrong &= live[:, None]
        if not wrong.any():
            continue
        place = tuple(int(index) for index in np.argwhere(wrong)[0])
        token, channel = _place(tensor.name, place)
        step = writers[tensor.name]
        return Divergence(
            core=tensor.core,
            tensor=tensor.name,
            token=token,
            channel=channel,
            expected=int(expected[place]),
            found=int(stored[place]),
            differing=int(wrong.sum()),
            unit=unit_of(step),
            operation=step.operation,
            command=step.opcode.name,
        )
    return None


def _place(name: str, place: tuple[int, ...]) -> tuple[int | None, int | None]:
    """Token and channel."""
    if name == "logits":
        return None, place[-1]
    return (*place, None)[:2]
