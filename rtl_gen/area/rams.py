"""Which RAM of an UltraScale+ a memory becomes, and how much of it: Yosys's rule, worked out.

A word lies in parts of 9 bits, each chunk that is written on its own in parts of its own. A RAM of
2^a addresses holds some parts at each of them; a deeper memory is folded, its segments side by
side, one of which is chosen. The cheapest way is taken, as `memory_libmap` weighs them: a RAM costs
what Yosys's library for the family says, a bit of a choice a half, a write enable a quarter.
"""

from dataclasses import dataclass
from functools import cache

from rtl_gen.interfaces.memory import Memory

PART_BITS = 9
_CHOICE, _ENABLE = 0.5, 0.25

_BLOCKS = [
    (cost, blocks, bits - (parts - 1).bit_length(), parts)
    for cost, blocks, bits, most in ((129, 0.5, 11, 4), (257, 1, 12, 8))
    for parts in (1, 2, 4, 8)
    if parts <= most
]
"""Cost, RAMB36, address bits, parts a word: half a block and a whole one."""

_TABLES = ((5, 14), (6, 7))
"""Address bits and bits a word of eight tables as distributed RAM."""
_TABLES_COST = 16
TABLES = 8


@dataclass(frozen=True)
class Rams:
    """What a memory takes, all of its banks."""

    block_rams: float = 0
    """RAMB36; half of one is a RAMB18."""
    tables: float = 0
    """Of distributed RAM."""
    latches: int = 0
    """Flip-flops for the words read from distributed RAM."""
    selected: int = 0
    """Bits that multiplexers choose among, for the segments of deep memories."""

    def __add__(self, other: "Rams") -> "Rams":
        return Rams(
            self.block_rams + other.block_rams,
            self.tables + other.tables,
            self.latches + other.latches,
            self.selected + other.selected,
        )


def rams(memory: Memory) -> Rams:
    """Of a memory that is a RAM."""
    return _rams(memory.words, memory.bits, memory.chunks, memory.banks)


@cache
def _rams(words: int, bits: int, chunks: int, banks: int) -> Rams:
    ways = [_block(words, bits, chunks, way) for way in _BLOCKS]
    ways += [_distributed(words, bits, chunks, way) for way in _TABLES]
    _, best = min(ways, key=lambda way: way[0])
    return Rams(
        banks * best.block_rams, banks * best.tables, banks * best.latches, banks * best.selected
    )


def _block(
    words: int, bits: int, chunks: int, way: tuple[int, float, int, int]
) -> tuple[float, Rams]:
    cost, blocks, address_bits, parts = way
    segments = -(-words // (1 << address_bits))
    number = -(-chunks * -(-bits // chunks // PART_BITS) * segments // parts)
    selected = bits * (segments - 1)
    return (
        number * cost + _choices(bits, chunks, segments),
        Rams(block_rams=number * blocks, selected=selected),
    )


def _distributed(words: int, bits: int, chunks: int, way: tuple[int, int]) -> tuple[float, Rams]:
    address_bits, width = way
    segments = -(-words // (1 << address_bits))
    number = segments * chunks * -(-bits // chunks // width)
    return (
        segments * bits / width * _TABLES_COST + _choices(bits, chunks, segments),
        Rams(tables=TABLES * number, latches=bits, selected=bits * (segments - 1)),
    )


def _choices(bits: int, chunks: int, segments: int) -> float:
    return (_CHOICE * bits + _ENABLE * chunks) * (segments - 1)
