"""The program format: what the accelerator reads from memory, from the first byte to the last.

A program is a sequence of *rows* of `width` bytes. It begins with a header that ties it to the
hardware; then come commands, each followed by its payload in the order of use, so that reading
ahead is all the prefetching there is. Header and commands are `record_bytes` long, little-endian,
the first field in the low bits, padded to whole rows; HALT's last bytes are the checksum of all
before it (checksum.py). A command's fields are as wide as the configuration needs
(`command_layout`), the header's are the same for all. What the opcodes are and do is the table of
rtl_gen/control/commands.py.
"""

from collections.abc import Mapping
from functools import cache

from amaranth.hdl import unsigned
from amaranth.lib import enum, stream, wiring
from amaranth.lib.data import StructLayout
from amaranth.lib.wiring import In, Out

from rtl_gen.config import AcceleratorConfig
from rtl_gen.errors import UserError
from rtl_gen.interfaces.layouts import (
    bounds_layout,
    fetch_layout,
    program_row_layout,
    scale_layout,
)
from rtl_gen.interfaces.packing import pack
from rtl_gen.interfaces.ports import always
from rtl_gen.interfaces.targets import Target, row_count_bits

RESULT_ADDRESS_BITS = 32
"""Of a STORE's address, in bytes from the result base on."""

LEAST_RECORD_BYTES = 32
"""Header and command, unless their fields need more."""

MAGIC = 0x54495653
"""The bytes "SVIT": sparse Vision Transformer."""

VERSION = 4


class Source(enum.IntEnum, shape=1):
    """Memory that a linear layer reads."""

    ACTIVATION = 0
    HIDDEN = 1


class Destination(enum.IntEnum, shape=2):
    """What becomes of the results of a linear layer."""

    QKV = 0
    HIDDEN = 1
    LOGITS = 2
    RESIDUAL = 3


class ErrorCode(enum.IntEnum, shape=4):
    """Why a program did not end well."""

    NONE = 0
    BAD_MAGIC = 1
    """The header is not that of a program."""
    BAD_VERSION = 2
    """A program of another format version."""
    BAD_CONFIG = 3
    """A program for another configuration of the hardware."""
    ILLEGAL_OPCODE = 4
    ILLEGAL_FIELD = 5
    """A target that the opcode cannot reach, a size of 0 or one that no memory holds, more tokens
    that always stay than stay in all."""
    COUNT_OUT_OF_RANGE = 6
    """More tokens or rows than there are, or a row behind the last of a memory on the chip."""
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
    OUT_OF_BOUNDS = 12
    """A program, or a row of a STORE, that is not all within the bounds that the host set; these
    are by default all that an address can name."""
    BAD_CHECKSUM = 13
    """At HALT: what was read is not what the compiler made, see checksum.py. Results are wrong."""
    BAD_PARITY = 14
    """A word of a memory on the chip is not what was written, see rtl_gen/memory/parity.py."""


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


@cache
def command_layout(config: AcceleratorConfig) -> StructLayout:
    """Fields of a command; `scale_a`, `scale_b`: score and output scale of ATTEND, mean and norm
    scale of NORM. `input`: the payload is the host's to replace, and no part of the checksum.
    `one_core`: for the core `core` alone; where there is one core, neither exists.
    """
    cores = {"one_core": 1, "core": unsigned(config.core_bits)} if config.cores > 1 else {}
    return StructLayout(
        {
            "opcode": unsigned(8),
            "target": Target,
            "barrier": 1,
            "accumulate": 1,
            "only_cls": 1,
            "source": Source,
            "destination": Destination,
            "plain": 1,
            "input": 1,
            **cores,
            "reserved": unsigned(4 - bool(cores) - config.core_bits),
            "count": unsigned(row_count_bits(config)),
            "first": unsigned(row_count_bits(config)),
            "prefix": unsigned(config.count_bits),
            "address": unsigned(RESULT_ADDRESS_BITS),
            "pitch": unsigned(config.slice_bits),
            "slices": unsigned(config.slice_bits),
            "tiles": unsigned(config.tile_bits),
            "dim": unsigned(config.dim_bits),
            "scale_a": scale_layout(),
            "scale_b": scale_layout(),
        }
    )


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
    """Raise UserError if a program and what it stores reach beyond what a STORE can name."""
    if size > 1 << RESULT_ADDRESS_BITS:
        raise UserError(
            f"the program and its results take {size:,} bytes: expected at most "
            f"{1 << RESULT_ADDRESS_BITS:,}, which is what addresses of {RESULT_ADDRESS_BITS} bits "
            "reach"
        )


def host_port(config: AcceleratorConfig) -> wiring.Signature:
    """The host's side of the core: a program's address starts it, while it is not `busy`; `bounds`
    stay while it runs; `error` is valid from the end of a program to the next start.
    """
    return wiring.Signature(
        {
            "start": Out(always(config.address_bits)),
            "bounds": Out(bounds_layout(config)),
            "busy": In(1),
            "error": In(ErrorCode),
        }
    )


def program_port(config: AcceleratorConfig) -> wiring.Signature:
    """The dispatcher's side of the program stream: it asks for rows and takes them."""
    return wiring.Signature(
        {
            "fetch": Out(stream.Signature(fetch_layout(config))),
            "rows": In(stream.Signature(program_row_layout(config))),
        }
    )
