"""The memories on the chip: geometry, and the bytes that a network uses of them.

The one definition behind docs/architecture.md, section 2. Names follow the units in rtl_gen;
queues of a few narrow items and pipeline registers are not counted.
"""

from dataclasses import dataclass

from model.networks import Network
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.interfaces.layouts import slot_address_bits
from rtl_gen.interfaces.memories import OUTPUT_ROWS

WEIGHT_TILES = 2
"""One in use, one loading."""


@dataclass(frozen=True)
class OnChipMemory:
    """`banks` memories of `words` words of `bits` bits."""

    words: int
    bits: int
    banks: int = 1

    @property
    def bank_bytes(self) -> float:
        return self.words * self.bits / 8

    @property
    def total_bits(self) -> int:
        return self.banks * self.words * self.bits


def on_chip_memories(
    config: AcceleratorConfig, network: Network | None = None
) -> dict[str, OnChipMemory]:
    """Every memory by name: as built, or with the words that `network` uses."""
    tokens = config.max_tokens if network is None else network.tokens
    dim = config.max_dim if network is None else network.dim
    lanes, row = config.lanes, config.row_bits
    activation_rows = tokens * dim // config.width
    bank_words = -(-tokens // lanes)
    slot_words = 1 << slot_address_bits(config)
    return {
        "residual": OnChipMemory(2 * activation_rows, row),
        "activation": OnChipMemory(activation_rows, row),
        "hidden": OnChipMemory(4 * activation_rows, row),
        "query": OnChipMemory(tokens, row),
        "banks": OnChipMemory(2 * bank_words, row, lanes),
        "mask": OnChipMemory(-(-tokens // config.rows_per_mask_word), config.mask_word_bits),
        "accumulators": OnChipMemory(tokens, lanes * numerics.ACCUMULATOR_BITS),
        "statistics": OnChipMemory(tokens, config.channel_sum_bits + config.square_sum_bits),
        "scores": OnChipMemory(slot_words, lanes * (1 + numerics.SCORE_BITS)),
        "exponentials": OnChipMemory(slot_words, lanes * numerics.EXP_BITS),
        "addresses": OnChipMemory(slot_words, lanes * (1 + config.word_bits)),
        "importance": OnChipMemory(bank_words, config.importance_bits, lanes),
        "live_tokens": OnChipMemory(bank_words, config.token_bits, lanes),
        "channel_shifts": OnChipMemory(
            -(-dim // config.norm_channels),
            config.norm_channels * numerics.NORM_CHANNEL_SHIFT_BITS,
        ),
        "gelu": OnChipMemory(numerics.GELU_ENTRIES, 8, lanes),
        "table": OnChipMemory(len(numerics.exp_table()), numerics.EXP_TABLE_BITS, lanes),
        "queue": OnChipMemory(OUTPUT_ROWS - 1, row + config.token_bits),
        "beats": OnChipMemory(config.stream_beats, 8 * config.bus_bytes),
        "weights": OnChipMemory(WEIGHT_TILES, lanes * row),
    }


def on_chip_bytes(config: AcceleratorConfig, network: Network | None = None) -> float:
    """Bytes of all memories: as built, or those that `network` uses."""
    return sum(memory.total_bits for memory in on_chip_memories(config, network).values()) / 8
