"""Payload layouts that several units exchange."""

from amaranth.hdl import signed, unsigned
from amaranth.lib.data import ArrayLayout, StructLayout

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig


def row_layout(config: AcceleratorConfig) -> ArrayLayout:
    """`width` int8 channels; channel 0 in the low bits."""
    return ArrayLayout(signed(8), config.width)


def scale_layout() -> StructLayout:
    """A requantisation factor multiplier * 2^-shift."""
    return StructLayout(
        {
            "multiplier": unsigned(numerics.MULTIPLIER_BITS),
            "shift": unsigned(numerics.SHIFT_BITS),
        }
    )


def sums_layout(config: AcceleratorConfig) -> ArrayLayout:
    """A word of the importance sums: those of `lanes` tokens, lane 0 in the low bits."""
    return ArrayLayout(unsigned(config.importance_bits), config.lanes)


def mask_row_layout(config: AcceleratorConfig) -> StructLayout:
    """A query's token index and its kept live keys, bit j for token j."""
    return StructLayout(
        {
            "token": unsigned(config.token_bits),
            "keep": unsigned(config.bank_depth * config.lanes),
        }
    )


def beat_layout(config: AcceleratorConfig) -> StructLayout:
    """One array cycle of a query row: whether each lane works, and on which word of its bank."""
    return StructLayout(
        {
            "valid": unsigned(config.lanes),
            "word": ArrayLayout(unsigned(config.word_bits), config.lanes),
            "token": unsigned(config.token_bits),
            "first": 1,
            "last": 1,
        }
    )
