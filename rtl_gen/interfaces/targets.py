"""What LOAD and STORE reach: rows of `width` bytes, and where the memory plan keeps them."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from amaranth.lib import enum

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.memories import memory_plan
from rtl_gen.interfaces.memory import Memory


class Target(enum.IntEnum, shape=4):
    """Memories that LOAD and STORE reach."""

    QUERY = 0
    """int8, a row a token."""
    KEY = 1
    VALUE = 2
    MASK = 3
    """One bit a key, `mask_bytes` a query."""
    ACTIVATION = 4
    """int8, the network's channels / width rows a token. STORE only."""
    HIDDEN = 5
    """int8, the source's or destination's channels / width rows a token."""
    RESIDUAL = 6
    """int16, 2 * channels / width rows a token."""
    GELU = 7
    """256 int8. LOAD only, `first` = 0 and all at once."""
    CHANNEL_SHIFT = 8
    """One byte a channel, width / 2 channels in the lower half of a row. LOAD only."""
    IMPORTANCE = 9
    """uint32, `lanes` tokens a row, or two rows if one is too short. STORE only."""
    LIVE = 10
    """Bit j for token j. STORE only."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """How the rows of a target lie in its memory."""

    memory: Memory
    rows: int
    loads: bool
    stores: bool
    rows_per_word: int = 1
    """Rows that make up a word, the first in the low bits."""
    words_per_row: int = 1
    """Words, a byte each, that a row makes up."""
    element_bits: int | None = None
    """The word's elements are padded with zeros to so many bits in the row."""
    half: int | None = None
    """Keys (0) or values (1) of the kv memory, by token."""

    @property
    def alone(self) -> bool:
        """Nothing else writes the memory, so that a LOAD needs not wait for the units."""
        return self.memory.writers == ("load",)


@cache
def transfers(config: AcceleratorConfig) -> Mapping[Target, Transfer]:
    """Every target."""
    plan = memory_plan(config)

    def transfer(
        name: str, rows: int = 0, *, loads: bool = True, stores: bool = True, **layout
    ) -> Transfer:
        memory = plan[name]
        return Transfer(
            memory=memory, rows=rows or memory.words, loads=loads, stores=stores, **layout
        )

    parts, sum_rows = plan["mask"].chunks, config.importance_word_rows
    targets = {
        Target.QUERY: transfer("query"),
        Target.KEY: transfer("kv", config.max_tokens, half=0),
        Target.VALUE: transfer("kv", config.max_tokens, half=1),
        Target.MASK: transfer(
            "mask", parts * plan["mask"].words, stores=False, rows_per_word=parts
        ),
        Target.ACTIVATION: transfer("activation", loads=False),
        Target.HIDDEN: transfer("hidden"),
        Target.RESIDUAL: transfer("residual"),
        Target.GELU: transfer(
            "gelu", numerics.GELU_ENTRIES // config.width, stores=False, words_per_row=config.width
        ),
        Target.CHANNEL_SHIFT: transfer("channel_shifts", stores=False, element_bits=8),
        Target.IMPORTANCE: transfer(
            "importance",
            sum_rows * plan["importance"].words,
            loads=False,
            rows_per_word=sum_rows,
            element_bits=numerics.STORED_IMPORTANCE_BITS,
        ),
        Target.LIVE: transfer("live", loads=False),
    }
    return MappingProxyType(targets)


def row_count_bits(config: AcceleratorConfig) -> int:
    """A number of rows, up to those of the largest target; a number of tokens is less."""
    return max(transfer.rows for transfer in transfers(config).values()).bit_length()
