"""The program format: what the accelerator reads from memory, from the first byte to the last.

A program is a sequence of *rows* of `width` bytes. It begins with a header that ties it to the
hardware; then come commands, each followed by its payload in the order of use, so that reading
ahead is all the prefetching there is. Header and commands are `record_bytes` long, little-endian,
the first field in the low bits, padded to whole rows. A command's fields are as wide as the
configuration needs (`command_layout`), the header's are the same for all.

| opcode     | what it does                                               | payload     |
| HALT       | ends the program                                           | -           |
| SET_TOKENS | tokens 0 .. count - 1 are live, importance sums are 0      | -           |
| LOAD       | fills `target` from its row `first` on                     | count rows  |
| LINEAR     | a linear layer over the live tokens (or CLS alone)         | see         |
|            |                                                            | WeightBuffer|
| NORM       | LayerNorm of the residual memory into the activations      | -           |
| ATTEND     | a head, with Q, K, V and mask on chip, into hidden row     | -           |
|            | token * pitch + first; `accumulate`: importance sums       |             |
| PRUNE      | the `count` most important live tokens stay, sums are 0    | -           |
| STORE      | count rows of `target`, from its row `first` on, go to     | -           |
|            | memory at `address` (whole rows)                           |             |

Commands run in order. All but two wait until the units are idle: the payload of a LINEAR loads
while the command before it still runs, and a LOAD waits only with `barrier`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from amaranth.hdl import unsigned
from amaranth.lib import enum
from amaranth.lib.data import StructLayout

from rtl_gen import numerics
from rtl_gen.common.layouts import scale_layout
from rtl_gen.common.packing import pack
from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.linear.linear import Destination, Source

LEAST_RECORD_BYTES = 32
"""Header and command, unless their fields need more."""

MAGIC = 0x54495653
"""The bytes "SVIT": sparse Vision Transformer."""

VERSION = 2
ADDRESS_BITS = 32


class Opcode(enum.IntEnum, shape=8):
    """What a command does; see the table above."""

    HALT = 0
    SET_TOKENS = 1
    LOAD = 2
    LINEAR = 3
    NORM = 4
    ATTEND = 5
    PRUNE = 6
    STORE = 7


class Target(enum.IntEnum, shape=4):
    """Memories that LOAD and STORE reach, in rows of `width` bytes."""

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


class ErrorCode(enum.IntEnum, shape=4):
    """Why a program stopped before its HALT."""

    NONE = 0
    BAD_MAGIC = 1
    """The header is not that of a program."""
    BAD_VERSION = 2
    """A program of another format version."""
    BAD_CONFIG = 3
    """A program for another configuration of the hardware."""
    ILLEGAL_OPCODE = 4
    ILLEGAL_FIELD = 5
    """A target that the opcode cannot reach, a size of 0 or one that no memory holds."""
    COUNT_OUT_OF_RANGE = 6
    """More tokens or rows than there are, or a row behind the last of a memory, on chip or not."""
    NOT_ALIGNED = 7
    """A STORE address within a row, or a program address within a beat."""
    NO_TOKENS = 8
    """A command that needs SET_TOKENS before it."""
    ENDED_EARLY = 9
    """The header's rows were used up without a HALT."""
    READ_FAILED = 10
    """A row of the program that is needed could not be read: a bad response or RLAST."""
    WRITE_FAILED = 11
    """A row of a STORE was not written: a bad response, or one before the row had left."""


HEADER = StructLayout(
    {
        "magic": unsigned(32),
        "version": unsigned(16),
        "reserved": unsigned(16),
        "digest": unsigned(64),
        "rows": unsigned(32),
    }
)
"""`rows`: rows of the program after the header. `digest`: AcceleratorConfig.digest()."""


def command_layout(config: AcceleratorConfig) -> StructLayout:
    """Fields of a command; `scale_a`, `scale_b`: score and output scale of ATTEND, mean and norm
    scale of NORM.
    """
    return StructLayout(
        {
            "opcode": unsigned(8),
            "target": Target,
            "barrier": 1,
            "accumulate": 1,
            "only_cls": 1,
            "source": Source,
            "destination": Destination,
            "reserved": unsigned(6),
            "count": unsigned(row_count_bits(config)),
            "first": unsigned(row_count_bits(config)),
            "address": unsigned(ADDRESS_BITS),
            "pitch": unsigned(config.slice_bits),
            "slices": unsigned(config.slice_bits),
            "tiles": unsigned(config.tile_bits),
            "dim": unsigned(config.dim_bits),
            "scale_a": scale_layout(),
            "scale_b": scale_layout(),
        }
    )


@dataclass(frozen=True)
class TargetRange:
    """What LOAD and STORE may do with a target."""

    rows: int
    loads: bool
    stores: bool


def target_ranges(config: AcceleratorConfig) -> dict[Target, TargetRange]:
    """Size in rows of every target and how it can be reached."""
    per_word = config.mask_word_bytes // config.width
    live_rows = -(-config.bank_depth * config.lanes // config.row_bits)
    importance_rows = config.bank_depth * config.importance_word_rows
    return {
        Target.QUERY: TargetRange(config.max_tokens, True, True),
        Target.KEY: TargetRange(config.max_tokens, True, True),
        Target.VALUE: TargetRange(config.max_tokens, True, True),
        Target.MASK: TargetRange(config.mask_depth * per_word, True, False),
        Target.ACTIVATION: TargetRange(config.activation_rows, False, True),
        Target.HIDDEN: TargetRange(config.hidden_rows, True, True),
        Target.RESIDUAL: TargetRange(config.residual_rows, True, True),
        Target.GELU: TargetRange(numerics.GELU_ENTRIES // config.width, True, False),
        Target.CHANNEL_SHIFT: TargetRange(config.norm_groups, True, False),
        Target.IMPORTANCE: TargetRange(importance_rows, False, True),
        Target.LIVE: TargetRange(live_rows, False, True),
    }


def row_count_bits(config: AcceleratorConfig) -> int:
    """A number of rows, up to those of the largest target; a number of tokens is less."""
    return max(allowed.rows for allowed in target_ranges(config).values()).bit_length()


def record_bytes(config: AcceleratorConfig) -> int:
    """Bytes of a header or command: a power of two, and whole rows."""
    needed = -(-max(HEADER.size, command_layout(config).size) // 8)
    return max(LEAST_RECORD_BYTES, config.width, 1 << (needed - 1).bit_length())


def record_rows(config: AcceleratorConfig) -> int:
    """Rows of a header or command."""
    return record_bytes(config) // config.width


def pack_record(
    config: AcceleratorConfig, layout: StructLayout, fields: Mapping[str, object]
) -> bytes:
    """A header or command with its padding.

    Raises:
        UserError: a number that its field cannot hold.
    """
    name = "header" if layout == HEADER else "command"
    return pack(layout, fields, name).to_bytes(record_bytes(config), "little")


def check_memory_bytes(size: int) -> None:
    """Raise UserError if a program and what it stores reach beyond what an address can name."""
    if size > 1 << ADDRESS_BITS:
        raise UserError(
            f"the program and its results take {size:,} bytes: expected at most "
            f"{1 << ADDRESS_BITS:,}, which is what addresses of {ADDRESS_BITS} bits reach"
        )
