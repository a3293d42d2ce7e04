"""Payload layouts that several units exchange."""

from amaranth.hdl import ShapeLike, signed, unsigned
from amaranth.lib.data import ArrayLayout, StructLayout

from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig

PAGE_BITS = 12
"""Programs are bound to pages of 4 KB, which no burst of AXI4 crosses."""

PRODUCT_BITS = 16
"""Of int8 x int8 or uint8 x int8."""


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


def residual_row_layout(config: AcceleratorConfig) -> ArrayLayout:
    """`norm_channels` channels of the residual stream; the first in the low bits."""
    return ArrayLayout(signed(numerics.RESIDUAL_BITS), config.norm_channels)


def channel_shifts_layout(config: AcceleratorConfig) -> ArrayLayout:
    """The power of two that `norm_channels` channels' steps are of the common step."""
    return ArrayLayout(unsigned(numerics.NORM_CHANNEL_SHIFT_BITS), config.norm_channels)


def statistics_layout(config: AcceleratorConfig) -> StructLayout:
    """Sum and sum of squares of a token's int16 channels, exact."""
    return StructLayout(
        {
            "total": signed(config.channel_sum_bits),
            "squares": unsigned(config.square_sum_bits),
        }
    )


def residual_update_layout(config: AcceleratorConfig) -> StructLayout:
    """`lanes` new channels of a token's residual stream; `first` if they are the token's first."""
    return StructLayout(
        {
            "token": unsigned(config.token_bits),
            "first": 1,
            "values": ArrayLayout(signed(numerics.RESIDUAL_BITS), config.lanes),
        }
    )


def slot_address_bits(config: AcceleratorConfig) -> int:
    """Address of a beat of a row between QK^T and PV: the beat in the low bits, above it one of
    `row_slots` slots, which the row keeps from its first score until its last PV beat. Scores,
    exponentials and keys of a beat lie at the same place of their memories.
    """
    return config.word_bits + (config.row_slots - 1).bit_length()


def slot_write_layout(config: AcceleratorConfig, shape: ShapeLike) -> StructLayout:
    """A beat's `data` of `shape` for its place."""
    return StructLayout({"address": unsigned(slot_address_bits(config)), "data": shape})


def dots_layout(config: AcceleratorConfig) -> ArrayLayout:
    """One dot product of the array a lane."""
    return ArrayLayout(signed(config.dot_bits), config.lanes)


def columns_layout(config: AcceleratorConfig) -> ArrayLayout:
    """One sum of the array over the lanes a channel."""
    bits = PRODUCT_BITS + (config.lanes - 1).bit_length()
    return ArrayLayout(signed(bits), config.width)


def array_sums_layout(config: AcceleratorConfig) -> StructLayout:
    """Both reductions of the array: sums over the channels, sums over the lanes."""
    return StructLayout({"dots": dots_layout(config), "columns": columns_layout(config)})


def vectors_layout(config: AcceleratorConfig) -> ArrayLayout:
    """A vector operand of the array a lane."""
    return ArrayLayout(row_layout(config), config.lanes)


def scalars_layout(config: AcceleratorConfig) -> StructLayout:
    """An unsigned factor of the array a lane, and whether the vectors are multiplied with it (PV)
    or with the row.
    """
    return StructLayout(
        {"scale_lanes": 1, "scalars": ArrayLayout(unsigned(numerics.EXP_BITS), config.lanes)}
    )


def operands_layout(config: AcceleratorConfig) -> StructLayout:
    """Operands of the array in a cycle, as attention offers them."""
    return StructLayout(
        {
            "row": row_layout(config),
            "vectors": vectors_layout(config),
            "lanes": scalars_layout(config),
        }
    )


def bounds_layout(config: AcceleratorConfig) -> StructLayout:
    """Where a program may be read from and may write to, from the `first` to the `last` page of
    memory, and the page of its `results`, which its STOREs count addresses from.
    """
    page = unsigned(config.address_bits - PAGE_BITS)
    pages = StructLayout({"first": page, "last": page})
    return StructLayout({"reads": pages, "writes": pages, "results": page})


def factors_layout(config: AcceleratorConfig) -> StructLayout:
    """What the multipliers take in a cycle: of a lane and channel the factor, int8 or uint8, and
    the vector's channel.
    """
    factor = signed(max(8, numerics.EXP_BITS + 1))
    factors = ArrayLayout(ArrayLayout(factor, config.width), config.lanes)
    return StructLayout({"factors": factors, "vectors": vectors_layout(config)})


def fetch_layout(config: AcceleratorConfig) -> StructLayout:
    """`rows` rows of the program from `address` on."""
    return StructLayout({"address": unsigned(config.address_bits), "rows": unsigned(32)})


def program_beat_layout(config: AcceleratorConfig) -> StructLayout:
    """A beat of the program; `lost`: it, or one before it, could not be read."""
    return StructLayout({"data": unsigned(8 * config.bus_bytes), "lost": 1})


def program_row_layout(config: AcceleratorConfig) -> StructLayout:
    """A row of the program; `lost`: it, or one before it, could not be read."""
    return StructLayout({"data": unsigned(config.row_bits), "lost": 1})


def memory_status_layout() -> StructLayout:
    """`idle`: all rows that were sent to memory have arrived; `failed`: one was refused."""
    return StructLayout({"idle": 1, "failed": 1})


def stored_row_layout(config: AcceleratorConfig) -> StructLayout:
    """A row and the address that it goes to, whose bits inside a row are ignored."""
    address = unsigned(config.address_bits)
    return StructLayout({"address": address, "data": unsigned(config.row_bits)})


def linear_operands_layout(config: AcceleratorConfig) -> StructLayout:
    """What a linear layer gives the array: a row in every cycle, and weights that stay from the
    cycle of `take` on. `running`: the array works for it.
    """
    return StructLayout(
        {
            "running": 1,
            "take": 1,
            "row": row_layout(config),
            "weights": vectors_layout(config),
        }
    )
