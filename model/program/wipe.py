"""The wipe program: overwrites what earlier programs left on the chip.

Memories on the chip keep their contents from program to program, also through a soft reset, and any
program may read them. A host that runs programs of users who must not see each other's data runs
this one in between. It needs no memory beside its own.

Behind it every memory that LOAD or STORE reaches is zero. Overwritten with values that depend on
nothing are also those that no program can read: sums of tokens' channels, partial sums, weights,
scores and exponentials in flight, and the stream that was read ahead.
"""

from model.program.memory_image import Image, ImageBuilder
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.linear.weight_buffer import parameter_rows

ZERO = {"multiplier": 0, "shift": 1}
"""A scale."""

SLICES = 2
"""Of the linear layer: with more than one, partial sums of every token are kept."""


def wipe_image(config: AcceleratorConfig) -> Image:
    """The program for a configuration; it stores nothing."""
    builder = ImageBuilder(config)
    ranges = transfers(config)

    def fill(target: Target, byte: int) -> None:
        data = bytes([byte]) * (ranges[target].rows * config.width)
        builder.load(target, data, barrier=True)

    builder.emit(Opcode.SET_TOKENS, count=config.max_tokens)
    for target, allowed in ranges.items():
        if allowed.loads:
            fill(target, 0)
    # A head that keeps everything passes through every slot of a row.
    fill(Target.MASK, 0xFF)
    builder.emit(Opcode.ATTEND, pitch=1, scale_a=ZERO, scale_b=ZERO)
    fill(Target.MASK, 0)
    tiles = config.max_dim // config.lanes
    rows = tiles * (parameter_rows(config) + SLICES * config.lanes)
    builder.emit(
        Opcode.LINEAR,
        bytes(rows * config.width),
        source=Source.HIDDEN,
        destination=Destination.RESIDUAL,
        pitch=words(config, "residual") // config.max_tokens,
        slices=SLICES,
        tiles=tiles,
    )
    builder.emit(Opcode.NORM, dim=config.max_dim, scale_a=ZERO, scale_b=ZERO)
    return builder.finish()
